"""How a lamp ages and how long it has been burning, as far as anybody saw."""

import pytest

from agent.probes._burning import Burning, add_point, dump_points, hours_a_day, read_points
from tests.clocks import ManualClock

DAY_MS = 86_400_000


def grow(*hours: int) -> list[tuple[int, int]]:
    """One look a day."""
    points: list[tuple[int, int]] = []
    for day, each in enumerate(hours):
        points = add_point(points, each, wall_ms=(20_000 + day) * DAY_MS)
    return points


def test_a_lamp_that_burns_three_hours_a_day_is_said_to() -> None:
    assert hours_a_day(grow(*range(100, 127, 3))) == 3.0


def test_before_a_week_nothing_is_said() -> None:
    assert hours_a_day(grow(*range(7))) is None
    assert hours_a_day(grow(*range(8))) == 1.0
    assert hours_a_day([]) is None


def test_only_the_last_thirty_days_count() -> None:
    points = grow(*range(0, 400, 10), *range(401, 431))

    assert len(points) == 30
    assert hours_a_day(points) == 1.0


def test_a_day_has_one_point_however_often_one_looks() -> None:
    points = grow(100)

    assert add_point(points, 103, wall_ms=20_000 * DAY_MS + 7_200_000) == points


def test_a_new_lamp_begins_anew() -> None:
    assert grow(3000, 3003, 0, 3) == [(20_002, 0), (20_003, 3)]


def test_days_of_a_wrong_clock_do_not_outlive_its_correction() -> None:
    points = add_point(grow(100), 100, wall_ms=30_000 * DAY_MS)

    assert add_point(points, 101, wall_ms=20_001 * DAY_MS) == [(20_001, 101)]


def test_points_survive_the_memo_and_a_spoilt_memo_begins_anew() -> None:
    assert read_points(dump_points(grow(1, 2))) == grow(1, 2)


@pytest.mark.parametrize("text", [None, "", "[1", "7", "[[1]]", '[["a","b"]]', "{}", "[[1,2,3]]"])
def test_a_memo_that_is_none_has_no_points(text: str | None) -> None:
    assert read_points(text) == []


def watch(clock: ManualClock, burning: Burning, *looks: tuple[str | None, bool | None]) -> None:
    """A look a minute."""
    for power, is_open in looks:
        clock.advance(minutes=1)
        burning.see(power, clock.now(), is_open=is_open)


def test_a_projector_left_on_after_hours_counts_its_time(clock: ManualClock) -> None:
    burning = Burning()

    watch(clock, burning, ("warming", True), ("on", True), *[("on", False)] * 10)

    assert (burning.on_s(clock.now()), burning.after_ms) == (660, 600_000)


def test_switching_off_ends_the_count_and_cooling_is_off(clock: ManualClock) -> None:
    burning = Burning()

    watch(clock, burning, *[("on", False)] * 5, ("cooling", False))

    assert (burning.on_s(clock.now()), burning.after_ms) == (None, 0)


def test_what_nobody_watched_is_not_counted_as_after_hours(clock: ManualClock) -> None:
    burning = Burning()
    watch(clock, burning, ("on", False), (None, False))
    clock.advance(hours=8)
    watch(clock, burning, ("on", False), ("on", False))

    assert burning.after_ms == 60_000


def test_a_sleep_of_the_pc_counts_for_minutes_at_most(clock: ManualClock) -> None:
    burning = Burning()
    watch(clock, burning, ("on", False))
    clock.advance(hours=8)
    watch(clock, burning, ("on", False))

    assert burning.after_ms == 300_000


def test_without_opening_hours_nothing_is_after_hours(clock: ManualClock) -> None:
    burning = Burning()

    watch(clock, burning, *[("on", None)] * 5)

    assert (burning.on_s(clock.now()), burning.after_ms) == (240, 0)
