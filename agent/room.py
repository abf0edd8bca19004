"""How much room the spool may take, and the ballast that is given up when the disk is full."""

import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

WAL_BYTES = 1 << 20
LEAST_BYTES = 64 * 1024


class Space(NamedTuple):
    """Bytes of a disk: `free` for us, and `total`."""

    free: int
    total: int


FreeBytes = Callable[[Path], Space]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the spool.

    `max_bytes` for all its files, days acknowledged lines are kept, bytes set aside for a full disk. The spool does
    not grow into the last `floor_bytes` of the disk, or the last `floor_share` where that is less.
    """

    max_bytes: int = 256 * 1024 * 1024
    retention_days: int = 35
    ballast_bytes: int = 1024 * 1024
    floor_bytes: int = 1024 * 1024 * 1024
    floor_share: float = 0.05
    checkpoint_pages: int = 128

    @property
    def file_bytes(self) -> int:
        """What is left for the database itself beside WAL and ballast."""
        return max(LEAST_BYTES, self.max_bytes - self.ballast_bytes - WAL_BYTES)


def measure_disk(folder: Path) -> Space:
    disk = os.statvfs(folder)
    return Space(disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize)


def used_bytes(db: sqlite3.Connection) -> int:
    """Bytes in use: free pages inside the file do not count, they are written next."""
    return (_pragma(db, "page_count") - _pragma(db, "freelist_count")) * _pragma(db, "page_size")


def allowed_bytes(db: sqlite3.Connection, limits: Limits, space: Space) -> int:
    """How many bytes may be in use: within the bound, and growing only above the disk's floor."""
    file = _pragma(db, "page_count") * _pragma(db, "page_size")
    return min(limits.file_bytes, file + above_floor(limits, space))


def above_floor(limits: Limits, space: Space) -> int:
    floor = min(limits.floor_bytes, int(space.total * limits.floor_share))
    return max(0, space.free - floor)


def lay_ballast(path: Path, size: int) -> None:
    """Take up room that can be given back later. A disk without that room goes without."""
    if path.exists():
        return
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size)
        finally:
            os.close(descriptor)
    except OSError:
        path.unlink(missing_ok=True)


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])
