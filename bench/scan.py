"""What watching the courseware costs: `.60000` a whole look of the sensor at 60 000 known files in one directory.

`.60000_first` is the very first look, `.mp4_1gb` the judging of a film of 1 GB before it is hashed, in milliseconds.
Each the best of five. Usage: `python -m bench.scan [--files 1000000]`. With a million files a look ends at the sensor's
entry limit of 100,000, says so (`capped`) and costs no more: 1.1 s, the first 2.8 s, 128 MiB (measured on busy cores).
"""

import argparse
import os
import struct
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path

import psutil

from agent.probes import _media
from agent.probes._inventory import Entry, Status, dump_entry, memo_key
from agent.probes._tree import walk
from agent.probes.courseware import PROBE, CoursewareSettings
from agent.runner import InlineLook, Runner
from agent.spool import Spool
from bench.report import emit
from shared.clock import Instant
from tests import media

FILES = 60_000
FILM = 2**30
ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=FILES)
    files = parser.parse_args().files
    with tempfile.TemporaryDirectory() as folder:
        _bench_folder(Path(folder), files)
        _bench_film(Path(folder))


def _bench_folder(folder: Path, files: int) -> None:
    root = folder / "courseware"
    root.mkdir()
    for number in range(files):
        (root / f"课件 {number:05}.pdf").write_bytes(b"%PDF-1.4")
    settings = CoursewareSettings(directory=root)
    spool = Spool(folder / "spool", _now(0))
    _fill_memory(spool, settings)
    runner = Runner(spool, InlineLook)
    runner.add("courseware", PROBE, settings, memo_key=memo_key)
    first_s = _time(partial(runner.tick, _now(30)))
    looks = [_time(partial(runner.tick, _now(60 + 30 * each))) for each in range(ROUNDS)]
    state = runner.reports()["courseware"].state
    rss_mib = round(psutil.Process().memory_info().rss / 2**20, 1)
    emit(f"scan.{files}", min(looks), "s", files=state["files"], capped=state["capped"], rss_mib=rss_mib)
    emit(f"scan.{files}_first", first_s, "s")
    spool.close()


def _fill_memory(spool: Spool, settings: CoursewareSettings) -> None:
    """As if every file seen had been taken in: hashing them would take an hour of looks."""
    runner = Runner(spool, InlineLook)
    runner.add("courseware", PROBE, settings, memo_key=memo_key)
    runner.tick(_now(0))
    root = os.fsencode(settings.directory)
    tree = walk(root, max_entries=settings.max_entries)
    entries = (
        (memo_key(root + b"/" + path), dump_entry(Entry(version, Status.WHOLE, f"{number:064x}")))
        for number, (path, version) in enumerate(tree.files.items())
    )
    while memo := dict(islice(entries, FILES)):
        spool.append([], _now(0), probe="courseware", memo=memo)


def _bench_film(folder: Path) -> None:
    """A real film's boxes around a gigabyte of content; the disk holds only what is looked at."""
    path = folder / "film.mp4"
    whole = media.mp4()
    at = whole.index(b"mdat") - 4
    size = struct.unpack(">I", whole[at : at + 4])[0]
    head, content, rest = whole[:at], whole[at + 8 : at + size], whole[at + size :]
    with path.open("wb") as file:
        file.write(head + struct.pack(">I4sQ", 1, b"mdat", FILM) + content)
        file.seek(len(head) + FILM - len(content))
        file.write(content + rest)
    length = path.stat().st_size
    times = []
    for _ in range(ROUNDS):
        with path.open("rb") as file:
            times.append(_time(partial(_media.check, file, length, "mp4")))
    with path.open("rb") as file:
        found = _media.check(file, length, "mp4")
    emit("scan.mp4_1gb", min(times) * 1000, "ms", whole=found.finding is None, duration_s=found.duration_s)


def _time(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _now(seconds: int) -> Instant:
    return Instant(1_788_000_000_000 + seconds * 1000, 3_600_000 + seconds * 1000, "ab" * 16)


if __name__ == "__main__":
    main()
