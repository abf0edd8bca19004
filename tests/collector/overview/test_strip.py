"""The time line of a station as its page draws it."""

from datetime import datetime

import pytest

from collector.overview.strip import SHAPES, Figure, draw, figures
from collector.timeline.presence import Presence, Stretch
from collector.timeline.queries import Availability
from shared.months import BEIJING

UP, DOWN = Presence.UP, Presence.DOWN


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=BEIJING).timestamp() * 1000)


NOW = at("2026-09-10 12:00")


def test_a_stretch_over_midnight_is_drawn_on_both_days() -> None:
    stretch = Stretch(1, at("2026-09-09 23:00"), at("2026-09-10 01:30"), DOWN, checked=True)
    today, before = draw([stretch], now_ms=NOW, days=2, zone=BEIJING)
    assert [(bar.x, bar.width) for bar in today.bars] == [(0, 90)]
    assert [(bar.x, bar.width) for bar in before.bars] == [(1380, 60)]
    assert {bar.from_ms for bar in (*today.bars, *before.bars)} == {stretch.from_ms}


def test_the_newest_day_is_on_top() -> None:
    days = draw([], now_ms=NOW, days=7, zone=BEIJING)
    assert [each.begin_ms for each in days][:2] == [at("2026-09-10 00:00"), at("2026-09-09 00:00")]
    assert [each.y for each in days] == sorted(each.y for each in days)


def test_every_presence_has_a_shape_of_its_own() -> None:
    assert set(SHAPES) == set(Presence)
    assert len({(each.top, each.height) for each in SHAPES.values()}) == len(Presence)


@pytest.mark.parametrize(
    ("told", "percent"),
    [
        (None, None),
        (Availability(up_ms=50, unknown_ms=50), None),
        (Availability(up_ms=90, down_ms=10), 90),
    ],
)
def test_too_little_knowledge_makes_no_percentage(told: Availability | None, percent: float | None) -> None:
    (found,) = figures({7: told}, since_ms=at("2026-08-01 00:00"), now_ms=NOW)
    assert found.percent == percent
    assert found.since_ms is None


def test_a_figure_of_a_young_station_says_since_when_and_once() -> None:
    hours, days = Availability(up_ms=25, down_ms=75), Availability(up_ms=60, down_ms=40)
    installed, last_week = at("2026-09-10 11:58"), at("2026-09-01 09:00")
    assert figures({7: hours, 30: hours}, since_ms=installed, now_ms=NOW) == [Figure(7, 25.0, 1.0, installed)]
    found = figures({7: hours, 30: days}, since_ms=last_week, now_ms=NOW)
    assert [(each.days, each.since_ms) for each in found] == [(7, None), (30, last_week)]
