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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent import room
from agent.batches import Batch, list_batches, next_batch
from agent.durable import make_folder
from agent.errors import SpoolError, SpoolFullError
from agent.eviction import Evictor, forget_stored
from agent.healing import Place, join_spool, open_spool, write_mark
from agent.probes.base import Fact
from agent.retention import list_stored_at, note_stored
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
        self._centre_ms: int | None = None
        """The centre's time at its last answer, None before the first."""
        self._unsure: tuple[str, int, Sequence[Fact]] | None = None
        """Stream, last seq and facts of a commit of which the disk did not say how it ended."""
        self.full = False
        """Whether the last record was refused for want of room."""
        self._now, self._joined = now, joined
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
            self._now = now
            if self._has_landed(facts):
                return self._newest().last
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
        """The next lines the centre lacks, oldest stream first; without lines when it has them all.

        Raises SpoolError when the disk cannot be read.
        """
        with self._lock:
            try:
                return next_batch(self._db, max_lines, max_bytes)
            except sqlite3.Error as error:
                self._reopen(error, self._now)
            return next_batch(self._db, max_lines, max_bytes)

    def batches(self, *, max_lines: int, max_bytes: int) -> Iterator[Batch]:
        """All the lines the centre lacks, as the batches that would carry them. Moves no cursor."""
        with self._lock:
            yield from list_batches(self._db, max_lines, max_bytes)

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

    def acknowledge(
        self, stream: str, stored: int, now: Instant, *, sent: int | None = None, centre_ms: int | None = None
    ) -> None:
        """Set the cursor of a stream to what the centre says, also backwards.

        It never goes beyond the last seq that was `sent`: numbers this push did not carry may be another disk's lines.
        `centre_ms` is the centre's time; the retention is counted in it, for the clock here may be wrong by years.
        A centre that holds more than was ever written here means this disk went back in time: a new stream begins.
        A cursor the disk does not let us move is moved by the next answer.
        """
        with self._lock, self._logged("acknowledge"):
            self._now = now
            found = next((each for each in list_streams(self._db) if each.stream == stream), None)
            if found is None:
                return
            if stored > found.last:
                log.error("spool.went_back stream=%s last=%d centre=%d", stream, found.last, stored)
                if found.stored < found.last:
                    # What is unsent here stands under numbers the centre has given to other lines: keep it aside.
                    self._replace_stream(found, now, "disputed", held=1)
                else:
                    self._replace_stream(found, now, "corrupt", stored=found.last)
                return
            self._centre_ms = now.wall_ms if centre_ms is None else centre_ms
            if sent is not None:
                stored = min(stored, max(sent, found.stored))
            try:
                self._move_cursor(found, stored, now)
            except sqlite3.Error as error:
                self._recover(error, now)
                self._move_cursor(found, stored, now)

    def hold(self, stream: str, now: Instant) -> None:
        """Stop sending a stream whose history the centre disputes; its lines stay here. A new stream goes on."""
        with self._lock, self._logged("hold"):
            found = next(each for each in list_streams(self._db) if each.stream == stream)
            self._replace_stream(found, now, "disputed", held=1)

    def depth(self) -> Depth:
        with self._lock:
            streams = list_streams(self._db)
            waiting = sum(each.last - each.stored for each in streams if not each.held)
            return Depth(streams[-1].last, waiting, room.used_bytes(self._db))

    def tidy(self, now: Instant) -> None:
        """Forget lines the centre has had for the retention, and lay the ballast again when the disk has room.

        Counted from the centre's answers: as long as it has not spoken since the start, nothing is forgotten.
        """
        with self._lock, self._logged("tidy"):
            self._now = now
            if self._centre_ms is not None:
                until_ms = self._centre_ms - self._limits.retention_days * _DAY_MS
                forget_stored(self._db, upto=list_stored_at(self._db, until_ms))
            self._lay_ballast()

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def _logged(self, what: str) -> Iterator[None]:
        """For housekeeping that is done again anyway: a disk that fails is told in the log."""
        try:
            yield
        except (sqlite3.Error, SpoolError) as error:
            log.error("spool.%s_failed error=%s", what, error)  # noqa: TRY400 - done again later

    def _reopen(self, error: sqlite3.Error, now: Instant) -> None:
        """Open the file anew, healed if need be. Raises SpoolError when the disk does not allow it."""
        log.error("spool.failed error=%s", error)
        if self._joined:
            raise SpoolError(f"{SpoolError.__doc__} ({error})") from error
        self._db.close()
        self._open(now)

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

    def _has_landed(self, facts: Sequence[Fact]) -> bool:
        """Whether these facts are recorded although their commit failed: the disk had them, only not its answer."""
        if self._unsure is None or not facts or self._unsure[2] != facts:
            return False
        newest = self._newest()
        return (newest.stream, newest.last) == self._unsure[:2]

    def _write(self, facts: Sequence[Fact], now: Instant, probe: str, memo: Mapping[str, str | None]) -> int:
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
            self._unsure = (stream.stream, last, facts) if facts else None
        self._unsure = None
        write_mark(self._place.mark, stream.stream, last)
        return last

    def _write_again(
        self, error: Exception, facts: Sequence[Fact], now: Instant, probe: str, memo: Mapping[str, str | None]
    ) -> int:
        """Once more, after room was made or the file opened anew."""
        self._recover(error, now)
        if self._has_landed(facts):
            return self._newest().last
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
        self._db.executemany("INSERT OR REPLACE INTO memo (probe, key, value, seal) VALUES (?, ?, ?, ?)", kept)

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
            streams = list_streams(self._db)
            fresh = next(each for each in streams if each.no == stream.no)
            if stored < fresh.stored:
                # A centre that is back at an old backup may lack the end of earlier streams too: offer all of them.
                for other in streams:
                    if other.no != fresh.no and other.stored:
                        self._go_back(other, 0, now)
            if stored < fresh.floor:
                self._go_back(fresh, stored, now)
            elif stored != fresh.stored:
                put_stream(self._db, fresh, stored=stored)
            if stored and not fresh.stored:
                self._offer_end_before(streams, fresh, now)
            note_stored(self._db, self._centre_ms or now.wall_ms, days=self._limits.retention_days)

    def _offer_end_before(self, streams: Sequence[Stream], begun: Stream, now: Instant) -> None:
        """When the centre has begun to take a stream, let the end of the one before it be sent once more.

        A centre that went back to an old backup while nothing of the new stream was there shows itself only by that.
        """
        before = [each for each in streams if each.no < begun.no and not each.held]
        if before and before[-1].last and before[-1].stored == before[-1].last:
            self._go_back(before[-1], before[-1].last - 1, now)

    def _go_back(self, stream: Stream, stored: int, now: Instant) -> None:
        """Put a cursor back, with a gap line for what is forgotten between there and the oldest line."""
        floor = min(stored, stream.floor)
        if stored < stream.floor:
            counts = {"forgotten": stream.floor - stored}
            line = gap_line(stored + 1, stream.floor, head=stream.base, counts=counts, now=now)
            put_line(self._db, Line(stream.no, stored + 1, stream.floor, now.wall_ms, line, stream.base))
        put_stream(self._db, stream, stored=stored, floor=floor)

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
            if not _is_full(error):
                self._reopen(error, now)
                return
            log.error("spool.disk_full error=%s", error)
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
        freed = forget_stored(self._db, enough=enough)
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
