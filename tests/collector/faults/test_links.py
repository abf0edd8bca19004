"""A link that breaks again and again is one fault that counts the cuts; one that stays broken is silence."""

import asyncio

from collector.faults.links import LOOKS, Track, is_lost, move_on, note, weigh
from tests.watching import PERIOD_S, Watch, watch

TITLE = "宝轮镇 红星村"
PERIOD_MS = PERIOD_S * 1000


def follow(pattern: str) -> Track | None:
    """A link looked at once a period: `-` up, `x` lost."""
    track: Track | None = None
    for look, sign in enumerate(pattern):
        track = note(track, 1, lost=sign == "x", look=look, first_look=0, now_ms=look * PERIOD_MS)
    return track


def percent(pattern: str) -> float:
    track = follow(pattern)
    link = None if track is None else weigh(track, look=len(pattern) - 1, first_look=0)
    return 0.0 if link is None else link.percent


def test_a_link_that_never_breaks_is_not_remembered() -> None:
    assert follow("-" * 30) is None


def test_the_newest_change_weighs_most() -> None:
    assert percent("-x") == 5.9
    assert percent("x" + "x" * (LOOKS - 1)) == 4.0
    assert percent("-" + "x-" * 10) == 99.0


def test_three_cuts_in_a_hundred_minutes_shake_and_one_does_not() -> None:
    assert percent("-" * 8 + "xx--xx--xx--") > 30
    assert percent("-" * 8 + "xxxx" + "-" * 8) < 30


def test_a_link_that_stays_up_is_forgotten_and_one_that_stays_lost_shakes_no_more() -> None:
    assert follow("xx--xx--xx--" + "-" * LOOKS) is None
    track = follow("xx--xx--xx" + "x" * LOOKS)
    assert track is not None
    assert (track.lost, weigh(track, look=100, first_look=0)) == (True, None)


def test_cuts_are_counted_from_the_first_of_a_row() -> None:
    track = follow("-" * 3 + "x-x-x-")
    assert track is not None
    assert (track.cuts, track.since_ms) == (3, 3 * PERIOD_MS)


def test_cuts_of_another_time_are_not_counted() -> None:
    track = follow("x-x-" + "-" * LOOKS + "x")
    assert track is not None
    assert track.cuts == 1


def test_looks_that_the_centre_could_not_take_push_nothing_out_of_the_ring() -> None:
    track = Track(1, lost=False, ring=0b101, look=10, cuts=2, since_ms=0)
    assert move_on(track, look=100, first_look=99) == 0b10100
    assert move_on(track, look=100, first_look=0) == 0


def test_a_heartbeat_is_missing_after_two_periods() -> None:
    assert not is_lost(0, from_ms=0, period_ms=100, now_ms=199)
    assert is_lost(0, from_ms=0, period_ms=100, now_ms=200)
    assert not is_lost(0, from_ms=100, period_ms=100, now_ms=299)


async def _shake(district: Watch, times: int, titles: set[str]) -> None:
    for _ in range(times):
        district.silent = titles
        await district.run(10)
        district.silent = set()
        await district.run(5)


def test_a_link_that_shakes_is_one_ticket_that_counts_the_cuts(database_url: str) -> None:
    async def story() -> list[tuple[str, int]]:
        async with watch(database_url) as district:
            await _shake(district, 6, {TITLE})
            return [(each.rule, each.facts["cuts"]) for each in await district.tickets(open_only=False)]

    assert asyncio.run(story()) == [("link_unstable", 6)]


def test_silence_below_a_shaking_link_is_kept_and_told_when_it_stays(database_url: str) -> None:
    async def story() -> tuple[list[tuple[str, str | None]], list[str], list[tuple[str, str]]]:
        async with watch(database_url) as district:
            await _shake(district, 6, {TITLE})
            district.silent = {TITLE}
            await district.run(25)
            below = [(row.rule, row.symptom_of) for row in (await district.findings()).values()]
            early = sorted(each.rule for each in await district.tickets())
            await district.run(100)
            return below, early, [(each.rule, each.state) for each in await district.tickets()]

    below, early, late = asyncio.run(story())
    assert sorted(below) == [("link_unstable", None), ("station_silent", "station/2")]
    assert early == ["link_unstable"]
    assert late == [("station_silent", "open")]


def test_a_township_whose_line_shakes_is_one_ticket(database_url: str) -> None:
    async def story() -> list[str]:
        async with watch(database_url) as district:
            titles = {each for each in district.district.stations if each.startswith("宝轮镇")}
            await _shake(district, 6, titles)
            return [each.rule for each in await district.tickets(open_only=False)]

    assert asyncio.run(story()) == ["area_unstable"]
