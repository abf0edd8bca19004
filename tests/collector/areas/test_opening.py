"""When a station is expected to be open, and since when."""

from collections.abc import Mapping
from datetime import date, datetime

import pytest

from collector.areas.calendar import make_calendar
from collector.areas.opening import Expected, OpeningClock
from shared.months import BEIJING


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=BEIJING).timestamp() * 1000)


def tell(text: str, *hours: str, settings: Mapping[str, object] | None = None) -> Expected:
    return OpeningClock(make_calendar(settings or {}), at(text)).tell(hours)


@pytest.mark.parametrize(
    ("now", "hours", "is_on", "since"),
    [
        pytest.param("2026-09-10 10:00", (), True, "2026-09-10 09:00", id="the-districts-hours"),
        pytest.param("2026-09-10 08:59", (), False, "2026-09-09 21:00", id="the-districts-night"),
        pytest.param("2026-09-10 10:00", ("1-5 08:30-18:00",), True, "2026-09-10 08:30", id="its-own-hours"),
        pytest.param("2026-09-12 10:00", ("1-5 08:30-18:00",), False, "2026-09-11 18:00", id="its-own-weekend"),
        pytest.param("2026-09-10 01:00", ("20:00-02:00",), True, "2026-09-09 20:00", id="past-midnight"),
        pytest.param("2026-09-10 10:00", ("whenever",), True, "2026-09-10 09:00", id="unreadable"),
        pytest.param("2026-10-03 10:00", ("08:00-18:00",), False, "2026-09-30 18:00", id="a-holiday"),
        pytest.param("2026-10-03 10:00", (), False, "2026-09-30 21:00", id="a-holiday-of-the-district"),
        pytest.param("2026-10-10 10:00", ("1-5 08:30-18:00",), True, "2026-10-10 08:30", id="a-worked-saturday"),
        pytest.param("2026-09-10 12:30", ("08:00-12:00", "13:00-18:00"), False, "2026-09-10 12:00", id="noon"),
    ],
)
def test_a_station_is_expected_in_its_hours(now: str, hours: tuple[str, ...], is_on: bool, since: str) -> None:
    assert tell(now, *hours) == Expected(is_on, at(since))


def test_a_station_that_never_closes_is_expected_since_days() -> None:
    told = tell("2026-09-10 10:00", "00:00-24:00")
    assert told.is_on
    assert told.since_ms < at("2026-09-04 00:00")


def test_the_last_minute_of_a_day_without_closing_is_open() -> None:
    always = {"calendar": {"opening": {"weekdays": [1, 2, 3, 4, 5, 6, 7], "hours": [["00:00", "23:59"]]}}}
    assert tell("2026-09-10 00:00", settings=always).is_on
    assert tell("2026-09-10 12:00", settings=always).since_ms < at("2026-09-04 00:00")


def test_a_holiday_the_district_takes_back_is_open() -> None:
    settings: dict[str, object] = {"calendar": {"days": {str(date(2026, 10, 3)): True}}}
    assert tell("2026-10-03 10:00", settings=settings) == Expected(True, at("2026-10-03 09:00"))


def test_changes_within_a_past_time_are_listed_from_its_beginning() -> None:
    clock = OpeningClock(make_calendar({}), at("2026-09-12 10:00"))
    changes = clock.list_changes((), from_ms=at("2026-09-10 20:00"), to_ms=at("2026-09-11 10:00"))
    assert changes == [(at("2026-09-10 20:00"), True), (at("2026-09-10 21:00"), False), (at("2026-09-11 09:00"), True)]
