"""Whether a station is expected to be open at a moment, and since when: by its own hours, else by the district's. Pure.

On a holiday nobody is expected; on a worked weekend a station without hours for that day keeps Monday's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from collector.areas.calendar import Calendar
from shared.hours import BadHoursError, Span, read_span
from shared.months import local

_LOOK_BACK_MS = 8 * 86_400_000
_MINUTE_MS = 60_000
_TOUCH_MS = _MINUTE_MS
"""23:59 is how people write the end of a day."""


class Expected(NamedTuple):
    """`since_ms` when this began to hold, at most some days back."""

    is_on: bool
    since_ms: int


@dataclass(slots=True)
class OpeningClock:
    """Tells for one moment which stations are expected on. Stations with the same hours are reckoned once."""

    calendar: Calendar
    now_ms: int
    _known: dict[tuple[str, ...], Expected] = field(default_factory=dict)

    def tell(self, hours: Sequence[str]) -> Expected:
        """`hours` as the station states them (`shared/hours.py`); none, or unreadable ones, mean the district's."""
        key = tuple(hours)
        if key not in self._known:
            self._known[key] = _reckon(self.calendar, _read(key), self.now_ms)
        return self._known[key]

    def list_changes(self, hours: Sequence[str], *, from_ms: int, to_ms: int) -> list[tuple[int, bool]]:
        """From when it was on, or not, within a past time: first what held at its beginning."""
        spans = _list_joined(self.calendar, _read(tuple(hours)), from_ms=from_ms, to_ms=to_ms)
        changes = [(from_ms, any(begin <= from_ms < end for begin, end in spans))]
        for begin, end in spans:
            changes += [(at_ms, is_on) for at_ms, is_on in ((begin, True), (end, False)) if from_ms < at_ms < to_ms]
        return changes


@lru_cache(maxsize=1024)
def _read(hours: tuple[str, ...]) -> tuple[Span, ...]:
    try:
        return tuple(read_span(entry) for entry in hours)
    except BadHoursError:
        return ()


def _reckon(calendar: Calendar, own: Sequence[Span], now_ms: int) -> Expected:
    from_ms = now_ms - _LOOK_BACK_MS
    near = _list_joined(calendar, own, from_ms=from_ms, to_ms=now_ms + _TOUCH_MS)
    begin_ms, end_ms = next((span for span in reversed(near) if span[0] <= now_ms), (from_ms, from_ms))
    return Expected(True, begin_ms) if now_ms < end_ms else Expected(False, end_ms)


def _list_joined(calendar: Calendar, own: Sequence[Span], *, from_ms: int, to_ms: int) -> list[tuple[int, int]]:
    """Opening times that begin before `to_ms` and end after `from_ms`, those that touch made one."""
    first = local(from_ms, calendar.zone).date() - timedelta(days=1)
    count = (local(to_ms, calendar.zone).date() - first).days + 1
    days = (first + timedelta(days=number) for number in range(count))
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(span for day in days for span in _list_spans(calendar, own, day)):
        if begin >= to_ms or end <= from_ms:
            continue
        if joined and begin <= joined[-1][1] + _TOUCH_MS:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined


def _list_spans(calendar: Calendar, own: Sequence[Span], day: date) -> Iterator[tuple[int, int]]:
    """When the station is open on a day, epoch ms; a span past midnight belongs to the day it begins on."""
    if not own:
        yield from calendar.list_opening(day)
        return
    if calendar.days.get(day) is False:
        return
    begin_ms = calendar.begin_of(day)
    mine = [each for each in own if _holds(each, day.isoweekday())]
    if not mine and calendar.days.get(day):
        mine = [each for each in own if _holds(each, 1)]
    for each in mine:
        yield begin_ms + each.begin * _MINUTE_MS, begin_ms + each.end * _MINUTE_MS


def _holds(span: Span, weekday: int) -> bool:
    return span.covers(weekday, span.begin)
