from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import months

MONTHS = st.builds(lambda year, month: year * 100 + month, st.integers(1971, 9000), st.integers(1, 12))
DAY_MS = 86_400_000


def test_the_last_second_of_september_in_sichuan_is_still_september() -> None:
    last = 1_790_783_999_000  # 2026-09-30 23:59:59 in Beijing, 15:59:59 UTC

    assert (months.month_of(last), months.day_of(last)) == (202609, 20260930)
    assert (months.month_of(last + 1000), months.day_of(last + 1000)) == (202610, 20261001)


def test_another_zone_books_the_same_moment_elsewhere() -> None:
    assert months.month_of(1_790_784_000_000, ZoneInfo("UTC")) == 202609


@given(MONTHS)
def test_a_month_lies_between_its_bounds_and_the_next_begins_where_it_ends(month: int) -> None:
    begin, end = months.month_bounds(month)

    assert months.month_of(begin) == months.month_of(end - 1) == month
    assert months.month_of(begin - 1) == months.previous_month(month)
    assert months.month_of(end) == months.next_month(month)
    assert 28 * DAY_MS <= end - begin <= 31 * DAY_MS + 3_600_000


@given(MONTHS)
def test_there_and_back_is_the_same_month(month: int) -> None:
    assert months.previous_month(months.next_month(month)) == month
    assert months.parse_month(months.month_text(month)) == month


@given(st.integers(-(2**53), 2**53))
def test_no_clock_however_wrong_breaks_the_calendar(ms: int) -> None:
    assert 197001 <= months.month_of(ms) <= 999912


@pytest.mark.parametrize("text", ["", "2026", "2026-13", "2026-0", "26-09", "2026-九", "0000-01", "2026-09-01", "a-b"])
def test_what_is_no_month_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="write year-month, for example 2026-09"):
        months.parse_month(text)
