"""The station's memory: what is recorded here survives kill -9 and power cuts until the centre has it.

SQLite in WAL with `synchronous=FULL`. Lines are numbered without holes inside a stream and bound by a hash chain.
Acknowledged lines stay for `retention_days`, so that a centre restored from an old backup can be filled again.
A damaged file is healed (`agent/healing.py`); for room, lines go in a fixed order and are declared
(`agent/eviction.py`). Refuses, rather than drops, when there is no room.
"""

import json
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent import room
from agent.durable import make_folder
from agent.errors import SpoolError, SpoolFullError
from agent.eviction import Evictor, forget_stored
from agent.healing import Place, join_spool, open_spool, write_mark
from agent.probes.base import Fact
from agent.room import FreeBytes, Limits
from agent.spool_rows import (
    Line,
    Stream,
    event_line,
    gap_line,
    list_streams,
    open_stream,
    put_line,
    put_stream,
    seal,
    transaction,
)
from shared import chain
from shared.clock import Instant

__all__ = ["Batch", "Depth", "Limits", "Spool"]

log = logging.getLogger("yuanjiao.spool")

_DAY_MS = 86_400_000


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


class _CrowdedError(Exception):
    """More than the spool may have."""


class Spool:
    """One folder with the spool in it. Safe to use from several threads.

    `joined` opens it beside a running agent, to read or to move a cursor: nothing is checked, healed or made.
    Raises SpoolError when the disk does not let it open.
    """

    def __init__(
        self,
        folder: Path,
        now: Instant,
        *,
        limits: Limits | None = None,
        entropy: Callable[[int], bytes] = os.urandom,
        free_bytes: FreeBytes = room.measure_disk,
        joined: bool = False,
    ) -> None:
        self._limits = limits or Limits()
        self._place = Place(folder, self._limits.checkpoint_pages)
        self._entropy = entropy
        self._free_bytes = free_bytes
        self._lock = threading.RLock()
        self._evictor = Evictor()
        self.full = False
        """Whether the last record was refused for want of room."""
        if joined:
            self._db = join_spool(self._place)
            return
        make_folder(folder)
        self._open(now)
        self._lay_ballast()

    @property
    def stream(self) -> str:
        """Name of the stream new lines go to."""
        with self._lock:
            return self._newest().stream

    def append(self, facts: Sequence[Fact], now: Instant, *, probe: str = "", memo: Mapping[str, str | None]) -> int:
        """Record facts and what the probe remembers with them, in one durable step. Returns the last seq.

        Raises SpoolFullError when there is no room and SpoolError when the disk fails; neither changes anything.
        ValueError for a fact that is not JSON.
        """
        with self._lock:
            try:
                last = self._write(facts, now, probe, memo)
            except (sqlite3.Error, _CrowdedError) as error:
                last = self._write_again(error, facts, now, probe, memo)
            self.full = False
            return last

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
            streams = list_streams(self._db)
            lacking = [each for each in streams if each.stored < each.last and not each.held]
            stream = (lacking or streams[-1:])[0]
            return self._read_batch(stream, stream.stored, max_lines, max_bytes)

    def batches(self, *, max_lines: int, max_bytes: int) -> Iterable[Batch]:
        """All the lines the centre lacks, as the batches that would carry them. Moves no cursor."""
        for stream in list_streams(self._db):
            stored = stream.stored
            while stored < stream.last and not stream.held:
                with self._lock:
                    batch = self._read_batch(stream, stored, max_lines, max_bytes)
                    stored = self._last_of(stream, batch)
                yield batch

    def chain_at(self, stream: str, seq: int) -> bytes | None:
        """The chain after a line that is still here, None when that is not known."""
        with self._lock:
            found = next((each for each in list_streams(self._db) if each.stream == stream), None)
            if found is None or seq == found.floor:
                return None if found is None else found.base
            value = self._one("SELECT hash FROM lines WHERE no = ? AND upto = ?", found.no, seq)
            return None if value is None else bytes(value)

    def stored_of(self, stream: str) -> int:
        """How far the centre has a stream, by what it said last."""
        with self._lock:
            return next(each.stored for each in list_streams(self._db) if each.stream == stream)

    def acknowledge(self, stream: str, stored: int, now: Instant) -> None:
        """Set the cursor of a stream to what the centre says, also backwards.

        A centre that holds more than was ever written here means this disk went back in time: a new stream begins.
        """
        with self._lock:
            found = next((each for each in list_streams(self._db) if each.stream == stream), None)
            if found is None:
                return
            if stored > found.last:
                log.error("spool.went_back stream=%s last=%d centre=%d", stream, found.last, stored)
                self._replace_stream(found, now, "corrupt", stored=found.last)
                return
            try:
                self._move_cursor(found, stored, now)
            except sqlite3.Error as error:
                self._recover(error, now)
                self._move_cursor(found, stored, now)

    def hold(self, stream: str, now: Instant) -> None:
        """Stop sending a stream whose history the centre disputes; its lines stay here. A new stream goes on."""
        with self._lock:
            found = next(each for each in list_streams(self._db) if each.stream == stream)
            self._replace_stream(found, now, "disputed", held=1)

    def depth(self) -> Depth:
        with self._lock:
            streams = list_streams(self._db)
            waiting = sum(each.last - each.stored for each in streams if not each.held)
            return Depth(streams[-1].last, waiting, room.used_bytes(self._db))

    def tidy(self, now: Instant) -> None:
        """Forget acknowledged lines older than the retention, and lay the ballast again when the disk has room."""
        with self._lock:
            forget_stored(self._db, now.wall_ms - self._limits.retention_days * _DAY_MS)
            self._lay_ballast()

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _open(self, now: Instant) -> None:
        self._db = open_spool(self._place, now, self._entropy)
        self._db.execute(f"PRAGMA max_page_count={self._limits.file_bytes // 4096 + 16}")
        newest = self._newest()
        write_mark(self._place.mark, newest.stream, newest.last)

    @property
    def _ballast(self) -> Path:
        return self._place.folder / "ballast"

    def _one(self, query: str, *values: object) -> Any:
        with self._lock:
            row = self._db.execute(query, values).fetchone()
            return None if row is None else row[0]

    def _newest(self) -> Stream:
        return list_streams(self._db)[-1]

    def _read_batch(self, stream: Stream, stored: int, max_lines: int, max_bytes: int) -> Batch:
        query = "SELECT min(seq) FROM lines WHERE no = ? AND upto > ?"
        following = self._one(query, stream.no, stored)
        first = int(following) if following is not None else stored + 1
        before = self._one(
            "SELECT hash FROM lines WHERE no = ? AND seq < ? ORDER BY seq DESC LIMIT 1", stream.no, first
        )
        chosen: list[bytes] = []
        size = 0
        query = "SELECT line FROM lines WHERE no = ? AND seq >= ? ORDER BY seq LIMIT ?"
        for (line,) in self._db.execute(query, (stream.no, first, max_lines)):
            size += len(line) + 1
            if chosen and size > max_bytes:
                break
            chosen.append(line)
        return Batch(stream.stream, first, bytes(before if before is not None else stream.base), tuple(chosen))

    def _last_of(self, stream: Stream, batch: Batch) -> int:
        """The seq a centre would have stored after this batch."""
        query = "SELECT upto FROM lines WHERE no = ? AND seq >= ? ORDER BY seq LIMIT 1 OFFSET ?"
        upto = self._one(query, stream.no, batch.first, len(batch.lines) - 1) if batch.lines else None
        return stream.last if upto is None else int(upto)

    def _write(self, facts: Iterable[Fact], now: Instant, probe: str, memo: Mapping[str, str | None]) -> int:
        allowed = room.allowed_bytes(self._db, self._limits, self._free_bytes(self._place.folder))
        with transaction(self._db):
            stream = self._newest()
            last, head = stream.last, stream.head
            for fact in facts:
                last += 1
                line = event_line(last, fact.kind, fact.at or now, fact.data)
                head = chain.extend(head, line)
                put_line(self._db, Line(stream.no, last, last, now.wall_ms, line, head))
            put_stream(self._db, stream, last=last, head=head)
            self._remember(probe, memo)
            if last > stream.last and room.used_bytes(self._db) > allowed:
                raise _CrowdedError
        write_mark(self._place.mark, stream.stream, last)
        return last

    def _write_again(
        self, error: Exception, facts: Sequence[Fact], now: Instant, probe: str, memo: Mapping[str, str | None]
    ) -> int:
        """Once more, after room was made or the file opened anew."""
        self._recover(error, now)
        try:
            return self._write(facts, now, probe, memo)
        except _CrowdedError:
            raise self._refuse() from error
        except sqlite3.Error as again:
            if _is_full(again):
                self._lay_ballast()
                raise self._refuse() from again
            raise SpoolError(f"{SpoolError.__doc__} ({again})") from again

    def _remember(self, probe: str, memo: Mapping[str, str | None]) -> None:
        gone = [(probe, key) for key, value in memo.items() if value is None]
        kept = [(probe, key, value, seal(probe, key, value)) for key, value in memo.items() if value is not None]
        self._db.executemany("DELETE FROM memo WHERE probe = ? AND key = ?", gone)
        self._db.executemany("INSERT OR REPLACE INTO memo VALUES (?, ?, ?, ?)", kept)

    def _replace_stream(self, old: Stream, now: Instant, reason: str, **changes: int) -> None:
        """End a stream and, when it was the newest, go on in a new one that names it."""
        with transaction(self._db):
            newest = self._newest()
            put_stream(self._db, old, **changes)
            if old.no == newest.no:
                data = {"reason": reason, "previous": old.stream, "previous_last": old.last}
                newest = open_stream(self._db, self._entropy(16).hex(), data, now)
        write_mark(self._place.mark, newest.stream, newest.last)

    def _move_cursor(self, stream: Stream, stored: int, now: Instant) -> None:
        """Move the cursor; where a centre that went back asks for lines that are gone here, a gap line says so."""
        with transaction(self._db):
            fresh = next(each for each in list_streams(self._db) if each.no == stream.no)
            if stored < fresh.floor:
                counts = {"forgotten": fresh.floor - stored}
                line = gap_line(stored + 1, fresh.floor, head=fresh.base, counts=counts, now=now)
                put_line(self._db, Line(fresh.no, stored + 1, fresh.floor, now.wall_ms, line, fresh.base))
                put_stream(self._db, fresh, stored=stored, floor=stored)
            elif stored != fresh.stored:
                put_stream(self._db, fresh, stored=stored)

    def _lay_ballast(self) -> None:
        space = self._free_bytes(self._place.folder)
        if room.above_floor(self._limits, space) >= self._limits.ballast_bytes:
            room.lay_ballast(self._ballast, self._limits.ballast_bytes)

    def _recover(self, error: Exception, now: Instant) -> None:
        """After a failed write: make room when that was wanting, else open the file anew, healed if need be.

        The ballast serves this housekeeping only, for on a full disk not even a DELETE succeeds; were it given to new
        records, nothing could ever be forgotten again. Raises SpoolFullError when no room came.
        """
        if isinstance(error, sqlite3.Error):
            log.error("spool.write_failed error=%s", error)
            if not _is_full(error):
                self._db.close()
                self._open(now)
                return
            self._ballast.unlink(missing_ok=True)
        try:
            freed = self._make_room(now)
        except sqlite3.Error:
            freed = 0
        if not freed:
            self._lay_ballast()
            raise self._refuse() from error

    def _make_room(self, now: Instant) -> int:
        """Let go of what may go, a part of the spool at a time. Returns how many bytes of lines came free."""
        enough = max(16 * 1024, self._limits.file_bytes // 64)
        freed = forget_stored(self._db, now.wall_ms, enough=enough)
        if freed < enough:
            freed += self._evictor.evict(self._db, now, enough=enough - freed)
        return freed

    def _refuse(self) -> SpoolFullError:
        if not self.full:
            log.error("spool.full used=%d", room.used_bytes(self._db))
        self.full = True
        return SpoolFullError()


def _is_full(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
