"""When a district works and when its stations are open: weekdays, hours, holidays. Pure.

Waits on the ladder are counted in this time, so that nobody is passed over because of a night or a holiday.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from collector.areas.holidays import list_holidays
from shared.months import BEIJING, local

HOUR_MS = 3_600_000
_LOOK_AHEAD = timedelta(days=400)

Span = tuple[time, time]


class Week(BaseModel):
    """Weekdays (1 is Monday) and the hours of each, in order and apart from each other."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weekdays: Annotated[frozenset[Annotated[int, Field(ge=1, le=7)]], Field(min_length=1)]
    hours: Annotated[tuple[Span, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        edges = [edge for span in self.hours for edge in span]
        if any(later <= earlier for earlier, later in pairwise(edges)):
            message = "hours must be given in order and must not overlap, for example 09:00-12:00, 13:00-18:00"
            raise ValueError(message)
        return self

    @cached_property
    def hours_a_day(self) -> float:
        return sum(_hours(end) - _hours(begin) for begin, end in self.hours)


class CalendarSettings(BaseModel):
    """What a district can set, under `calendar` in its settings. `days` overrides holidays: True is a working day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    working: Week = Week(weekdays=frozenset(range(1, 6)), hours=((time(9), time(12)), (time(13), time(18))))
    opening: Week = Week(weekdays=frozenset(range(1, 8)), hours=((time(9), time(21)),))
    days: Mapping[date, bool] = {}


@dataclass(frozen=True)
class Calendar:
    """One district's calendar. `days` differ from their weekday; on a holiday stations are closed too."""

    working: Week
    opening: Week
    days: Mapping[date, bool]
    zone: ZoneInfo = BEIJING

    def add_working_time(self, start_ms: int, hours: float) -> int:
        """When so many working hours have passed since then."""
        return self._add(self.working, start_ms, hours)

    def add_working_days(self, start_ms: int, days: float) -> int:
        return self.add_working_time(start_ms, days * self.working.hours_a_day)

    def add_opening_time(self, start_ms: int, hours: float) -> int:
        """When stations have been open for so many hours since then."""
        return self._add(self.opening, start_ms, hours)

    def is_open(self, at_ms: int) -> bool:
        """Whether stations are open at this moment."""
        day = local(at_ms, self.zone).date()
        return any(begin <= at_ms < end for begin, end in self._spans(self.opening, day))

    def list_opening(self, day: date) -> list[tuple[int, int]]:
        """When stations that state no hours of their own are open on a day, epoch ms."""
        return list(self._spans(self.opening, day))

    def begin_of(self, day: date) -> int:
        """The first millisecond of a day."""
        return self._at(day, time(0))

    def is_working_day(self, day: date) -> bool:
        return self._counts(self.working, day)

    def _add(self, week: Week, start_ms: int, hours: float) -> int:
        left_ms = round(hours * HOUR_MS)
        for begin_ms, end_ms in self._spans_from(week, start_ms):
            from_ms = max(begin_ms, start_ms)
            if from_ms + left_ms <= end_ms:
                return from_ms + left_ms
            left_ms -= end_ms - from_ms
        return start_ms + round(_LOOK_AHEAD.total_seconds() * 1000)

    def _spans_from(self, week: Week, start_ms: int) -> Iterator[tuple[int, int]]:
        first = local(start_ms, self.zone).date()
        for number in range(_LOOK_AHEAD.days):
            yield from (span for span in self._spans(week, first + timedelta(days=number)) if span[1] > start_ms)

    def _spans(self, week: Week, day: date) -> Iterator[tuple[int, int]]:
        if self._counts(week, day):
            for begin, end in week.hours:
                yield self._at(day, begin), self._at(day, end)

    def _counts(self, week: Week, day: date) -> bool:
        return self.days.get(day, day.isoweekday() in week.weekdays)

    def _at(self, day: date, moment: time) -> int:
        return int(datetime.combine(day, moment, self.zone).timestamp() * 1000)


def make_calendar(settings: Mapping[str, object], *, zone: ZoneInfo = BEIJING) -> Calendar:
    """The calendar a district's settings describe; one that cannot be read gives way to the usual one."""
    try:
        own = CalendarSettings.model_validate(settings.get("calendar", {}))
    except ValidationError:
        own = CalendarSettings()
    return Calendar(own.working, own.opening, {**list_holidays(), **own.days}, zone)


def _hours(moment: time) -> float:
    return moment.hour + moment.minute / 60
