"""An independent projector: the emulator of pjlink-advance, in a virtual environment of its own.

It needs Python 3.13 while the project's floor is 3.11; that is the only thing whose absence skips a device test.
"""

import fcntl
import json
import queue
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import IO, Any

import pytest

_PINNED = "pjlink-advance==0.2.0"
_ROOT = Path(__file__).parents[2]
_HOME = _ROOT / "build" / "pjlink-emulator"
_CONTROL = Path(__file__).with_name("emulator_control.py")
_ANSWER_S = 10


@dataclass(frozen=True)
class Projector:
    port: int
    _input: IO[str]
    _answers: "queue.Queue[str]"

    def change(self, **state: object) -> dict[str, Any]:
        """Set what `emulator_control` knows; returns its counters."""
        self._input.write(json.dumps(state) + "\n")
        self._input.flush()
        return _next_answer(self._answers)


@contextmanager
def start_projector(password: str = "") -> Iterator[Projector]:
    """An emulated projector, switched off. Skips the test where there is no Python 3.13."""
    with subprocess.Popen(
        [_prepare(), "-I", str(_CONTROL), password], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            answers = _read_behind(process.stdout)
            yield Projector(_next_answer(answers)["port"], process.stdin, answers)
        finally:
            process.kill()


def _read_behind(source: IO[str]) -> "queue.Queue[str]":
    """Lines as they come, so that waiting for one can be bounded."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in source:
            lines.put(line)

    threading.Thread(target=read, daemon=True).start()
    return lines


def _next_answer(answers: "queue.Queue[str]") -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(answers.get(timeout=_ANSWER_S))
    except queue.Empty:
        pytest.fail(f"the projector emulator did not answer within {_ANSWER_S} s")
    return answer


def _prepare() -> str:
    """Python of the emulator's environment, made on first use; several test processes may ask at once."""
    python = _HOME / "bin" / "python"
    done = _HOME / _PINNED
    _HOME.parent.mkdir(exist_ok=True)
    with (_HOME.parent / "pjlink-emulator.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            subprocess.run([_find_python(), "-m", "venv", "--clear", str(_HOME)], check=True, timeout=60)
            subprocess.run([str(python), "-m", "pip", "install", "--quiet", _PINNED], check=True, timeout=100)
            done.touch()
    return str(python)


def _find_python() -> str:
    """A Python of at least 3.13, on PATH or under pyenv; a pyenv shim may stand for nothing, so each is asked."""
    named = [which(f"python3.{minor}") for minor in (13, 14, 15)]
    kept = sorted(Path.home().glob(".pyenv/versions/3.1[3-9]*/bin/python3"))
    for candidate in [name for name in named if name] + [str(path) for path in kept]:
        question = "import sys; sys.exit(sys.version_info < (3, 13))"
        if subprocess.run([candidate, "-c", question], check=False, capture_output=True, timeout=20).returncode == 0:
            return candidate
    pytest.skip("the projector emulator needs Python 3.13 or newer, and there is none on PATH or under ~/.pyenv")
