"""What the kernel tells of memory, disks and heat, read where it writes it: a library for three figures costs 1 MB."""

import os
from contextlib import suppress
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_SYS = Path("/sys")
_HEAT = ("class/hwmon/hwmon*/temp*_input", "class/hwmon/hwmon*/device/temp*_input", "class/thermal/thermal_zone*/temp")
_BELIEVABLE_C = (1, 150)


def measure_memory(source: Path = _MEMINFO) -> tuple[int | None, int | None]:
    """Bytes available without swapping, and in all; None for what the kernel does not tell."""
    told: dict[str, int] = {}
    with suppress(OSError):
        for line in source.read_text("ascii", "replace").splitlines():
            name, _, value = line.partition(":")
            kib, _, unit = value.strip().partition(" ")
            if unit == "kB" and kib.isdecimal():
                told[name] = int(kib) * 1024
    return told.get("MemAvailable"), told.get("MemTotal")


def measure_disk(directory: Path) -> tuple[int, int]:
    """Bytes free for an ordinary user, and in all. Raises OSError."""
    held = os.statvfs(directory)
    return held.f_bavail * held.f_frsize, held.f_blocks * held.f_frsize


def measure_temperature(root: Path = _SYS) -> float | None:
    """Degrees Celsius of the hottest believable sensor."""
    lowest, highest = _BELIEVABLE_C
    read = [_read_celsius(each) for pattern in _HEAT for each in root.glob(pattern)]
    return max((each for each in read if each is not None and lowest <= each <= highest), default=None)


def _read_celsius(file: Path) -> float | None:
    try:
        return int(file.read_text("ascii")) / 1000
    except (OSError, ValueError):
        return None
