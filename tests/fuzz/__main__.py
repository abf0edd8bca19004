"""Fuzzes the decoder with Atheris, guided by coverage, from real pushes on; planted bugs must be found first.

The last line is `N passed, M failed`, counted in runs and planted bugs.

python -m tests.fuzz [RUNS]
"""

import math
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.plants import PLANTS
from tests.fuzz.seeds import WORDS, list_seeds

SHARES = {"-use_counters=0": 0.8, "-use_counters=1": 0.2}
"""Two at once: the quick one is led by which branches an input takes, the slow one also by how often."""
MEMORY_MIB = 600
PLANTED_RUNS = 60_000
OPTIONS = (
    f"-rss_limit_mb={MEMORY_MIB}",
    "-max_len=4096",
    "-timeout=10",
    "-print_final_stats=1",
    "-verbosity=0",
    "-reload=0",
)
_PEAK = re.compile(r"stat::peak_rss_mb:\s+(\d+)")
_DONE = re.compile(r"stat::number_of_executed_units:\s+(\d+)")


def main(wanted: int) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        missed = [plant for plant in PLANTS if not _is_found(plant, folder)]
        runs = [
            _start(folder / f"run{how}", how, "-seed=1", f"-runs={math.ceil(wanted * share)}")
            for how, share in SHARES.items()
        ]
        outputs = [(each, each.communicate()[0]) for each in runs]
    done = sum(_figure(_DONE, output) for _, output in outputs)
    crashed = [output for each, output in outputs if each.returncode]
    for output in crashed:
        print(output[-6000:])
    peak = max(_figure(_PEAK, output) for _, output in outputs)
    print(f"decoder: {done} runs, {len(crashed)} crashes, peak {peak} MiB of memory")
    failed = len(crashed) + len(missed) + (0 if crashed or done >= wanted else 1)
    print(f"{done + len(PLANTS) - failed} passed, {failed} failed")
    return 1 if failed else 0


def _is_found(plant: str, folder: Path) -> bool:
    run = _start(folder / plant, plant, "-seed=1", f"-runs={PLANTED_RUNS}")
    output = run.communicate()[0]
    found = re.search(r"Uncaught Python exception: ===\n(.+)", output)
    print(f"planted {plant}: {found[1].strip() if found and run.returncode else 'NOT FOUND'}", flush=True)
    return found is not None and run.returncode != 0


def _start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """A run that begins with the real pushes."""
    corpus, words = folder / "corpus", folder / "words"
    corpus.mkdir(parents=True)
    for number, seed in enumerate(list_seeds()):
        (corpus / f"{number:03d}").write_bytes(seed)
    words.write_text("".join(f"{each}\n" for each in WORDS), "ascii")
    command = [sys.executable, "-m", "tests.fuzz.run", *arguments, *OPTIONS]
    command += [f"-dict={words}", f"-artifact_prefix={folder}/", str(corpus)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=os.environ
    )


def _figure(pattern: re.Pattern[str], output: str) -> int:
    found = pattern.search(output)
    return int(found[1]) if found else 0


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
