"""Public holidays every district starts with. A district's own table, in its settings, overrides any day of it.

2026 is the State Council's notice of November 2025, exchanged working days included. For 2027 no notice is out:
those are the days the law gives (除夕, the lunar new year, 清明, 端午, 中秋, national days) and, where they fall on a
weekend, the next working days; enter the notice's days when it comes.
"""

from collections.abc import Mapping
from datetime import date, timedelta

_OFF = (
    ("2026-01-01", "2026-01-03"),
    ("2026-02-15", "2026-02-23"),
    ("2026-04-04", "2026-04-06"),
    ("2026-05-01", "2026-05-05"),
    ("2026-06-19", "2026-06-21"),
    ("2026-09-25", "2026-09-27"),
    ("2026-10-01", "2026-10-07"),
    ("2027-01-01", "2027-01-01"),
    ("2027-02-05", "2027-02-10"),
    ("2027-04-05", "2027-04-05"),
    ("2027-05-01", "2027-05-04"),
    ("2027-06-09", "2027-06-09"),
    ("2027-09-15", "2027-09-15"),
    ("2027-10-01", "2027-10-05"),
)
_WORK = ("2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10")


def list_holidays() -> Mapping[date, bool]:
    """Days that differ from their weekday: True is worked on a weekend, False is a holiday."""
    days = {date.fromisoformat(each): True for each in _WORK}
    for first, last in _OFF:
        begin, end = date.fromisoformat(first), date.fromisoformat(last)
        days |= {begin + timedelta(days=number): False for number in range((end - begin).days + 1)}
    return days
