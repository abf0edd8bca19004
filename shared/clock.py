"""The only place that reads a clock. Everything below the edge takes the time as a value."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment as a machine sees it.

    `wall_ms` is epoch milliseconds as the machine believes (may be wrong by years), `mono_ms` milliseconds since
    the boot named `boot` (never runs back, counts through suspend).
    """

    wall_ms: int
    mono_ms: int
    boot: str


class Clock(Protocol):
    def now(self) -> Instant: ...


class SystemClock:
    """The machine's own clock."""

    def __init__(self) -> None:
        self._boot = read_boot_id()

    def now(self) -> Instant:
        return Instant(wall_ms(), time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000, self._boot)


def wall_ms() -> int:
    """Epoch milliseconds by the machine's clock."""
    return time.time_ns() // 1_000_000


def read_boot_id(source: Path = _BOOT_ID) -> str:
    """Name of the running boot, 32 hex digits (`random/boot_id` of the kernel)."""
    return source.read_text("ascii").strip().replace("-", "")
