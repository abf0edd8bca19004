"""Counts how often the agent has started within a day, so that one that crashes again and again is noticed.

A few moments in a small file beside the spool. What cannot be read or written is begun anew: nothing hangs on it.
"""

from contextlib import suppress
from pathlib import Path

FILE = "starts"
_DAY_MS = 86_400_000
_KEPT = 100


def count_start(folder: Path, wall_ms: int) -> int:
    """Note one more start, and return how many there were in the last day, this one included."""
    file = folder / FILE
    earlier = [each for each in _read(file) if 0 <= wall_ms - each < _DAY_MS][-_KEPT:]
    with suppress(OSError):
        file.write_text("\n".join(map(str, [*earlier, wall_ms])), "ascii")
    return len(earlier) + 1


def _read(file: Path) -> list[int]:
    with suppress(OSError, ValueError):
        return [int(line) for line in file.read_text("ascii").split()]
    return []
