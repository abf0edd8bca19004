"""A SQLite database as one file that can be carried away and put back. Reads beside a running centre; blocks nobody."""

import contextlib
import os
import shutil
import sqlite3
from pathlib import Path

from collector.db.sqlite_file import check_pages
from collector.errors import SetupError

SUFFIX = ".sqlite"


def copy_out(source: Path, target: Path) -> None:
    """Write the database as it is now into a new file, checked and on the disk when this returns. Raises SetupError."""
    if not source.is_file():
        raise SetupError(f"没有找到数据库 {source}。请检查设置 database。")
    try:
        with contextlib.closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as found:
            found.execute("VACUUM INTO ?", (str(target),))
    except sqlite3.Error as error:
        target.unlink(missing_ok=True)
        raise SetupError(f"备份没有完成：{error}。请检查目标磁盘的空间和数据库文件，然后再备份一次。") from error
    check_pages(target, immutable=True)
    sync(target)


def copy_in(source: Path, target: Path, *, aside: str) -> Path | None:
    """Put a checked copy in the database's place. The present one is moved aside, never deleted; returns where to.

    A power cut leaves the old database or the new one, never a mixture: leftovers of the old one's WAL are moved
    before the new file takes its name.
    """
    check_pages(source, immutable=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(target.name + ".restoring")
    shutil.copyfile(source, fresh)
    sync(fresh)
    old = target.with_name(f"{target.name}.{aside}")
    had_one = target.exists()
    for ending in ("", "-wal", "-shm"):
        present = target.with_name(target.name + ending)
        if present.exists():
            present.rename(old.with_name(old.name + ending))
    fresh.rename(target)
    sync(target.parent)
    return old if had_one else None


def sync(path: Path) -> None:
    """Make sure the disk has this file, or the names in this folder: SQLite does not do it for VACUUM INTO."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
