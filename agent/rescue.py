"""Takes what verifies of a damaged spool over into a new one.

Candidates come twice, through SQLite as far as it can read and from the raw pages; then the chain decides. A run that
does not verify becomes a gap line, so that what was lost is declared in its place. Works row by row, in little memory.
"""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from agent.salvage import Row, list_rows
from agent.spool_rows import Line, Stream, follows, gap_line, put_line, put_stream, seal
from shared import chain
from shared.clock import Instant

log = logging.getLogger("yuanjiao.spool")

_CANDIDATES = """
CREATE TABLE found (no INTEGER NOT NULL, seq INTEGER NOT NULL, upto INTEGER NOT NULL, at_ms INTEGER NOT NULL,
                    line BLOB NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (no, seq, hash, line)) STRICT, WITHOUT ROWID;
"""
_TABLES = (
    "SELECT no, seq, upto, at_ms, line, hash FROM lines",
    "SELECT no, NULL, stream, stored, last, floor, base, head, held, seal FROM streams",
    "SELECT no, NULL, stream, seal FROM names",
    "SELECT probe, key, value, seal FROM memo",
)


def take_over(
    db: sqlite3.Connection,
    damaged: Path,
    old: sqlite3.Connection | None,
    marked: tuple[str, int] | None,
    now: Instant,
) -> Stream:
    """Fill an empty spool from a damaged file, open as `old` if it can be opened.

    Returns its newest stream with the highest seq known of it.
    """
    db.execute(_CANDIDATES)
    streams: dict[int, Stream] = {}
    names: dict[int, str] = {}
    for row in _list_candidates(damaged, old):
        _sort_in(db, row, streams, names)
    for no, name in names.items():
        streams.setdefault(no, Stream(no, name))
    if marked is not None:
        _heed_mark(db, streams, *marked)
    rescued = [_follow(db, each, now) for _, each in sorted(streams.items())]
    db.execute("DROP TABLE found")
    log.error("spool.rescued streams=%d last=%s", len(rescued), rescued[-1].last if rescued else 0)
    return rescued[-1] if rescued else Stream(0, "")


def _list_candidates(damaged: Path, old: sqlite3.Connection | None) -> Iterator[Row]:
    """Old versions first, those SQLite holds for the present ones last."""
    yield from list_rows(damaged)
    if old is None:
        return
    for query in _TABLES:
        # SQLite may quote damaged text in its message, which Python then cannot read.
        with suppress(sqlite3.Error, UnicodeDecodeError):
            yield from old.execute(query)


def _sort_in(db: sqlite3.Connection, row: Row, streams: dict[int, Stream], names: dict[int, str]) -> None:
    """Put a candidate where it belongs; what fits no table and no seal is dropped."""
    match row:
        case (int(no), int(seq), int(upto), int(at_ms), bytes(line), bytes(hash_)) if len(hash_) == 32 and seq > 0:
            db.execute("INSERT OR IGNORE INTO found VALUES (?, ?, ?, ?, ?, ?)", (no, seq, upto, at_ms, line, hash_))
        case (int(no), None, str(), int(), int(last), int(), bytes(), bytes(), int(), bytes(sealed)):
            stream = Stream(no, *row[2:9])  # type: ignore[arg-type]
            known = streams.get(no)
            if stream.seal == sealed and (known is None or known.last <= last):
                streams[no] = stream
        case (int(no), None, str(name), bytes(sealed)) if seal(str(no), name) == sealed:
            names[no] = name
        case (str(probe), str(key), str(value), bytes(sealed)) if seal(probe, key, value) == sealed:
            db.execute("INSERT OR REPLACE INTO memo (probe, key, value, seal) VALUES (?, ?, ?, ?)", row)
        case _:
            pass


def _heed_mark(db: sqlite3.Connection, streams: dict[int, Stream], name: str, last: int) -> None:
    """What the mark knows beyond the file: the newest stream's name, and how far it had come.

    Lines that have lost the name of their stream are never taken for those of this one: they may be an older one's.
    """
    known = next((each for each in streams.values() if each.stream == name), None)
    if known is None:
        newest = int(db.execute("SELECT coalesce(max(no), 0) FROM found").fetchone()[0])
        no = max(newest, *streams, 0) + 1
        streams[no] = Stream(no, name, last=last)
    elif last > known.last:
        streams[known.no] = replace(known, last=last, head=b"")


def _follow(db: sqlite3.Connection, stream: Stream, now: Instant) -> Stream:
    """Copy the lines of one stream that verify, with a gap line in place of every run that does not.

    A line is right when some hash that stands before it and its own bytes give its own hash. So after a bad run the
    hash of the run's last line is taken on trust, and the next line that fits proves it.
    """
    ends: dict[int, set[bytes]] = {stream.floor: {stream.base}}
    if stream.head:
        ends.setdefault(stream.last, set()).add(stream.head)
    expected = stream.floor + 1
    for seq, group in groupby(_candidates(db, stream), key=lambda row: row.seq):
        rows = list(group)
        for row in rows:
            ends.setdefault(row.upto, set()).add(row.hash)
        heads = ends.pop(seq - 1, set())
        right = next(((row, head) for row in rows for head in (*heads, b"") if follows(row, head)), None)
        if right is None or seq < expected:
            continue
        row, head = right
        if seq > expected:
            _declare(db, stream.no, (expected, seq - 1), head or chain.START, now)
        put_line(db, row)
        expected = row.upto + 1
    return _finish(db, stream, expected - 1, now)


def _finish(db: sqlite3.Connection, stream: Stream, reached: int, now: Instant) -> Stream:
    """Declare the tail that is missing and write the stream's row."""
    last = max(reached, stream.last)
    newest = db.execute("SELECT hash FROM lines WHERE no = ? ORDER BY seq DESC LIMIT 1", (stream.no,)).fetchone()
    head = stream.base if newest is None else bytes(newest[0])
    if reached < last:
        head = stream.head if stream.head and last == stream.last else chain.START
        _declare(db, stream.no, (reached + 1, last), head, now)
    stored = min(stream.stored, last)
    rescued = replace(stream, stored=stored, last=last, head=head)
    named = (stream.no, stream.stream, seal(str(stream.no), stream.stream))
    db.execute("INSERT INTO names (no, stream, seal) VALUES (?, ?, ?)", named)
    put_stream(db, rescued)
    return rescued


def _candidates(db: sqlite3.Connection, stream: Stream) -> Iterator[Line]:
    query = "SELECT * FROM found WHERE no = ? AND seq > ? ORDER BY seq, upto"
    return (Line(*row) for row in db.execute(query, (stream.no, stream.floor)))


def _declare(db: sqlite3.Connection, no: int, missing: tuple[int, int], head: bytes, now: Instant) -> None:
    first, last = missing
    line = gap_line(first, last, head=head, counts={"unreadable": last - first + 1}, now=now)
    put_line(db, Line(no, first, last, now.wall_ms, line, head))
