"""What a person changes in a district's calendar: days off, worked weekends, the hours of offices and stations."""

import re
from collections.abc import Collection, Mapping
from datetime import date, timedelta
from typing import Any

from pydantic import ValidationError

from collector.areas import queries
from collector.areas.calendar import CalendarSettings
from collector.db.engine import Connection
from collector.errors import BadInputError

_DAYS_AT_ONCE = 31
_SPAN = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\s*[-–~]\s*([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)
_BETWEEN = re.compile(r"[\s,，、;；]*")


async def change_days(
    connection: Connection, district_id: int, *, first: date, last: date, is_worked: bool | None
) -> None:
    """Make days worked or holidays; None lets the usual calendar hold again. Raises BadInputError."""
    if not timedelta() <= last - first < timedelta(days=_DAYS_AT_ONCE):
        raise BadInputError("结束日期不能早于开始日期，一次最多 31 天。请重新选择。")
    own = await _read(connection, district_id)
    days: dict[date, bool] = dict(own.days)
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        days.pop(day, None)
        if is_worked is not None:
            days[day] = is_worked
    await _write(connection, district_id, own.model_copy(update={"days": days}))


async def change_week(
    connection: Connection, district_id: int, *, name: str, weekdays: Collection[int], hours: str
) -> None:
    """Set the weekdays and hours of `working` (offices) or `opening` (stations without hours of their own).

    `hours` as people write them: 09:00-12:00 13:00-18:00. Raises BadInputError.
    """
    own = await _read(connection, district_id)
    week = {"weekdays": sorted(weekdays), "hours": _read_hours(hours)}
    try:
        changed = CalendarSettings.model_validate({**own.model_dump(mode="json"), name: week})
    except ValidationError as error:
        raise BadInputError("请至少选一天；时间段要按先后写，不能重叠，例如 09:00-12:00 13:00-18:00。") from error
    await _write(connection, district_id, changed)


def _read_hours(text: str) -> list[tuple[str, str]]:
    spans = [(f"{int(one):02d}:{two}", f"{int(three):02d}:{four}") for one, two, three, four in _SPAN.findall(text)]
    if not spans or _BETWEEN.fullmatch(_SPAN.sub("", text)) is None:
        raise BadInputError("时间没有看懂。请写成 09:00-12:00 13:00-18:00 这样。")
    return spans


async def _read(connection: Connection, district_id: int) -> CalendarSettings:
    settings = await queries.get_district_settings(connection, district_id)
    try:
        return CalendarSettings.model_validate(settings.get("calendar", {}))
    except ValidationError:
        return CalendarSettings()


async def _write(connection: Connection, district_id: int, own: CalendarSettings) -> None:
    settings: Mapping[str, Any] = await queries.get_district_settings(connection, district_id)
    await queries.change_district_settings(
        connection, district_id, {**settings, "calendar": own.model_dump(mode="json")}
    )
