"""The time line of a station as pages draw it: a row a day, a bar a stretch, and how much of a period it was there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from collector.timeline.presence import Presence, Stretch
from collector.timeline.queries import Availability
from collector.web.i18n import msgid
from shared.months import local

DAY_MINUTES = 24 * 60
_DAY_MS = 86_400_000
ROW = 16
"""Height of a day's row in the drawing; its width is a minute a unit."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a presence is drawn: never by colour alone. `top` and `height` within the row."""

    word: str
    top: int
    height: int


SHAPES: Mapping[Presence, Shape] = {
    Presence.UP: Shape(msgid("在线"), 1, 13),
    Presence.DOWN: Shape(msgid("失联"), 8, 6),
    Presence.UNKNOWN: Shape(msgid("情况不明"), 5, 5),
    Presence.OFF: Shape(msgid("非开放时间"), 12, 2),
}


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch within one day: minutes from midnight to `x`, `width` minutes, and the whole stretch it belongs to."""

    presence: Presence
    x: float
    width: float
    from_ms: int
    to_ms: int

    @property
    def shape(self) -> Shape:
        return SHAPES[self.presence]


@dataclass(frozen=True, slots=True)
class Day:
    begin_ms: int
    y: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """Availability over the last `days`; `percent` None: too little is known for a figure.

    `since_ms` where the station is younger than that: percentage and coverage count from then on.
    """

    days: int
    percent: float | None
    coverage: float | None
    since_ms: int | None = None


def begin_of_days(now_ms: int, days: int, zone: ZoneInfo) -> int:
    """The midnight with which the last so many days begin, today included."""
    return _midnights(now_ms, days, zone)[0]


def draw(stretches: Sequence[Stretch], *, now_ms: int, days: int, zone: ZoneInfo) -> list[Day]:
    """The last days, the newest first."""
    edges = _midnights(now_ms, days, zone)
    rows = list(pairwise(edges))[::-1]
    return [Day(begin, row * ROW, tuple(_list_bars(stretches, begin, end))) for row, (begin, end) in enumerate(rows)]


def figures(told: Mapping[int, Availability | None], *, since_ms: int | None, now_ms: int) -> list[Figure]:
    """A figure for each number of days, shortest first; at the age of the station the longer ones say nothing more."""
    found: list[Figure] = []
    for days, each in sorted(told.items()):
        is_whole = since_ms is None or since_ms <= now_ms - days * _DAY_MS
        share = each.share if each is not None and each.is_enough else None
        percent, coverage = None if share is None else 100 * share, None if each is None else each.coverage
        found.append(Figure(days, percent, coverage, None if is_whole else since_ms))
        if not is_whole:
            break
    return found


def _list_bars(stretches: Sequence[Stretch], begin_ms: int, end_ms: int) -> list[Bar]:
    bars = []
    for each in stretches:
        to_ms = each.to_ms or end_ms
        first, last = max(each.from_ms, begin_ms), min(to_ms, end_ms)
        if first < last:
            x, width = (first - begin_ms) / 60_000, (last - first) / 60_000
            bars.append(Bar(each.presence, round(x, 1), round(width, 1), each.from_ms, to_ms))
    return bars


def _midnights(now_ms: int, days: int, zone: ZoneInfo) -> list[int]:
    today = local(now_ms, zone).date()
    dates = [today + timedelta(days=number) for number in range(1 - days, 2)]
    return [int(datetime(each.year, each.month, each.day, tzinfo=zone).timestamp() * 1000) for each in dates]
