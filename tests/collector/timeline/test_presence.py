"""What a time line says at a moment, what it says of time nobody kept, and what records of boots make of silence."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.timeline.presence import Boot, Ear, Presence, Sight, Stretch, excuse, find_gap, join, judge_again, move

MINUTE_MS = 60_000
NOON_MS = 1_788_000_000_000
"""Twenty to seven in the evening in Beijing, in truth; the stations below open three hours before it."""
OPENED_MS = NOON_MS - 180 * MINUTE_MS
UP, DOWN, OFF, UNKNOWN = Presence.UP, Presence.DOWN, Presence.OFF, Presence.UNKNOWN

Told = list[tuple[Presence, int, int | None]]


def minutes(stretches: Sequence[Stretch]) -> Told:
    """Presence, beginning and end of each, in minutes after noon."""
    return [
        (each.presence, _minute(each.from_ms), None if each.to_ms is None else _minute(each.to_ms))
        for each in stretches
    ]


def _minute(ms: int) -> int:
    return (ms - NOON_MS) // MINUTE_MS


def at(minute: float) -> int:
    return NOON_MS + round(minute * MINUTE_MS)


def ear(now: float, *, until: float | None = None, ready: float = -1000) -> Ear:
    until_ms = at(now - 0.25) if until is None else at(until)
    return find_gap(until_ms, ready_since_ms=at(ready), period_ms=300_000, grace_ms=600_000, now_ms=at(now))


def sight(heard: float, *, on: bool = True, since: float = -180, gap: Sequence[tuple[int, bool]] = ()) -> Sight:
    return Sight(1, at(heard), on, at(since), gap)


def lasting(presence: Presence, since: float) -> Stretch:
    return Stretch(1, at(since), None, presence, checked=True)


@pytest.mark.parametrize(
    ("seen", "before", "now", "expected"),
    [
        pytest.param(sight(0), None, 1, [(UP, 0, None)], id="first-heard"),
        pytest.param(sight(0), lasting(UP, -60), 14, [], id="late"),
        pytest.param(sight(0), lasting(UP, -60), 15, [(DOWN, 5, None)], id="silent"),
        pytest.param(sight(0), lasting(DOWN, -60), 0.2, [(UP, 0, None)], id="back"),
        pytest.param(sight(0, on=False, since=1), lasting(UP, -60), 1, [(OFF, 1, None)], id="closing"),
        pytest.param(sight(0, since=1), lasting(OFF, -60), 1, [(UP, 1, None)], id="opening"),
        pytest.param(sight(-700, since=0), lasting(OFF, -60), 14, [], id="opens-late"),
        pytest.param(sight(-700, since=0), lasting(OFF, -60), 15, [(DOWN, 0, None)], id="does-not-open"),
        pytest.param(sight(12, since=0), lasting(OFF, -60), 12.1, [(UP, 0, None)], id="opened-within-the-grace"),
        pytest.param(sight(40, since=0), lasting(DOWN, 0), 40.1, [(UP, 40, None)], id="opened-late"),
        pytest.param(sight(-90), lasting(OFF, -60), 0, [(DOWN, 0, None)], id="cut-over-without-a-word"),
        pytest.param(sight(-1), lasting(OFF, -60), 0, [(UP, 0, None)], id="heard-when-the-cut-is-over"),
    ],
)
def test_the_time_line_follows_what_is_heard(seen: Sight, before: Stretch | None, now: float, expected: Told) -> None:
    assert minutes(move(seen, before, ear(now))) == expected


def test_our_own_downtime_is_unknown_and_not_down() -> None:
    line = lasting(UP, -60)
    back = ear(121, until=0, ready=120)
    (unknown,) = move(sight(-2, gap=[(at(0), True)]), line, back)
    assert minutes([unknown]) == [(UNKNOWN, 0, None)]
    assert move(sight(-2), unknown, ear(134, ready=120)) == []
    assert minutes(move(sight(-2), unknown, ear(135, ready=120))) == [(DOWN, 125, None)]
    assert minutes(move(sight(122), unknown, ear(122.1, ready=120))) == [(UP, 122, None)]


def test_a_station_heard_at_once_after_our_downtime_was_unknown_meanwhile() -> None:
    seen = sight(120.5, gap=[(at(0), True)])
    assert minutes(move(seen, lasting(UP, -60), ear(121, until=0, ready=120))) == [(UNKNOWN, 0, 120), (UP, 120, None)]


def test_a_pause_of_ours_shorter_than_a_period_costs_no_knowledge() -> None:
    assert move(sight(-2), lasting(UP, -60), ear(4, until=0, ready=4)) == []


def test_nights_within_our_downtime_are_off() -> None:
    gap = [(at(0), True), (at(140), False), (at(860), True)]
    stretches = move(sight(900, since=860, gap=gap), lasting(UP, -60), ear(901, until=0, ready=890))
    assert minutes(stretches) == [(UNKNOWN, 0, 140), (OFF, 140, 860), (UNKNOWN, 860, 900), (UP, 900, None)]


def test_while_the_centre_is_deaf_everything_that_opens_is_unknown() -> None:
    assert minutes(move(sight(-700, since=10), lasting(OFF, -60), ear(11, ready=11))) == [(UNKNOWN, 10, None)]


def test_ticks_that_were_lost_leave_a_gap_though_stations_were_heard() -> None:
    told = move(sight(595, gap=[(at(0), True)]), lasting(UP, -60), ear(600, until=0))
    assert minutes(told) == [(UNKNOWN, 0, 595), (UP, 595, None)]


@pytest.mark.parametrize(
    ("boots", "alive_since", "expected"),
    [
        pytest.param([], -500, [(UP, 0, 60)], id="the-link-was-cut"),
        pytest.param([Boot(at(40), at(10))], 40, [(UP, 0, 10), (DOWN, 10, 40), (UP, 40, 60)], id="switched-off"),
        pytest.param([Boot(at(60), at(-1))], 60, [(DOWN, 0, 60)], id="off-all-the-time"),
        pytest.param(
            [Boot(at(20), at(10)), Boot(at(50), at(30))],
            50,
            [(UP, 0, 10), (DOWN, 10, 20), (UP, 20, 30), (DOWN, 30, 50), (UP, 50, 60)],
            id="two-boots",
        ),
        pytest.param([Boot(at(40), None)], 40, [(DOWN, 0, 40), (UP, 40, 60)], id="no-last-sign-of-life"),
        pytest.param([], 70, [(DOWN, 0, 60)], id="no-record-reaches"),
    ],
)
def test_the_records_of_a_returning_station_tell_a_cut_link_from_a_pc_that_was_off(
    boots: list[Boot], alive_since: float, expected: Told
) -> None:
    silence = Stretch(1, at(0), at(60), DOWN, checked=False)
    again = judge_again(silence, boots, alive_since_ms=at(alive_since))
    assert minutes(again) == expected
    assert all(each.checked for each in again)


edges = st.lists(st.integers(-100, 200), min_size=0, max_size=8)


@given(edges=edges, alive_since=st.integers(-100, 200))
def test_a_silence_judged_again_is_as_long_as_it_was(edges: list[int], alive_since: int) -> None:
    ordered = sorted(edges)
    boots = [Boot(at(began), at(seen)) for seen, began in zip(ordered[::2], ordered[1::2], strict=False)]
    again = judge_again(Stretch(1, at(0), at(60), UNKNOWN, checked=False), boots, alive_since_ms=at(alive_since))
    assert again[0].from_ms == at(0)
    assert again[-1].to_ms == at(60)
    assert all(each.to_ms == later.from_ms for each, later in pairwise(again))
    assert all(each.from_ms < (each.to_ms or 0) for each in again)


@pytest.mark.parametrize(
    ("until", "spans", "expected"),
    [
        pytest.param(60, [], [(DOWN, 0, 60)], id="none"),
        pytest.param(60, [(10, 20)], [(DOWN, 0, 10), (OFF, 10, 20), (DOWN, 20, 60)], id="inside"),
        pytest.param(60, [(-10, 70)], [(OFF, 0, 60)], id="around"),
        pytest.param(60, [(-20, -10), (50, 70)], [(DOWN, 0, 50), (OFF, 50, 60)], id="at-its-end"),
        pytest.param(60, [(-5, 5), (10, 20)], [(OFF, 0, 5), (DOWN, 5, 10), (OFF, 10, 20), (DOWN, 20, 60)], id="twice"),
        pytest.param(60, [(60, 90)], [(DOWN, 0, 60)], id="after-it"),
        pytest.param(None, [(10, 20)], [(DOWN, 0, 10), (OFF, 10, 20), (DOWN, 20, None)], id="it-lasts"),
        pytest.param(None, [(10, 120)], [(DOWN, 0, 10), (OFF, 10, None)], id="both-last"),
        pytest.param(None, [(100, 120)], [(DOWN, 0, None)], id="still-ahead"),
    ],
)
def test_an_outage_told_of_afterwards_is_cut_out_of_what_was_written(
    until: int | None, spans: list[tuple[int, int]], expected: Told
) -> None:
    silence = Stretch(1, at(0), None if until is None else at(until), DOWN, checked=False)
    told = [(at(begin), at(end)) for begin, end in spans]
    assert minutes(excuse(silence, told, now_ms=at(100))) == expected


def test_neighbours_that_say_the_same_are_shown_as_one() -> None:
    pieces = [Stretch(1, 0, 5, UP, True), Stretch(1, 5, 9, UP, True), Stretch(1, 9, 12, DOWN, True)]
    assert [(each.from_ms, each.to_ms) for each in join(pieces)] == [(0, 9), (9, 12)]
