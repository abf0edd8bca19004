"""Starts the real programs a device test needs, waits for them with a bound, and ends exactly those it started."""

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest


def require_program(name: str) -> str:
    """Path of a program. Fails the test where it is missing: what goes untested must show."""
    path = shutil.which(name)
    if path is None:
        pytest.fail(f"{name} is not installed; the device tests need it (the packages are listed in CONTRIBUTING.md)")
    return path


def wait_until(happened: Callable[[], bool], what: str, *, within_s: float = 10) -> None:
    """Fails the test when `what` has not happened in time."""
    deadline = time.monotonic() + within_s
    while not happened():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not happen within {within_s} s")
        time.sleep(0.05)


@contextmanager
def running(
    arguments: Sequence[str], *, environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """The program from its start to its certain end; what it says goes into `log`."""
    with (
        log.open("ab") as output,
        subprocess.Popen(
            [require_program(arguments[0]), *arguments[1:]],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        ) as process,
    ):
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.send_signal(signal.SIGCONT)
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(3)
