"""What a disk says of its own health, through `smartctl --json` where that is installed and allowed to ask.

It takes its time and its megabytes from nobody: an answer that is late, long or unreadable is no answer.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_BLOCKS = Path("/sys/dev/block")
_LATE_S = 6.0
_MAX_BYTES = 256 * 1024
_NOT_OPENED = 0b11
"""The bits of the exit status that say that the disk was not reached; the others tell of its health."""
_REALLOCATED, _PENDING = 5, 197
_MAX_COUNT = 2**53


@dataclass(frozen=True, slots=True)
class Health:
    """Each None where the disk does not say. `passed` is its own verdict."""

    passed: bool | None = None
    reallocated: int | None = None
    pending: int | None = None
    hours: int | None = None


def find_disk(directory: Path, blocks: Path = _BLOCKS) -> str | None:
    """The device file of the whole disk that holds a directory; None for a network share or a file system in memory."""
    try:
        device = directory.stat().st_dev
        place = (blocks / f"{os.major(device)}:{os.minor(device)}").resolve(strict=True)
    except OSError:
        return None
    whole = place.parent if (place / "partition").exists() else place
    return f"/dev/{whole.name}"


def ask(disk: str, program: str = "smartctl") -> Health | None:
    """None where the program is missing or may not ask, or the disk has no such health."""
    found = shutil.which(program, path=_PATH)
    if found is None:
        return None
    with suppress(OSError, ValueError, RecursionError):
        status, output = _run([found, "--json", "-H", "-A", disk])
        told = json.loads(output)
        if not status & _NOT_OPENED and isinstance(told, dict):
            return read(told)
    return None


def read(told: Mapping[str, Any]) -> Health | None:
    """The health in smartctl's JSON, of ATA and NVMe disks; None when there is none in it."""
    nvme = _dig(told, "nvme_smart_health_information_log")
    passed = _dig(told, "smart_status", "passed")
    table = _dig(told, "ata_smart_attributes", "table")
    health = Health(
        passed=passed if isinstance(passed, bool) else None,
        reallocated=_read_attribute(table, _REALLOCATED) if nvme is None else _count(_dig(nvme, "media_errors")),
        pending=_read_attribute(table, _PENDING),
        hours=_count(_dig(told, "power_on_time", "hours")),
    )
    return None if health == Health() else health


def _run(command: list[str]) -> tuple[int, bytes]:
    """Exit status and output. Raises TimeoutError, OSError; the program is ended in any case."""
    environment = {"PATH": _PATH, "LC_ALL": "C"}
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    until = time.monotonic() + _LATE_S
    process = subprocess.Popen(command, env=environment, start_new_session=True, **streams)  # type: ignore[call-overload]
    try:
        output = _read_all(process.stdout.fileno(), until)
        return process.wait(max(0.1, until - time.monotonic())), output
    except subprocess.TimeoutExpired as error:
        raise TimeoutError from error
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()
        # One that waits for a dead disk in the kernel cannot be ended; it is left to itself.
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.5)


def _read_all(pipe: int, until: float) -> bytes:
    output = b""
    while True:
        left_s = until - time.monotonic()
        if left_s <= 0 or not select.select([pipe], [], [], left_s)[0]:
            raise TimeoutError
        part = os.read(pipe, 65_536)
        output += part
        if not part:
            return output
        if len(output) > _MAX_BYTES:
            raise OSError("too much output")


def _dig(told: Any, *names: str) -> Any:
    for name in names:
        told = told.get(name) if isinstance(told, Mapping) else None
    return told


def _read_attribute(table: Any, number: int) -> int | None:
    rows = table if isinstance(table, list) else []
    found = [_count(_dig(row, "raw", "value")) for row in rows if _dig(row, "id") == number]
    return found[0] if found else None


def _count(value: Any) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_COUNT
    return value if is_count else None
