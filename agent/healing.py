"""Opens the spool, finds damage and rescues what verifies. Nothing is ever deleted: damaged files are moved aside.

SQLite's own checks miss a file of length zero, a lost WAL and most flipped bits. So more is checked: the schema, the
seals, the hash chain and numbering of every line, and a mark beside the file that says how far writing had come.

A new file, whether the first or a healed one, is made whole under another name, synced, and only then takes its
place, so that a power cut at any moment leaves either the old state or the new one (decision 0003).
"""

import logging
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent import rescue
from agent.durable import sync_file, sync_folder
from agent.errors import SpoolError
from agent.spool_rows import (
    PAGE_BYTES,
    SCHEMA,
    VERSION,
    Line,
    Stream,
    follows,
    list_streams,
    open_stream,
    seal,
    transaction,
)
from shared.clock import Instant

log = logging.getLogger("yuanjiao.spool")

SYNCHRONOUS = "FULL"
"""NORMAL loses what was recorded before a power cut; `make powerloss` shows it."""

_JOURNALLING = {b"\1\1", b"\2\2"}
_SUFFIXES = ("", "-wal", "-shm", "-journal")
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_TOOBIG}
_DAMAGED_READS = {sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS}

Mark = tuple[str, int]
"""Name of the newest stream and the highest seq written to it, as noted beside the file."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a spool lives."""

    folder: Path
    checkpoint_pages: int = 128

    @property
    def file(self) -> Path:
        return self.folder / "spool.db"

    @property
    def mark(self) -> Path:
        return self.folder / "spool.mark"

    @property
    def unfinished(self) -> Path:
        return self.folder / "spool.healing"

    @property
    def healed(self) -> Path:
        return self.folder / "spool.healed"


def open_spool(place: Place, now: Instant, entropy: Callable[[int], bytes]) -> sqlite3.Connection:
    """A healthy spool, made anew or healed where need be. Raises SpoolError when the disk allows neither."""
    try:
        return _open_spool(place, now, entropy)
    except (sqlite3.Error, OSError) as error:
        raise SpoolError(f"{SpoolError.__doc__} ({error})") from error


def join_spool(place: Place) -> sqlite3.Connection:
    """The spool beside a running agent: neither checked nor healed. Raises SpoolError when there is none."""
    if not place.file.exists():
        raise SpoolError("这台机器上还没有记录。请先运行 yuanjiao-agent run。")
    return _connect(place)


def write_mark(mark: Path, stream: str, last: int) -> None:
    """Note beside the spool how far it has come. Written after the commit, so it is never ahead of a healthy file."""
    try:
        descriptor = os.open(mark, os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            os.pwrite(descriptor, f"{stream} {last:020d}\n".encode(), 0)
        finally:
            os.close(descriptor)
    except OSError as error:
        log.warning("spool.mark_failed error=%s", error)


def _open_spool(place: Place, now: Instant, entropy: Callable[[int], bytes]) -> sqlite3.Connection:
    if place.healed.exists():
        _take_place(place, now)
    for suffix in _SUFFIXES:
        place.unfinished.with_name(place.unfinished.name + suffix).unlink(missing_ok=True)
    marked = _read_mark(place.mark)
    # SQLite deletes the WAL of a file of length zero, so a file is looked at before it is opened.
    old = _connect(place) if _has_head(place.file) else None
    damage = "the file is gone or has lost its head" if marked is not None or _has_remains(place) else ""
    if old is not None:
        damage = _judge(old, marked)
        if not damage:
            return old
    if damage:
        log.error("spool.damaged reason=%s", damage)
    _build(place, old, marked, now, entropy(16).hex(), damage=damage)
    _take_place(place, now)
    if old is not None:
        # Only now: SQLite would roll the WAL into a file that still has its name, and delete it.
        old.close()
    return _connect(place)


def _has_head(file: Path) -> bool:
    """Whether this begins as a spool does: SQLite's name, our page size, a known way of journalling."""
    try:
        with file.open("rb") as opened:
            head = opened.read(20)
    except FileNotFoundError:
        return False
    return head[:16] == b"SQLite format 3\0" and head[16:18] == PAGE_BYTES.to_bytes(2) and head[18:] in _JOURNALLING


def _has_remains(place: Place) -> bool:
    return any(path.exists() and path.stat().st_size for path in (place.file, place.folder / f"{place.file.name}-wal"))


def _connect(place: Place) -> sqlite3.Connection:
    db = sqlite3.connect(place.file, check_same_thread=False, timeout=10, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute(f"PRAGMA synchronous={SYNCHRONOUS}")
        db.execute(f"PRAGMA wal_autocheckpoint={place.checkpoint_pages}")
        db.execute("PRAGMA journal_size_limit=524288")
    except sqlite3.Error as error:
        if not _is_damage(error):
            db.close()
            raise
    except UnicodeDecodeError:
        # SQLite quotes the damaged schema in its message, and Python cannot read the quotation: damage, judged next.
        pass
    return db


def _judge(db: sqlite3.Connection, marked: Mark | None) -> str:
    """What is wrong with an open spool, empty when nothing is. Raises sqlite3.Error when the disk is at fault."""
    try:
        with transaction(db, "DEFERRED"):
            return _find_damage(db, marked)
    except sqlite3.Error as error:
        if _is_damage(error):
            return f"unreadable: {error}"
        db.close()
        raise
    except (TypeError, ValueError, MemoryError) as error:
        return f"unreadable: {error!r}"


def _is_damage(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    return code & 0xFF in _DAMAGE or code in _DAMAGED_READS


def _find_damage(db: sqlite3.Connection, marked: Mark | None) -> str:
    if db.execute("PRAGMA user_version").fetchone()[0] != VERSION:
        return "the file is not a spool"
    check = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if check != "ok":
        return f"the tree is broken: {check}"
    streams = list_streams(db)
    known = {each.stream: each.last for each in streams}
    named = {(each.no, each.stream, seal(str(each.no), each.stream)) for each in streams}
    if not streams or set(db.execute("SELECT no, stream, seal FROM names")) != named:
        return "the streams have lost their names"
    if marked is not None and known.get(marked[0], -1) < marked[1]:
        return f"written up to {marked[1]} of {marked[0]}, found up to {known.get(marked[0])}"
    if any(seal(*row[:3]) != row[3] for row in db.execute("SELECT probe, key, value, seal FROM memo")):
        return "a remembered value does not fit its seal"
    return next(filter(None, (_find_break(db, each) for each in streams)), "")


def _find_break(db: sqlite3.Connection, stream: Stream) -> str:
    expected, head = stream.floor + 1, stream.base
    for row in db.execute("SELECT no, seq, upto, at_ms, line, hash FROM lines WHERE no = ? ORDER BY seq", (stream.no,)):
        line = Line(*row)
        if line.seq != expected or not follows(line, head):
            return f"stream {stream.no} does not verify at {line.seq}"
        expected, head = line.upto + 1, line.hash
    if expected - 1 != stream.last or head != stream.head:
        return f"stream {stream.no} ends at {expected - 1}, not at {stream.last}"
    return ""


def _build(
    place: Place, old: sqlite3.Connection | None, marked: Mark | None, now: Instant, name: str, *, damage: str
) -> None:
    """Make a whole new spool beside the old one: with what verifies of that, and a new stream that says why."""
    db = sqlite3.connect(place.unfinished, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode=OFF")
        db.execute("PRAGMA synchronous=OFF")
        db.executescript(f"BEGIN;{SCHEMA}PRAGMA user_version={VERSION};COMMIT;")
        with transaction(db):
            if damage:
                previous = rescue.take_over(db, place.file, old, marked, now)
                data = {"reason": "corrupt", "previous": previous.stream, "previous_last": previous.last}
            else:
                data = {"reason": "new", "previous": "", "previous_last": 0}
            open_stream(db, name, data, now)
        if damage:
            db.execute("VACUUM")
    finally:
        db.close()
    sync_file(place.unfinished)
    place.unfinished.rename(place.healed)
    sync_folder(place.folder)


def _take_place(place: Place, now: Instant) -> None:
    """Move the damaged files aside and put the healed one in their place. Goes on where a power cut stopped it.

    A WAL must never meet another file than its own, so the old one is surely gone before the new file has its name.
    """
    moved = False
    stem = _free_name(place.folder, f"{place.file.name}.damaged-{now.wall_ms}")
    for suffix in _SUFFIXES:
        source = place.file.with_name(place.file.name + suffix)
        if source.exists():
            source.rename(place.folder / f"{stem}{suffix}")
            moved = True
    if moved:
        sync_folder(place.folder)
    place.healed.rename(place.file)
    sync_folder(place.folder)


def _free_name(folder: Path, wanted: str) -> str:
    names, number = {each.name for each in folder.iterdir()}, 1
    found = wanted
    while any(f"{found}{suffix}" in names for suffix in _SUFFIXES):
        number += 1
        found = f"{wanted}-{number}"
    return found


def _read_mark(mark: Path) -> Mark | None:
    try:
        stream, last = mark.read_text("ascii").split()
        return stream, int(last)
    except (OSError, ValueError):
        return None
