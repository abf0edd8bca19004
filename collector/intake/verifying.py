"""Checks stored history against what its stations have pledged, for whoever doubts a figure (decision 0025).

Whoever changes a stored line cannot make the station's own signature over the chain fit again. What no signature
covers is told: lines behind the newest pledge, lines that were given up and declared, lines removed by their age.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from collector.db.engine import Database
from collector.intake import pledge_queries
from collector.intake.pledge_queries import PledgedStream, StoredLine
from shared import chain, tags
from shared.signing import BadSignature

PAGE = 2_000
_GAP, _UNREAD = "spool.gap", "?"


class Verdict(StrEnum):
    """What can be said of a stream."""

    RIGHT = "right"
    UNPLEDGED = "unpledged"
    """It holds together, but its station has pledged nothing."""
    REMOVED = "removed"
    """Lines are gone by their age, so that the chain can no longer be worked out."""
    MISSING = "missing"
    """Lines are gone although those before them are not old enough to go."""
    DIFFERS = "differs"
    FORGED = "forged"
    """The pledge itself is not the station's."""


BAD = frozenset({Verdict.MISSING, Verdict.DIFFERS, Verdict.FORGED})


@dataclass(frozen=True, slots=True)
class Checked:
    """`first` is the first line that differs, or may differ, or is gone; 0 where there is none.

    `pledged` is the line up to which the station has signed, `stored` the last one here; `declared` lines were given
    up by the station, and a gap stands for them.
    """

    station: str
    stream: str
    verdict: Verdict
    stored: int
    pledged: int
    first: int = 0
    declared: int = 0


@dataclass(slots=True)
class Walk:
    """A stream read line by line. `head` None: not known here, because lines before are gone."""

    before: int
    """Months before this one may have been removed."""
    pledged: int
    head: bytes | None = chain.START
    pledged_head: bytes | None = None
    upto: int = 0
    sure: int = 0
    """Up to here a gap gives the chain anew, so that what differs later lies behind it."""
    sure_before: int = 0
    """The same as it was at the pledge."""
    odd: int = 0
    gone: int = 0
    missing: int = 0
    declared: int = 0
    _is_young: bool = False

    def read(self, row: StoredLine) -> None:
        if row.seq != self.upto + 1:
            self._note_hole(row.seq)
        event = _load(row.line)
        is_gap = row.kind == _GAP and row.refused is None
        if not self.odd and not _fits(row, event):
            self.odd = row.seq
        if is_gap and not self.odd:
            self.upto = int(event["data"]["last"])
            self.declared += self.upto - row.seq + 1
            self.head, self.sure = bytes.fromhex(event["data"]["head"]), self.upto
        else:
            self.upto = row.seq
            self.head = None if self.head is None else chain.extend(self.head, row.line)
        self._is_young = row.booked_month >= self.before
        if self.upto == self.pledged:
            self.pledged_head, self.sure_before = self.head, self.sure

    def end(self, stored: int) -> None:
        """All lines are read; the stream says it holds more."""
        if stored > self.upto:
            self._note_hole(stored + 1)

    def _note_hole(self, seq: int) -> None:
        first = self.upto + 1
        if self._is_young:
            self.missing = self.missing or first
        self.gone = self.gone or first
        self.head, self.upto = None, seq - 1


async def verify_history(
    database: Database, district_id: int, *, station_id: int | None, before: int
) -> Sequence[Checked]:
    """Check every stream of a district or a station. Months earlier than `before` may have been removed."""
    async with database.read() as connection:
        found = await pledge_queries.list_pledged(connection, district_id, station_id)
    return [await _check(database, each, before) for each in found]


async def _check(database: Database, stream: PledgedStream, before: int) -> Checked:
    walk, after = Walk(before, stream.seq or 0), 0
    while True:
        # A page at a time, each in a transaction of its own: lines never change, and the intake must not wait.
        async with database.read() as connection:
            rows = await pledge_queries.list_lines(connection, stream, after=after, upto=stream.stored, limit=PAGE)
        for row in rows:
            walk.read(row)
        if len(rows) < PAGE:
            break
        after = rows[-1].seq
    walk.end(stream.stored)
    verdict, first = _judge(stream, walk)
    return Checked(_name(stream), stream.stream, verdict, stream.stored, walk.pledged, first, walk.declared)


def _judge(stream: PledgedStream, walk: Walk) -> tuple[Verdict, int]:
    """What is found, and the first line it is about. A pledge that was reached counts, whatever is gone before it."""
    is_pledged = stream.seq is not None
    is_reached = is_pledged and walk.pledged_head is not None
    findings = (
        (is_pledged and not _is_signed(stream), Verdict.FORGED, 0),
        (walk.odd > 0, Verdict.DIFFERS, walk.odd),
        (walk.missing > 0, Verdict.MISSING, walk.missing),
        (is_reached and walk.pledged_head != stream.pledged, Verdict.DIFFERS, walk.sure_before + 1),
        (_differs(walk.head, stream.head), Verdict.DIFFERS, max(walk.sure, walk.pledged) + 1),
        (walk.gone > 0 and not is_reached, Verdict.REMOVED, walk.gone),
        (not is_pledged, Verdict.UNPLEDGED, 0),
    )
    return next(((verdict, first) for holds, verdict, first in findings if holds), (Verdict.RIGHT, 0))


def _differs(head: bytes | None, stored: str) -> bool:
    return head is not None and head.hex() != stored


def _is_signed(stream: PledgedStream) -> bool:
    head = (stream.pledged or b"").hex()
    says = {"station": _name(stream), "stream": stream.stream, "head": head}
    try:
        tags.check_pledge(stream.signature or b"", stream.public_key or b"", seq=stream.seq or 0, **says)
    except BadSignature:
        return False
    return True


def _fits(row: StoredLine, event: dict[str, Any]) -> bool:
    """Whether the columns of a row, from which figures are made, say what its line says."""
    if row.kind == _UNREAD:
        return row.refused is not None
    first = event.get("seq", 0)
    last = event.get("data", {}).get("last", 0) if row.kind == _GAP else first
    return (event.get("kind"), event.get("at")) == (row.kind, row.at_ms) and first <= row.seq <= max(first, last)


def _load(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _name(stream: PledgedStream) -> str:
    return f"{stream.district_id}/{stream.station_id}"
