"""Hours that count: nights, weekends, holidays and the turn of the year do not."""

from datetime import datetime

import pytest

from collector.areas.calendar import make_calendar
from shared.months import BEIJING, local

USUAL = make_calendar({})


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=BEIJING).timestamp() * 1000)


def said(ms: int) -> str:
    return f"{local(ms):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("start", "hours", "expected"),
    [
        ("2026-09-10 09:00", 1, "2026-09-10 10:00"),
        ("2026-09-10 11:30", 1, "2026-09-10 13:30"),
        ("2026-09-10 09:00", 8, "2026-09-10 18:00"),
        ("2026-09-10 17:00", 2, "2026-09-11 10:00"),
        ("2026-09-11 17:00", 2, "2026-09-14 10:00"),
        ("2026-09-12 03:00", 8, "2026-09-14 18:00"),
        ("2026-09-19 10:00", 2, "2026-09-20 11:00"),
        ("2026-09-30 17:00", 2, "2026-10-08 10:00"),
        ("2026-02-13 18:00", 9, "2026-02-24 10:00"),
        ("2026-12-31 17:00", 2, "2027-01-04 10:00"),
        ("2027-02-04 17:30", 1, "2027-02-11 09:30"),
    ],
)
def test_working_time_passes_only_in_working_hours(start: str, hours: float, expected: str) -> None:
    assert said(USUAL.add_working_time(at(start), hours)) == expected


@pytest.mark.parametrize(
    ("start", "hours", "expected"),
    [
        ("2026-09-12 20:00", 2, "2026-09-13 10:00"),
        ("2026-12-31 20:30", 1, "2027-01-02 09:30"),
    ],
)
def test_stations_are_open_at_weekends_but_not_on_holidays(start: str, hours: float, expected: str) -> None:
    assert said(USUAL.add_opening_time(at(start), hours)) == expected


def test_a_working_day_is_as_long_as_the_district_works() -> None:
    short = make_calendar({"calendar": {"working": {"weekdays": [1, 2, 3, 4, 5], "hours": [["09:00", "12:00"]]}}})
    assert said(short.add_working_days(at("2026-09-10 10:00"), 1)) == "2026-09-11 10:00"


def test_a_district_gives_itself_a_holiday_and_takes_one_back() -> None:
    own = make_calendar({"calendar": {"days": {"2026-09-11": False, "2026-10-01": True}}})
    assert said(own.add_working_time(at("2026-09-10 17:00"), 2)) == "2026-09-14 10:00"
    assert own.is_open(at("2026-10-01 10:00"))
    assert not USUAL.is_open(at("2026-10-01 10:00"))


@pytest.mark.parametrize(
    "broken",
    [
        {"working": {"weekdays": [], "hours": [["09:00", "12:00"]]}},
        {"working": {"weekdays": [1], "hours": [["12:00", "09:00"]]}},
        {"days": {"soon": True}},
        "weekdays",
    ],
)
def test_a_calendar_that_cannot_be_read_gives_way_to_the_usual_one(broken: object) -> None:
    assert make_calendar({"calendar": broken}) == USUAL


def test_a_calendar_that_is_all_holidays_still_ends() -> None:
    days = {
        f"{year}-{month:02d}-{day:02d}": False
        for year in (2026, 2027)
        for month in range(1, 13)
        for day in range(1, 29)
    }
    never = make_calendar({"calendar": {"working": {"weekdays": [1], "hours": [["09:00", "10:00"]]}, "days": days}})
    assert never.add_working_time(at("2026-09-10 09:00"), 100) > at("2027-09-10 09:00")
