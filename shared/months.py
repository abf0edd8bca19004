"""Calendar months and days of the district, as whole numbers that sort: 202609, 20260930."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

BEIJING = ZoneInfo("Asia/Shanghai")
_QUARTER_MS = 900_000


def local(ms: int, zone: ZoneInfo = BEIJING) -> datetime:
    """Local date and time of epoch milliseconds; years outside 1970-9999 are clamped, for clocks can say anything."""
    seconds = min(max(ms / 1000, 0), 253_370_000_000)
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).astimezone(zone)


def month_of(ms: int, zone: ZoneInfo = BEIJING) -> int:
    """Month of an instant, e.g. 202609."""
    return _month_of_quarter(ms // _QUARTER_MS, zone)


def day_of(ms: int, zone: ZoneInfo = BEIJING) -> int:
    """Day of an instant, e.g. 20260930."""
    return _day_of_quarter(ms // _QUARTER_MS, zone)


def month_bounds(month: int, zone: ZoneInfo = BEIJING) -> tuple[int, int]:
    """First millisecond of the month and of the month after it."""
    return _midnight(month, zone), _midnight(next_month(month), zone)


def year_begin(ms: int, zone: ZoneInfo = BEIJING) -> int:
    """First millisecond of the year of an instant."""
    return _midnight(local(ms, zone).year * 100 + 1, zone)


def next_month(month: int) -> int:
    return month + 1 if month % 100 < 12 else (month // 100 + 1) * 100 + 1


def previous_month(month: int) -> int:
    return month - 1 if month % 100 > 1 else (month // 100 - 1) * 100 + 12


def month_text(month: int) -> str:
    """`2026-09`, the form used in addresses and file names."""
    return f"{month // 100:04d}-{month % 100:02d}"


def parse_month(text: str) -> int:
    """`2026-09` as 202609.

    Raises ValueError, with what to write instead, for anything else.
    """
    year, _, number = text.partition("-")
    if not (len(year) == 4 and year.isdecimal() and number.isdecimal() and 1 <= int(number) <= 12 and int(year) > 0):
        message = f"{text!r} is not a month; write year-month, for example 2026-09"
        raise ValueError(message)
    return int(year) * 100 + int(number)


@lru_cache(maxsize=8192)
def _day_of_quarter(quarter: int, zone: ZoneInfo) -> int:
    """Days begin on a quarter of an hour in every zone, so that events near each other share one look-up."""
    when = local(quarter * _QUARTER_MS, zone)
    return (when.year * 100 + when.month) * 100 + when.day


@lru_cache(maxsize=8192)
def _month_of_quarter(quarter: int, zone: ZoneInfo) -> int:
    return _day_of_quarter(quarter, zone) // 100


def _midnight(month: int, zone: ZoneInfo) -> int:
    return int(datetime(month // 100, month % 100, 1, tzinfo=zone).timestamp() * 1000)
