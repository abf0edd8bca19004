from datetime import datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.hours import BadHoursError, OpenHours, is_open, read_span
from shared.months import BEIJING


def at(text: str) -> int:
    """Epoch ms of a moment of September 2026, in which the 7th is a Monday."""
    return int(datetime.strptime(f"2026-09-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=BEIJING).timestamp() * 1000)


@pytest.mark.parametrize(
    ("entry", "moment", "is_in"),
    [
        ("08:30-18:00", "07 08:30", True),
        ("08:30-18:00", "07 08:29", False),
        ("08:30-18:00", "13 17:59", True),
        ("08:30-18:00", "07 18:00", False),
        ("1-5 08:30-18:00", "11 12:00", True),
        ("1-5 08:30-18:00", "12 12:00", False),
        ("6 09:00-12:00", "12 09:00", True),
        ("6 09:00-12:00", "13 09:00", False),
        ("6-1 09:00-12:00", "13 09:00", True),
        ("6-1 09:00-12:00", "07 09:00", True),
        ("6-1 09:00-12:00", "08 09:00", False),
        ("19:00-24:00", "07 23:59", True),
        ("19:00-24:00", "08 00:00", False),
        ("7 19:00-01:00", "07 00:59", True),
        ("7 19:00-01:00", "07 01:00", False),
        ("7 19:00-01:00", "08 00:30", False),
        ("00:00-00:00", "08 00:00", True),
    ],
)
def test_a_moment_is_in_or_out_of_the_opening_hours(entry: str, moment: str, is_in: bool) -> None:
    assert is_open([entry], at(moment)) is is_in


def test_any_entry_may_cover_it_and_none_stated_is_not_known() -> None:
    assert is_open(["08:00-12:00", "14:00-18:00"], at("07 15:00")) is True
    assert is_open(["08:00-12:00", "14:00-18:00"], at("07 13:00")) is False
    assert is_open([], at("07 15:00")) is None


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "8:30-18:00",
        "08:30",
        "0 08:30-18:00",
        "1-8 08:30-18:00",
        "08:30-25:00",
        "24:10-24:30",
        "08:30-24:30",
        "٠٨:30-18:00",
    ],
)
def test_what_is_no_span_is_refused_with_how_to_write_it(entry: str) -> None:
    with pytest.raises(BadHoursError, match="08:30-18:00"):
        read_span(entry)
    with pytest.raises(ValidationError, match="开放时间"):
        TypeAdapter(OpenHours).validate_python([entry])


def test_a_week_of_entries_is_enough() -> None:
    with pytest.raises(ValidationError, match="14"):
        TypeAdapter(OpenHours).validate_python(["08:30-18:00"] * 15)
