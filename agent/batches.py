"""Reads what is to be sent next out of the spool."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from agent.spool_rows import Stream, list_streams


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines to send next: those of `stream` from seq `first` on; `head` is the chain before them (may be no line)."""

    stream: str
    first: int
    head: bytes
    lines: tuple[bytes, ...]
    last: int
    """The last seq these lines stand for; `first` - 1 without lines."""


def next_batch(db: sqlite3.Connection, max_lines: int, max_bytes: int) -> Batch:
    """The next lines the centre lacks, oldest stream first; without lines when it has them all."""
    streams = list_streams(db)
    lacking = [each for each in streams if each.stored < each.last and not each.held]
    stream = (lacking or streams[-1:])[0]
    return _read(db, stream, stream.stored, max_lines, max_bytes)


def list_batches(db: sqlite3.Connection, max_lines: int, max_bytes: int) -> Iterator[Batch]:
    """The batches that would bring the centre all it lacks."""
    for stream in list_streams(db):
        stored = stream.stored
        while stored < stream.last and not stream.held:
            batch = _read(db, stream, stored, max_lines, max_bytes)
            stored = batch.last if batch.lines else stream.last
            yield batch


def _read(db: sqlite3.Connection, stream: Stream, stored: int, max_lines: int, max_bytes: int) -> Batch:
    following = db.execute("SELECT min(seq) FROM lines WHERE no = ? AND upto > ?", (stream.no, stored)).fetchone()[0]
    first = stored + 1 if following is None else int(following)
    query = "SELECT hash FROM lines WHERE no = ? AND seq < ? ORDER BY seq DESC LIMIT 1"
    before = db.execute(query, (stream.no, first)).fetchone()
    chosen: list[bytes] = []
    size, last = 0, first - 1
    query = "SELECT line, upto FROM lines WHERE no = ? AND seq >= ? ORDER BY seq LIMIT ?"
    for line, upto in db.execute(query, (stream.no, first, max_lines)):
        size += len(line) + 1
        if chosen and size > max_bytes:
            break
        chosen.append(line)
        last = int(upto)
    return Batch(stream.stream, first, stream.base if before is None else bytes(before[0]), tuple(chosen), last)
