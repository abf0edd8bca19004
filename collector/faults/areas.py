"""One cause, one ticket: sees a dark township, and a centre that is cut off, in stations that fall silent together.

Pure. A silent finding is held back for one heartbeat period and a bit (`station_silent.open_for_…`). When the first
of a group comes due, the group is weighed: those who fell silent within one window, against those who could have.
Stations that were silent long before take no part on either side. While an area finding is open, every silence since
its beginning is its symptom: state moves, tickets and messages do not; when it closes each silence stands alone.

Links that shake are weighed the same way. A station that falls silent while its own link shakes is told by that.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import ceil
from operator import attrgetter
from typing import NamedTuple

from collector.faults.cards import AREA_SILENT, AREA_UNSTABLE, COLLECTOR_ISOLATED, COLLECTOR_UNSTABLE
from collector.faults.rules.base import Card, Finding
from collector.faults.standing import Hold, Key, Standing, advance

SILENT = "station_silent"
SHAKING = "link_unstable"
_AT_LEAST = 3
_OPEN_SHARE = 0.6
_CLOSE_SHARE = 0.3
_TOWNSHIPS_AT_LEAST = 2
_subject_of = attrgetter("subject")


class Place(NamedTuple):
    """A station that is expected to speak. `township` is the area's subject, `area` its name."""

    subject: str
    township: str
    area: str


@dataclass(frozen=True, slots=True)
class _Kind:
    """What stations share: the rule that finds it at one, and the cards of a township and of the whole district."""

    rule: str
    area: Card
    centre: Card


_SILENCE = _Kind(SILENT, AREA_SILENT, COLLECTOR_ISOLATED)
_KINDS = (_SILENCE, _Kind(SHAKING, AREA_UNSTABLE, COLLECTOR_UNSTABLE))


@dataclass(frozen=True, slots=True)
class Dark:
    """A group that fell silent together. `is_due`: it need not be held back any longer."""

    since_ms: int
    silent: int
    expected: int
    is_due: bool


class _Member(NamedTuple):
    """A station, or a township, as one of a group; `is_fresh` as in `_Round`."""

    since_ms: int
    is_fresh: bool
    is_due: bool


@dataclass(frozen=True, slots=True)
class _Round:
    """One round of weighing. `silences` by subject, `groups` by township."""

    kind: _Kind
    old: Mapping[Key, Standing]
    silences: Mapping[str, Standing]
    groups: Mapping[str, Sequence[Place]]
    window_ms: int
    hold: Hold
    now_ms: int

    def list_silent(self, places: Iterable[Place]) -> list[Standing]:
        found = map(self.silences.get, map(_subject_of, places)) if self.silences else ()
        return [row for row in found if row is not None]

    def is_fresh(self, row: Standing) -> bool:
        """Whether it has not been weighed in an earlier round."""
        before = self.old.get(row.key)
        return before is None or not before.open

    def advance(self, card: Card, subject: str, dark: Dark | None, **facts: str) -> Standing | None:
        """What stands for this area now."""
        finding = None
        if dark is not None and dark.is_due:
            counts = {"silent": dark.silent, "expected": dark.expected}
            finding = Finding({**facts, **counts}, since_ms=dark.since_ms)
        before = self.old.get((subject, card.name))
        return advance(before, finding, card=card, subject=subject, station_id=None, hold=self.hold, now_ms=self.now_ms)


def judge_areas(
    places: Sequence[Place],
    old: Mapping[Key, Standing],
    stations: Mapping[Key, Standing],
    *,
    resting: Iterable[str] = (),
    district: str | None,
    period_s: int,
    grace_s: int,
    now_ms: int,
) -> dict[Key, Standing]:
    """`stations` (the new findings) with symptoms marked, and the area findings that stand now.

    `old` is everything that stood before, `district` the subject of the whole district. In a township that is
    `resting` nobody is expected to speak now: nothing is told of it, and what stands of it stays.
    """
    groups: dict[str, list[Place]] = {}
    for place in places:
        groups.setdefault(place.township, []).append(place)
    rounds = [
        _Round(
            kind=kind,
            old=old,
            silences={row.subject: row for row in stations.values() if row.rule == kind.rule},
            groups=groups,
            window_ms=(period_s + grace_s) * 1000,
            hold=Hold(close_ms=2 * period_s * 1000),
            now_ms=now_ms,
        )
        for kind in _KINDS
    ]
    covers = {this.kind.rule: _judge_kind(this, places, district, resting) for this in rounds}
    return _mark(places, stations, covers)


@dataclass(frozen=True, slots=True)
class _Covers:
    """What stands of one kind: townships by subject, and the district."""

    areas: Mapping[str, Standing]
    centre: Standing | None

    def find(self, since_ms: int, township: str | None) -> str | None:
        """The highest finding that covers what began then in this township."""
        for each in (self.centre, self.areas.get(township or "")):
            if each is not None and since_ms >= each.since_ms:
                return each.subject
        return None


def _judge_kind(this: _Round, places: Sequence[Place], district: str | None, resting: Iterable[str]) -> _Covers:
    darks = {township: _weigh(this, township) for township in this.groups}
    rows = {
        township: this.advance(this.kind.area, township, dark, area=this.groups[township][0].area)
        for township, dark in darks.items()
    }
    rows |= {township: this.old.get((township, this.kind.area.name)) for township in resting}
    areas = {township: row for township, row in rows.items() if row is not None}
    return _Covers(areas, None if district is None else _judge_centre(this, places, darks, district))


def _weigh(this: _Round, township: str) -> Dark | None:
    """Whether this township is dark now."""
    group = this.groups[township]
    silent = this.list_silent(group)
    area = this.old.get((township, this.kind.area.name))
    if area is not None:
        return _still_dark(area, silent, len(group))
    members = [_Member(row.since_ms, this.is_fresh(row), row.open) for row in silent]
    return _find_dark(members, len(group), this.window_ms, at_least=_AT_LEAST)


def _judge_centre(
    this: _Round, places: Sequence[Place], darks: Mapping[str, Dark | None], district: str
) -> Standing | None:
    """Most townships dark at once: it is more likely that the centre hears nobody than that nobody speaks."""
    card = this.kind.centre
    before = this.old.get((district, card.name))
    silent = this.list_silent(places)
    if not places:
        return before
    if before is not None:
        return this.advance(card, district, _still_dark(before, silent, len(places)))
    members = [
        _Member(dark.since_ms, is_fresh=(township, this.kind.area.name) not in this.old, is_due=dark.is_due)
        for township, dark in darks.items()
        if dark is not None
    ]
    could_be = sum(len(group) >= _AT_LEAST for group in this.groups.values())
    dark = _find_dark(members, could_be, this.window_ms, at_least=_TOWNSHIPS_AT_LEAST)
    if dark is not None:
        inside = [row.since_ms for row in silent if row.since_ms >= dark.since_ms - this.window_ms]
        dark = Dark(min(inside), len(inside), len(places) - (len(silent) - len(inside)), is_due=dark.is_due)
    return this.advance(card, district, dark)


def _still_dark(area: Standing, silent: Sequence[Standing], expected: int) -> Dark | None:
    inside = sum(row.since_ms >= area.since_ms for row in silent)
    expected -= len(silent) - inside
    if inside <= max(1, _CLOSE_SHARE * expected):
        return None
    return Dark(area.since_ms, inside, expected, is_due=True)


def _find_dark(members: Sequence[_Member], expected: int, window_ms: int, *, at_least: int) -> Dark | None:
    """The largest group of members that fell silent within one window, if it is large enough."""
    if len(members) < at_least:
        return None
    ordered = sorted(members)
    times = [each.since_ms for each in ordered]
    due = list(accumulate((each.is_due for each in ordered), initial=0))
    found: list[Dark] = []
    for last_ms in {each.since_ms for each in ordered if each.is_fresh}:
        first, end = bisect_left(times, last_ms - window_ms), bisect_left(times, last_ms + 1)
        could_be = expected - (len(ordered) - (end - first))
        if end - first >= max(at_least, ceil(_OPEN_SHARE * could_be)):
            found.append(Dark(times[first], end - first, could_be, is_due=due[end] > due[first]))
    return max(found, key=lambda each: (each.silent, each.is_due), default=None)


def _mark(
    places: Iterable[Place], stations: Mapping[Key, Standing], covers: Mapping[str, _Covers]
) -> dict[Key, Standing]:
    """Everything that stands, each symptom naming the highest finding that covers it."""
    township_of = {place.subject: place.township for place in places}
    marked = dict(stations)
    for key, row in stations.items():
        over = covers.get(row.rule)
        cover = row.symptom_of if over is None else over.find(row.since_ms, township_of.get(row.subject))
        if cover != row.symptom_of:
            marked[key] = row.under(cover)
    for shaking in [row for row in marked.values() if row.rule == SHAKING and row.open]:
        silent = marked.get((shaking.subject, SILENT))
        if silent is not None and silent.symptom_of is None:
            marked[silent.key] = silent.under(shaking.symptom_of or shaking.subject)
    for over in covers.values():
        for area in over.areas.values():
            marked[area.key] = area.under(over.find(area.since_ms, None))
        if over.centre is not None:
            marked[over.centre.key] = over.centre
    return marked
