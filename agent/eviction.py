"""What goes when there is no more room, and in which order.

Lines the centre has; device samples, of which one an hour stays; download progress. Never anything else, and never
without a gap line in its place. Which kinds may go is told by their last word: `*.sampled` and `*.progressed`. All
others stay: plays, attendance, gaps, clock and tampering, and whatever a later version records (decision 0012).
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from agent.spool_rows import Line, Stream, gap_line, is_gap, list_streams, put_line, put_stream, transaction
from shared.clock import Instant

_STEP = 50
_RUN = 200
_HOUR_MS = 3_600_000
_GAP_BYTES = 400
"""A gap line and its row; a run that is shorter than that stays, for its eviction would cost room."""

CLASSES = (".sampled", ".progressed")


def forget_stored(db: sqlite3.Connection, *, upto: Mapping[int, int] | None = None, enough: int | None = None) -> int:
    """Delete lines the centre has, oldest first. Returns how many bytes of lines.

    `upto` names the last seq that may go by number of the stream, and of a disputed stream nothing goes: a person may
    want to see it. Without `upto` every stored line may go, those of disputed streams last. `enough` bytes end it. In
    small steps: on a full disk one large step would need more room in the WAL than the ballast has given.
    """
    freed = 0
    for stream in sorted(list_streams(db), key=lambda each: (each.held, each.no)):
        last = stream.stored if upto is None else 0 if stream.held else upto.get(stream.no, 0)
        while (enough is None or freed < enough) and (step := _forget_step(db, stream.no, last)):
            freed += step
    return freed


def _forget_step(db: sqlite3.Connection, no: int, last: int) -> int:
    freed = 0
    with transaction(db):
        stream = next(each for each in list_streams(db) if each.no == no)
        query = "SELECT no, seq, upto, at_ms, line, hash FROM lines WHERE no = ? AND upto <= ? ORDER BY seq LIMIT ?"
        for row in db.execute(query, (no, min(last, stream.stored), _STEP)).fetchall():
            line = Line(*row)
            db.execute("DELETE FROM lines WHERE no = ? AND seq = ?", (no, line.seq))
            stream = replace(stream, floor=line.upto, base=line.hash)
            freed += len(line.line)
        if freed:
            put_stream(db, stream)
    db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    return freed


@dataclass(slots=True)
class Evictor:
    """Evicts lines the centre lacks. Remembers how far each class has been looked through."""

    _seen: dict[tuple[str, int], int] = field(default_factory=dict)

    def evict(self, db: sqlite3.Connection, now: Instant, *, enough: int) -> int:
        """Put gap lines in place of lines that may go until `enough` bytes are free. Returns how many came free."""
        freed = 0
        for ending in CLASSES:
            for stream in list_streams(db):
                freed += self._evict_from(db, stream, ending, now, enough - freed)
        return freed

    def _evict_from(self, db: sqlite3.Connection, stream: Stream, ending: str, now: Instant, enough: int) -> int:
        freed = 0
        start = max(self._seen.get((ending, stream.no), 0), stream.stored, stream.floor)
        for run in _runs(_rows(db, stream.no, start), ending):
            if freed >= enough:
                break
            freed += _replace(db, run, now)
            self._seen[(ending, stream.no)] = run[-1].upto
        return freed


def _rows(db: sqlite3.Connection, no: int, after: int) -> Iterator[Line]:
    """Lines in small portions, so that none is read while others are replaced."""
    query = "SELECT no, seq, upto, at_ms, line, hash FROM lines WHERE no = ? AND seq > ? ORDER BY seq LIMIT ?"
    while portion := [Line(*row) for row in db.execute(query, (no, after, _RUN))]:
        yield from portion
        after = portion[-1].seq


def _runs(rows: Iterator[Line], ending: str) -> Iterator[list[Line]]:
    """Runs of neighbours that may go and whose going makes room; gap lines between them melt into the new one."""
    run: list[Line] = []
    for row, may_go in _judged(rows, ending):
        if may_go and (not run or len(run) < _RUN):
            run.append(row)
            continue
        if _is_worth(run):
            yield run
        run = [row] if may_go else []
    if _is_worth(run):
        yield run


def _judged(rows: Iterator[Line], ending: str) -> Iterator[tuple[Line, bool]]:
    """Each line and whether it may go. Of samples the last of its kind in every hour stays; it is found by waiting."""
    waiting: list[tuple[Line, bool]] = []
    last: dict[tuple[str, int], int] = {}
    for row in rows:
        value = _read(row)
        may_go = is_gap(row) or str(value.get("kind", "")).endswith(ending)
        if may_go and ending == ".sampled" and not is_gap(row):
            hour = (str(value["kind"]), int(value["at"]) // _HOUR_MS)
            last[hour] = row.seq
        waiting.append((row, may_go))
        if len(waiting) >= 2 * _RUN:
            kept = set(last.values())
            yield from ((each, each_may and each.seq not in kept) for each, each_may in waiting)
            waiting, last = [], {}
    kept = set(last.values())
    yield from ((each, each_may and each.seq not in kept) for each, each_may in waiting)


def _is_worth(run: list[Line]) -> bool:
    return sum(len(row.line) + 60 for row in run) > _GAP_BYTES and not all(is_gap(row) for row in run)


def _replace(db: sqlite3.Connection, run: list[Line], now: Instant) -> int:
    """One gap line in place of a run, with the chain after the run's last line."""
    counts: Counter[str] = Counter()
    for row in run:
        value = _read(row)
        counts.update(value["data"]["counts"] if is_gap(row) else {str(value["kind"]): 1})
    first, last = run[0], run[-1]
    line = gap_line(first.seq, last.upto, head=last.hash, counts=counts, now=now)
    with transaction(db):
        db.execute("DELETE FROM lines WHERE no = ? AND seq BETWEEN ? AND ?", (first.no, first.seq, last.seq))
        put_line(db, Line(first.no, first.seq, last.upto, now.wall_ms, line, last.hash))
    db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    return sum(len(row.line) for row in run) - len(line)


def _read(row: Line) -> dict[str, Any]:
    try:
        value = json.loads(row.line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
