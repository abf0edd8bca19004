"""Finds a damaged spool at start and rescues what verifies of it. Nothing is ever deleted: the file is moved aside.

SQLite's own checks miss a file of length zero, a lost WAL and most flipped bits. So three things are checked: the
schema, the hash chain and numbering of every line, and a mark beside the file that says how far writing had come.
"""

import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from shared import chain
from shared.clock import Instant
from shared.wire.v1 import dump_line, read_event

log = logging.getLogger("yuanjiao.spool")

StreamRow = tuple[int, str, int, int, bytes, bytes, int]
"""Stream number, name, stored, last, chain before the first line, chain after the last, held back."""
LineRow = tuple[int, int, int, int, bytes, bytes]
"""Stream number, seq, last seq the line stands for (itself, but for gap lines), recorded ms, line, hash after it."""


@dataclass(frozen=True, slots=True)
class Rescued:
    """What could be read and verified. `newest` is the damaged stream and the highest seq known of it."""

    streams: list[StreamRow]
    lines: list[LineRow]
    memo: list[tuple[str, str, str]]
    newest: tuple[str, int]


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


def rescue(path: Path, mark: Path, now: Instant) -> Rescued | None:
    """None for a healthy or absent spool. A damaged one is moved aside and what verifies of it is returned."""
    marked = _read_mark(mark)
    if not path.exists() and marked is None:
        return None
    try:
        rescued, damage = _examine(path, marked, now)
    except sqlite3.Error as error:
        rescued, damage = Rescued([], [], [], marked or ("", 0)), f"unreadable: {error}"
    if not damage:
        return None
    log.error("spool.damaged reason=%s rescued_lines=%d", damage, len(rescued.lines))
    _set_aside(path, now)
    mark.unlink(missing_ok=True)
    return rescued


def _examine(path: Path, marked: tuple[str, int] | None, now: Instant) -> tuple[Rescued, str]:
    if not path.exists():
        return Rescued([], [], [], marked or ("", 0)), "the file is gone"
    db = sqlite3.connect(path, timeout=10)
    try:
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:
            damage = "" if marked is None else "the file is empty"
            return Rescued([], [], [], marked or ("", 0)), damage
        streams = [_typed_stream(row) for row in db.execute("SELECT * FROM streams ORDER BY no")]
        memo = list(db.execute("SELECT * FROM memo"))
        lines: list[LineRow] = []
        kept: list[StreamRow] = []
        damage = ""
        for stream in streams:
            found, last, head, wrong = _verify(db, stream, now)
            lines += found
            kept.append((*stream[:3], last, stream[4], head, stream[6]))
            damage = damage or wrong
        newest = (kept[-1][1], kept[-1][3]) if kept else ("", 0)
        if marked is not None and (not kept or (marked[0] == newest[0] and marked[1] > newest[1])):
            damage = damage or f"written up to {marked[1]}, found up to {newest[1]}"
            newest = marked
        return Rescued(kept, lines, memo, newest), damage
    finally:
        db.close()


def _verify(db: sqlite3.Connection, stream: StreamRow, now: Instant) -> tuple[list[LineRow], int, bytes, str]:
    """Lines of one stream with every run that does not verify replaced by a gap line.

    A line is right when the hash before it and its bytes give its own hash; after a bad run the hash stored with the
    run's last line is taken on trust, and the next line that fits proves it.
    """
    no, _name, _stored, last, head, newest_head, _held = stream
    good: list[LineRow] = []
    bad: list[LineRow] = []
    expected = _first_seq(db, no, last)
    damage = ""
    for row in _lines(db, no):
        seq, upto, line, hash_ = row[1], row[2], row[4], row[5]
        fits = seq == expected and (chain.extend(head, line) == hash_ or _is_gap(line, hash_))
        if fits and bad:
            good.append(_gap(no, bad, now))
            bad = []
        if fits:
            good.append(row)
        else:
            damage = damage or f"stream {no} does not verify at {seq}"
            bad.append((no, min(expected, seq), *row[2:]))
        expected, head = upto + 1, hash_
    if bad:
        return good, good[-1][2] if good else 0, good[-1][5] if good else chain.START, damage
    if not damage and (expected - 1 != last or head != newest_head):
        damage = f"stream {no} ends at {expected - 1}, not at {last}"
    return good, expected - 1, head, damage


def _lines(db: sqlite3.Connection, no: int) -> Iterator[LineRow]:
    for row in db.execute("SELECT no, seq, upto, at_ms, line, hash FROM lines WHERE no = ? ORDER BY seq", (no,)):
        yield (int(row[0]), int(row[1]), int(row[2]), int(row[3]), bytes(row[4]), bytes(row[5]))


def _first_seq(db: sqlite3.Connection, no: int, last: int) -> int:
    value = db.execute("SELECT min(seq) FROM lines WHERE no = ?", (no,)).fetchone()[0]
    return int(value) if value is not None else last + 1


def gap_line(first: int, last: int, *, head: bytes, counts: Mapping[str, int], now: Instant) -> bytes:
    """The line that stands for lines `first` to `last`, after which the chain is `head`."""
    data = {"first": first, "last": last, "counts": dict(counts), "head": head.hex()}
    return dump_line(
        {"seq": first, "kind": "spool.gap", "at": now.wall_ms, "boot": now.boot, "mono": now.mono_ms, "data": data}
    )


def _gap(no: int, bad: list[LineRow], now: Instant) -> LineRow:
    """One line in place of a run that does not verify."""
    first, last, head = bad[0][1], bad[-1][2], bad[-1][5]
    line = gap_line(first, last, head=head, counts={"unreadable": last - first + 1}, now=now)
    return (no, first, last, now.wall_ms, line, head)


def _is_gap(line: bytes, head: bytes) -> bool:
    """Whether this line stands for others and carries the chain head it is stored with."""
    try:
        event = read_event(line)
    except ValidationError:
        return False
    return event.kind == "spool.gap" and event.data["head"] == head.hex()


def _typed_stream(row: tuple[object, ...]) -> StreamRow:
    no, stream, stored, last, base, head, held = row
    if not (isinstance(base, bytes) and isinstance(head, bytes)):
        raise sqlite3.DatabaseError("a stream row has lost its types")
    return (int(str(no)), str(stream), int(str(stored)), int(str(last)), base, head, int(str(held)))


def _read_mark(mark: Path) -> tuple[str, int] | None:
    try:
        stream, last = mark.read_text("ascii").split()
        return stream, int(last)
    except (OSError, ValueError):
        return None


def _set_aside(path: Path, now: Instant) -> None:
    for suffix in ("", "-wal", "-shm"):
        source = path.with_name(path.name + suffix)
        if source.exists():
            source.rename(path.with_name(f"{path.name}.damaged-{now.wall_ms}{suffix}"))
