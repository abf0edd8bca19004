"""The time line of a station as its page draws it."""

from datetime import datetime

from collector.overview.strip import SHAPES, draw, figure
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


def test_too_little_knowledge_makes_no_percentage() -> None:
    assert figure(7, None).percent is None
    assert figure(7, Availability(up_ms=50, unknown_ms=50)).percent is None
    assert figure(7, Availability(up_ms=90, down_ms=10)).percent == 90
