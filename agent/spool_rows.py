"""The rows of the spool and how each proves itself: lines by the hash chain, everything else by a seal.

A flipped bit in a line breaks the chain; in a stream's row, a gap line or a remembered value it breaks the seal.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple

from shared import chain
from shared.clock import Instant
from shared.wire.v1 import dump_line

SCHEMA = """
CREATE TABLE streams (no INTEGER PRIMARY KEY, stream TEXT NOT NULL, stored INTEGER NOT NULL, last INTEGER NOT NULL,
                      floor INTEGER NOT NULL, base BLOB NOT NULL, head BLOB NOT NULL, held INTEGER NOT NULL,
                      seal BLOB NOT NULL) STRICT;
CREATE TABLE lines (no INTEGER NOT NULL, seq INTEGER NOT NULL, upto INTEGER NOT NULL, at_ms INTEGER NOT NULL,
                    line BLOB NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (no, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE memo (probe TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, seal BLOB NOT NULL,
                   PRIMARY KEY (probe, key)) STRICT, WITHOUT ROWID;
CREATE TABLE names (no INTEGER PRIMARY KEY, stream TEXT NOT NULL, seal BLOB NOT NULL) STRICT;
"""
# `names` comes last so that its page is no neighbour of that of `streams`: one stroke does not hit both.
VERSION = 1
"""Never raised: an upgrade may be taken back, so a newer agent adds columns with a default and tables, no more."""
PAGE_BYTES = 4096


class Line(NamedTuple):
    """One row of `lines`: `upto` is the last seq it stands for (itself, but for gaps), `hash` the chain after it."""

    no: int
    seq: int
    upto: int
    at_ms: int
    line: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Stream:
    """One numbered history. Lines up to `floor` are gone; `base` is the chain there, `head` the chain after `last`.

    `stored` is what the centre said last. A `held` stream is not sent. `names` repeats the name, on another page.
    """

    no: int
    stream: str
    stored: int = 0
    last: int = 0
    floor: int = 0
    base: bytes = chain.START
    head: bytes = chain.START
    held: int = 0

    @property
    def seal(self) -> bytes:
        text = f"{self.no} {self.stream} {self.stored} {self.last} {self.floor} {self.held}"
        return hashlib.sha256(text.encode() + self.base + self.head).digest()


@contextmanager
def transaction(db: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[None]:
    """One durable step: all of it or nothing."""
    db.execute(f"BEGIN {kind}")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def list_streams(db: sqlite3.Connection) -> list[Stream]:
    """Raises sqlite3.DatabaseError when a row does not fit its seal."""
    found = []
    for *values, seal in db.execute(
        "SELECT no, stream, stored, last, floor, base, head, held, seal FROM streams ORDER BY no"
    ):
        stream = Stream(*values)
        if stream.seal != seal:
            raise sqlite3.DatabaseError(f"stream {stream.no} does not fit its seal")
        found.append(stream)
    return found


def put_stream(db: sqlite3.Connection, stream: Stream, **changes: int | bytes) -> None:
    """Write a stream's row with some of its fields changed."""
    new = replace(stream, **changes)  # type: ignore[arg-type]
    db.execute(
        "INSERT OR REPLACE INTO streams (no, stream, stored, last, floor, base, head, held, seal)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (new.no, new.stream, new.stored, new.last, new.floor, new.base, new.head, new.held, new.seal),
    )


def open_stream(db: sqlite3.Connection, name: str, data: Mapping[str, object], now: Instant) -> Stream:
    """Begin a new stream whose first line says why."""
    newest = db.execute("SELECT coalesce(max(no), 0) FROM streams").fetchone()[0]
    stream = Stream(int(newest) + 1, name)
    db.execute("INSERT INTO names (no, stream, seal) VALUES (?, ?, ?)", (stream.no, name, seal(str(stream.no), name)))
    line = event_line(1, "stream.opened", now, data)
    head = chain.extend(chain.START, line)
    put_line(db, Line(stream.no, 1, 1, now.wall_ms, line, head))
    put_stream(db, stream, last=1, head=head)
    return replace(stream, last=1, head=head)


def put_line(db: sqlite3.Connection, line: Line) -> None:
    db.execute("INSERT INTO lines (no, seq, upto, at_ms, line, hash) VALUES (?, ?, ?, ?, ?, ?)", line)


def event_line(seq: int, kind: str, at: Instant, data: Mapping[str, object]) -> bytes:
    """The bytes of one event, as the wire wants them."""
    return dump_line(
        {"seq": seq, "kind": kind, "at": at.wall_ms, "boot": at.boot, "mono": at.mono_ms, "data": dict(data)}
    )


def gap_line(first: int, last: int, *, head: bytes, counts: Mapping[str, int], now: Instant) -> bytes:
    """The line that stands for lines `first` to `last`, after which the chain is `head`.

    The chain does not cover it, for it is written later; `check` does.
    """
    data = {"first": first, "last": last, "counts": dict(counts), "head": head.hex()}
    check = seal(event_line(first, "spool.gap", now, data).decode()).hex()
    return event_line(first, "spool.gap", now, data | {"check": check})


def is_gap(row: Line) -> bool:
    """Whether this is a whole gap line that stands where it says, for what it says."""
    if row.line.find(b'"kind":"spool.gap"') < 0:
        return False
    try:
        value = json.loads(row.line)
        data = value["data"]
        check = data.pop("check")
        whole = seal(dump_line(value).decode()).hex() == check
        return whole and (value["seq"], data["first"], data["last"], data["head"]) == (
            row.seq,
            row.seq,
            row.upto,
            row.hash.hex(),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def follows(row: Line, head: bytes) -> bool:
    """Whether a line is right after the chain `head`: its bytes and its hash fit, or it is a whole gap line."""
    return (row.upto == row.seq and chain.extend(head, row.line) == row.hash) or is_gap(row)


def seal(*parts: str) -> bytes:
    """A short checksum over texts; it finds damage, it does not stop a forger."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()[:8]
