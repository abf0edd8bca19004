"""Which lines of a sound chain still tell of something to look into."""

import json
from typing import Any

import pytest

from collector.intake.queries import EventRow
from collector.intake.signs import CLOCK_SET_BACK, DEVICE_CHANGED, DISK_SET_BACK, read_signs
from tests.districts import LIZHOU

NOW_MS = 1_788_000_000_000
HOUR_MS = 3_600_000
EPSON, ACER = {"maker": "EPSON", "model": "EB-X05"}, {"maker": "ACER", "model": "X118"}


def row(kind: str, data: object, *, behind_ms: int = 0, **changes: Any) -> EventRow:
    """A line of the event log, written by a clock so far behind the truth."""
    line, at_ms = json.dumps({"data": data}).encode(), NOW_MS - behind_ms
    place, booked = (LIZHOU, 1, bytes(16), 1, 202608), (NOW_MS, 202608, False)
    return EventRow(*place, kind, at_ms, *booked, NOW_MS, line, None)._replace(**changes)


def jumped(by_ms: int, *, behind_ms: int, **changes: Any) -> EventRow:
    return row("clock.jumped", {"by_ms": by_ms}, behind_ms=behind_ms, **changes)


def test_a_clock_moved_back_from_the_true_time_is_a_sign() -> None:
    assert read_signs([jumped(-HOUR_MS, behind_ms=HOUR_MS)]) == {CLOCK_SET_BACK: "set back by 60 minutes"}


@pytest.mark.parametrize(
    "innocent",
    [
        pytest.param(jumped(-HOUR_MS, behind_ms=0), id="put-right"),
        pytest.param(jumped(HOUR_MS, behind_ms=HOUR_MS), id="moved-on"),
        pytest.param(jumped(-60_000, behind_ms=HOUR_MS), id="a-minute"),
        pytest.param(jumped(-NOW_MS, behind_ms=NOW_MS), id="dead-battery"),
        pytest.param(jumped(-HOUR_MS, behind_ms=HOUR_MS, uncertain=True), id="nobody-knows-the-true-time"),
        pytest.param(jumped(-HOUR_MS, behind_ms=HOUR_MS, refused="unreadable"), id="refused"),
        pytest.param(row("clock.jumped", {"by_ms": "much"}, behind_ms=HOUR_MS), id="unreadable"),
        pytest.param(row("clock.jumped", None, behind_ms=HOUR_MS), id="empty"),
        pytest.param(row("note", {"by_ms": -HOUR_MS}, behind_ms=HOUR_MS), id="another-kind"),
    ],
)
def test_what_happens_to_honest_clocks_is_none(innocent: EventRow) -> None:
    assert read_signs([innocent]) == {}


def test_another_device_is_a_sign_that_says_which() -> None:
    signs = read_signs([row("device.changed", {"device": "projector", "before": EPSON, "after": ACER})])
    assert list(signs) == [DEVICE_CHANGED]
    assert json.loads(signs[DEVICE_CHANGED])["after"] == ACER


def test_a_disk_that_went_back_in_time_is_a_sign() -> None:
    told = {"turns": 43, "last_seen_ms": NOW_MS}
    assert read_signs([row("host.rolled_back", told)]) == {DISK_SET_BACK: json.dumps(told, separators=(",", ":"))}
    assert read_signs([row("host.rolled_back", {"turns": "many"})]) == {}
