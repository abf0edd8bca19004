"""Opening hours as a station states them: `["1-5 08:30-18:00", "6 09:00-12:00"]`, by Beijing time. Pure.

A day is 1 (Monday) to 7; an entry without days holds every day. A span that ends at or before its beginning runs past
midnight.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field

from shared.months import local

_ENTRY = re.compile(r"(?:([1-7])(?:-([1-7]))? )?([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]|24):([0-5]\d)", re.ASCII)
_DAY = 24 * 60
MAX_ENTRIES = 14


class BadHoursError(ValueError):
    """开放时间写法不对：应写成 "08:30-18:00" 或 "1-5 08:30-18:00"（1 为周一）。"""

    def __init__(self, entry: str) -> None:
        super().__init__(f"{entry}：{(self.__doc__ or '').strip()}")


@dataclass(frozen=True, slots=True)
class Span:
    """`first` to `last` day of the week, minutes of the day from `begin` to `end` (which may lie on the next day)."""

    first: int
    last: int
    begin: int
    end: int

    def covers(self, day: int, minute: int) -> bool:
        before = day - 1 or 7
        today = self._has(day) and self.begin <= minute < self.end
        return today or (self._has(before) and minute + _DAY < self.end)

    def _has(self, day: int) -> bool:
        if self.first <= self.last:
            return self.first <= day <= self.last
        return day >= self.first or day <= self.last


def read_span(entry: str) -> Span:
    """Raises BadHoursError."""
    match = _ENTRY.fullmatch(entry)
    if match is None:
        raise BadHoursError(entry)
    first, last = match[1] or "1", match[2] or match[1] or "7"
    begin, end = int(match[3]) * 60 + int(match[4]), int(match[5]) * 60 + int(match[6])
    if end > _DAY:
        raise BadHoursError(entry)
    return Span(int(first), int(last), begin, end if end > begin else end + _DAY)


def is_open(hours: Sequence[str], ms: int) -> bool | None:
    """Whether it is opening time at this moment (epoch ms); None when no hours are stated.

    Raises BadHoursError.
    """
    if not hours:
        return None
    moment = local(ms)
    minute = moment.hour * 60 + moment.minute
    return any(read_span(entry).covers(moment.isoweekday(), minute) for entry in hours)


def _check(entry: str) -> str:
    read_span(entry)
    return entry


OpenHours = Annotated[tuple[Annotated[str, AfterValidator(_check)], ...], Field(max_length=MAX_ENTRIES)]
