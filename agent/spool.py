"""The station's memory: what is recorded here survives kill -9 and power cuts until the centre has it.

SQLite in WAL with `synchronous=FULL`. Lines are numbered without holes inside a stream and bound by a hash chain.
Acknowledged lines stay for `retention_days`, so that a centre restored from an old backup can be filled again.
When a stream is found damaged, what verifies of it stays to be sent and a new stream goes on (`agent/healing.py`).
Refuses, rather than drops, when there is no room.
"""

import json
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent import healing
from agent.errors import SpoolError, SpoolFullError
from agent.probes.base import Fact
from shared import chain
from shared.clock import Instant
from shared.wire.v1 import dump_line

log = logging.getLogger("yuanjiao.spool")

SCHEMA = """
CREATE TABLE streams (no INTEGER PRIMARY KEY, stream TEXT NOT NULL, stored INTEGER NOT NULL, last INTEGER NOT NULL,
                      base BLOB NOT NULL, head BLOB NOT NULL, held INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE lines (no INTEGER NOT NULL, seq INTEGER NOT NULL, upto INTEGER NOT NULL, at_ms INTEGER NOT NULL,
                    line BLOB NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (no, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE memo (probe TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (probe, key))
                  STRICT, WITHOUT ROWID;
"""
VERSION = 1
_DAY_MS = 86_400_000
_STEP = 50


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the spool: bytes in all, days acknowledged lines are kept, bytes set aside for a full disk."""

    max_bytes: int = 256 * 1024 * 1024
    retention_days: int = 35
    ballast_bytes: int = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines to send next: those of `stream` from seq `first` on; `head` is the chain before them (may be no line)."""

    stream: str
    first: int
    head: bytes
    lines: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Depth:
    """`last` seq of the present stream, lines `waiting` in all streams, `bytes` of the files."""

    last: int
    waiting: int
    bytes: int


class Spool:
    """One folder with the spool in it. Safe to use from several threads."""

    def __init__(
        self, folder: Path, now: Instant, *, limits: Limits | None = None, entropy: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._folder = folder
        self._limits = limits or Limits()
        self._entropy = entropy
        self._lock = threading.RLock()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        rescued = healing.rescue(self._path, self._mark, now)
        self._db = self._open()
        if rescued is not None:
            self._readmit(rescued, now)
        elif self._no() == 0:
            self._begin(now, {"reason": "new", "previous": "", "previous_last": 0})
        self._lay_ballast()

    @property
    def stream(self) -> str:
        """Name of the stream new lines go to."""
        return str(self._one("SELECT stream FROM streams ORDER BY no DESC LIMIT 1"))

    def append(self, facts: Sequence[Fact], now: Instant, *, probe: str = "", memo: Mapping[str, str | None]) -> int:
        """Record facts and what the probe remembers with them, in one durable step. Returns the last seq.

        Raises SpoolFullError when there is no room and SpoolError when the disk fails; neither changes anything.
        ValueError for a fact that is not JSON.
        """
        with self._lock:
            if facts and self._bytes() > self._limits.max_bytes and not self._forget_stored(now.wall_ms):
                raise SpoolFullError
            try:
                return self._write(facts, now, probe, memo)
            except sqlite3.Error as error:
                self._recover(error, now)
            try:
                return self._write(facts, now, probe, memo)
            except sqlite3.Error as error:
                raise SpoolError(f"{SpoolError.__doc__} ({error})") from error

    def recall(self, probe: str) -> dict[str, str]:
        """Everything a probe has remembered."""
        with self._lock:
            return dict(self._db.execute("SELECT key, value FROM memo WHERE probe = ?", (probe,)))

    def recall_field(self, probe: str, key: str, name: str) -> str | None:
        """One text field of a remembered JSON object, None when there is none."""
        value = self._one("SELECT value FROM memo WHERE probe = ? AND key = ?", probe, key)
        found = None if value is None else json.loads(value).get(name)
        return found if isinstance(found, str) else None

    def batch(self, *, max_lines: int, max_bytes: int) -> Batch:
        """The next lines the centre lacks, oldest stream first; without lines when it has them all."""
        with self._lock:
            query = "SELECT no, stream, stored, base FROM streams WHERE stored < last AND NOT held ORDER BY no LIMIT 1"
            row = self._db.execute(query).fetchone()
            if row is None:
                query = "SELECT no, stream, stored, base FROM streams ORDER BY no DESC LIMIT 1"
                row = self._db.execute(query).fetchone()
            no, stream, stored, base = row
            first = self._first_of(no, stored)
            before = self._one("SELECT hash FROM lines WHERE no = ? AND seq < ? ORDER BY seq DESC LIMIT 1", no, first)
            chosen: list[bytes] = []
            size = 0
            query = "SELECT line FROM lines WHERE no = ? AND seq >= ? ORDER BY seq LIMIT ?"
            for (line,) in self._db.execute(query, (no, first, max_lines)):
                size += len(line) + 1
                if chosen and size > max_bytes:
                    break
                chosen.append(line)
            return Batch(stream, first, bytes(before if before is not None else base), tuple(chosen))

    def acknowledge(self, stream: str, stored: int, now: Instant) -> None:
        """Set the cursor of a stream to what the centre says, also backwards.

        A centre that holds more than was ever written here means this disk went back in time: a new stream begins.
        """
        with self._lock:
            row = self._db.execute("SELECT no, last FROM streams WHERE stream = ?", (stream,)).fetchone()
            if row is None:
                return
            no, last = row
            if stored > last:
                log.error("spool.went_back stream=%s last=%d centre=%d", stream, last, stored)
                with self._db:
                    self._db.execute("UPDATE streams SET stored = last WHERE no = ?", (no,))
                if no == self._no():
                    self._begin(now, {"reason": "corrupt", "previous": stream, "previous_last": last})
                return
            try:
                self._move_cursor(no, stored, last, now)
            except sqlite3.Error as error:
                self._recover(error, now, needed=False)
                self._move_cursor(no, stored, last, now)
                self._forget_stored(now.wall_ms)

    def hold(self, stream: str, now: Instant) -> None:
        """Stop sending a stream whose history the centre disputes; its lines stay here. A new stream goes on."""
        with self._lock:
            no, last = self._db.execute("SELECT no, last FROM streams WHERE stream = ?", (stream,)).fetchone()
            with self._db:
                self._db.execute("UPDATE streams SET held = 1 WHERE no = ?", (no,))
            if no == self._no():
                self._begin(now, {"reason": "disputed", "previous": stream, "previous_last": last})

    def depth(self) -> Depth:
        with self._lock:
            last = self._one("SELECT last FROM streams ORDER BY no DESC LIMIT 1")
            waiting = self._one("SELECT sum(last - stored) FROM streams WHERE NOT held")
            return Depth(int(last or 0), int(waiting or 0), self._bytes())

    def tidy(self, now: Instant) -> None:
        """Forget acknowledged lines older than the retention, and lay the ballast again when the disk has room."""
        with self._lock:
            self._forget_stored(now.wall_ms - self._limits.retention_days * _DAY_MS)
            self._lay_ballast()

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @property
    def _path(self) -> Path:
        return self._folder / "spool.db"

    @property
    def _mark(self) -> Path:
        return self._folder / "spool.mark"

    @property
    def _ballast(self) -> Path:
        return self._folder / "ballast"

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, check_same_thread=False, timeout=10)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA wal_autocheckpoint=128")
        db.execute("PRAGMA journal_size_limit=524288")
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:
            db.executescript(f"BEGIN IMMEDIATE;{SCHEMA}PRAGMA user_version={VERSION};COMMIT;")
        return db

    def _one(self, query: str, *values: object) -> Any:
        with self._lock:
            row = self._db.execute(query, values).fetchone()
            return None if row is None else row[0]

    def _no(self) -> int:
        return int(self._one("SELECT coalesce(max(no), 0) FROM streams"))

    def _first_of(self, no: int, stored: int) -> int:
        following = self._one("SELECT min(seq) FROM lines WHERE no = ? AND upto > ?", no, stored)
        return int(following) if following is not None else stored + 1

    def _begin(self, now: Instant, data: Mapping[str, object]) -> None:
        """Open a new stream whose first line says why."""
        with self._db:
            self._db.execute(
                "INSERT INTO streams (stream, stored, last, base, head) VALUES (?, 0, 0, ?, ?)",
                (self._entropy(16).hex(), chain.START, chain.START),
            )
        self._write([Fact("stream.opened", data)], now, "", {})

    def _write(self, facts: Iterable[Fact], now: Instant, probe: str, memo: Mapping[str, str | None]) -> int:
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            query = "SELECT no, stream, last, head FROM streams ORDER BY no DESC LIMIT 1"
            no, stream, last, head = self._db.execute(query).fetchone()
            rows = []
            for fact in facts:
                last += 1
                at = fact.at or now
                line = dump_line(
                    {"seq": last, "kind": fact.kind, "at": at.wall_ms, "boot": at.boot, "mono": at.mono_ms}
                    | {"data": dict(fact.data)}
                )
                head = chain.extend(head, line)
                rows.append((no, last, last, now.wall_ms, line, head))
            self._db.executemany("INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?)", rows)
            self._db.execute("UPDATE streams SET last = ?, head = ? WHERE no = ?", (last, head, no))
            self._remember(probe, memo)
        healing.write_mark(self._mark, stream, last)
        return int(last)

    def _remember(self, probe: str, memo: Mapping[str, str | None]) -> None:
        gone = [(probe, key) for key, value in memo.items() if value is None]
        kept = [(probe, key, value) for key, value in memo.items() if value is not None]
        self._db.executemany("DELETE FROM memo WHERE probe = ? AND key = ?", gone)
        self._db.executemany("INSERT OR REPLACE INTO memo VALUES (?, ?, ?)", kept)

    def _readmit(self, rescued: healing.Rescued, now: Instant) -> None:
        """Take over what verified of a damaged spool, then go on in a new stream that names the old one."""
        previous, last = rescued.newest
        with self._db:
            self._db.executemany("INSERT INTO streams VALUES (?, ?, ?, ?, ?, ?, ?)", rescued.streams)
            self._db.executemany("INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?)", rescued.lines)
            self._db.executemany("INSERT INTO memo VALUES (?, ?, ?)", rescued.memo)
        self._begin(now, {"reason": "corrupt", "previous": previous, "previous_last": last})

    def _move_cursor(self, no: int, stored: int, last: int, now: Instant) -> None:
        with self._db:
            self._declare_forgotten(no, stored, last, now)
            self._db.execute("UPDATE streams SET stored = ? WHERE no = ?", (stored, no))

    def _declare_forgotten(self, no: int, stored: int, last: int, now: Instant) -> None:
        """Put a gap line where a centre that went back asks for lines that are forgotten here."""
        oldest = self._one("SELECT min(seq) FROM lines WHERE no = ?", no)
        floor = int(oldest) - 1 if oldest is not None else last
        if stored < floor:
            base = self._one("SELECT base FROM streams WHERE no = ?", no)
            line = healing.gap_line(stored + 1, floor, head=base, counts={"forgotten": floor - stored}, now=now)
            row = (no, stored + 1, floor, now.wall_ms, line, base)
            self._db.execute("INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?)", row)

    def _forget_stored(self, until_ms: int) -> int:
        """Delete lines the centre has that were recorded up to a moment. Returns how many.

        In small steps: on a full disk one large step would need more room in the WAL than the ballast has given.
        """
        forgotten = 0
        for no, stored in self._db.execute("SELECT no, stored FROM streams").fetchall():
            while step := self._forget_step(no, stored, until_ms):
                forgotten += step
        return forgotten

    def _forget_step(self, no: int, stored: int, until_ms: int) -> int:
        query = "SELECT seq, hash FROM lines WHERE no = ? AND upto <= ? AND at_ms <= ? ORDER BY seq LIMIT ?"
        rows = self._db.execute(query, (no, stored, until_ms, _STEP)).fetchall()
        if not rows:
            return 0
        last, head = rows[-1]
        with self._db:
            self._db.execute("UPDATE streams SET base = ? WHERE no = ?", (head, no))
            self._db.execute("DELETE FROM lines WHERE no = ? AND seq <= ?", (no, last))
        self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        return len(rows)

    def _bytes(self) -> int:
        """Bytes in use: free pages inside the file do not count, they are written next."""
        pages = (
            self._db.execute("PRAGMA page_count").fetchone()[0]
            - self._db.execute("PRAGMA freelist_count").fetchone()[0]
        )
        return int(pages * self._db.execute("PRAGMA page_size").fetchone()[0])

    def _lay_ballast(self) -> None:
        if self._ballast.exists():
            return
        try:
            with closing(os.fdopen(os.open(self._ballast, os.O_CREAT | os.O_WRONLY, 0o600), "wb")) as file:
                os.posix_fallocate(file.fileno(), 0, self._limits.ballast_bytes)
        except OSError:
            self._ballast.unlink(missing_ok=True)

    def _recover(self, error: sqlite3.Error, now: Instant, *, needed: bool = True) -> None:
        """After a failed write: on a full disk make room from what the centre has, else open the file anew.

        The ballast serves this housekeeping only, for on a full disk not even a DELETE succeeds; were it given to new
        records, nothing could ever be forgotten again. Raises SpoolFullError when room is `needed` and none came.
        """
        log.error("spool.write_failed error=%s", error)
        if "full" not in str(error):
            self._db.close()
            self._db = self._open()
            return
        self._ballast.unlink(missing_ok=True)
        try:
            forgotten = self._forget_stored(now.wall_ms)
        except sqlite3.Error:
            forgotten = 0
        if needed and not forgotten:
            self._lay_ballast()
            raise SpoolFullError from error
