"""Stations whose clocks lie while films run: every anchored event is booked within two seconds of the truth."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from collector.intake.models import events
from shared.months import month_of
from tests.scenarios.harness import District, StoryStation

AIGUO = "宝轮镇 爱国社区"
FILM = "油橄榄丰产栽培 第1讲"
DAY_MS = 86_400_000


def year(number: int) -> int:
    return int(datetime(number, 1, 1, tzinfo=UTC).timestamp() * 1000)


def booked(district: District) -> list[tuple[str, int, int, bool]]:
    """Kind, booked time, booked month and flag of every playback event of the station, in order."""

    async def load() -> list[tuple[str, int, int, bool]]:
        async with district.centre.database.read() as connection:
            mine = events.c.station_id == district.register.stations[AIGUO]
            columns = select(events.c.kind, events.c.booked_ms, events.c.booked_month, events.c.uncertain)
            rows = await connection.execute(
                columns.where(mine, events.c.kind.like("playback.%")).order_by(events.c.received_ms, events.c.seq)
            )
            return [(row[0], row[1], row[2], row[3]) for row in rows]

    return district.run(load())


START_MS = int(datetime(2026, 9, 10, 1, tzinfo=UTC).timestamp() * 1000)

LIES: dict[str, Callable[[int], int]] = {
    "1970": lambda true_ms: true_ms - START_MS + 60_000,
    "2000": lambda true_ms: true_ms - START_MS + year(2000),
    "2035": lambda true_ms: true_ms - START_MS + year(2035),
    "2038": lambda true_ms: true_ms - START_MS + year(2038) + 18 * DAY_MS,
    "a day back": lambda true_ms: true_ms - DAY_MS,
    "400 days ahead": lambda true_ms: true_ms + 400 * DAY_MS,
    "ten times too fast": lambda true_ms: START_MS + 10 * (true_ms - START_MS),
    "frozen": lambda _: START_MS - 40 * DAY_MS,
}


@pytest.mark.parametrize("lie", LIES)
def test_a_film_under_a_lying_clock_is_booked_when_it_ran(district: District, lie: str) -> None:
    station = district.station(AIGUO)
    station.believes = LIES[lie]
    district.passes(minutes=7)
    begun_ms = district.clock.now().wall_ms
    station.plays(FILM, minutes=30)
    district.passes(minutes=7)

    (_, began_ms, *began), (_, ended_ms, *ended) = booked(district)
    assert abs(began_ms - begun_ms) <= 2_000
    assert abs(ended_ms - began_ms - 30 * 60_000) <= 2_000
    assert (began, ended) == ([202609, False], [202609, False])


@pytest.mark.parametrize("to", [year(1970), year(2000), year(2038)])
def test_a_clock_that_jumps_in_the_middle_of_a_film_moves_nothing(district: District, to: int) -> None:
    station = district.station(AIGUO)
    district.passes(minutes=7)
    jump_ms = district.clock.now().wall_ms + 15 * 60_000
    station.believes = lambda true_ms: true_ms if true_ms < jump_ms else true_ms - jump_ms + to
    station.plays(FILM, minutes=30)
    district.passes(minutes=7)

    (_, began_ms, *began), (_, ended_ms, *ended) = booked(district)
    assert abs(ended_ms - began_ms - 30 * 60_000) <= 2_000
    assert (began, ended) == ([202609, False], [202609, False])


def test_the_report_counts_a_film_played_under_a_dead_clock(district: District) -> None:
    station = district.station(AIGUO)
    station.believes = LIES["1970"]
    station.plays(FILM, minutes=30)
    district.passes(minutes=7)

    assert district.month_of(AIGUO, "2026-09").figures.level_minutes == {"E2": 30}


def test_a_film_of_a_boot_that_was_heard_once_is_placed_by_its_anchor(district: District) -> None:
    station = district.station(AIGUO)
    station.believes = LIES["2000"]
    district.passes(minutes=7)
    station.loses_network()
    begun_ms = district.clock.now().wall_ms
    station.plays(FILM, minutes=30)
    station.reboots("2" * 32)
    district.clock.advance(days=45)
    station.regains_network()
    district.passes(minutes=12)

    (_, began_ms, *began), (_, ended_ms, *ended) = booked(district)
    assert abs(began_ms - begun_ms) <= 2_000
    assert abs(ended_ms - began_ms - 30 * 60_000) <= 2_000
    assert (began, ended) == ([202609, False], [202609, False])


@pytest.mark.parametrize("lie", ["1970", "2038", "a day back"])
def test_a_film_of_a_boot_nobody_ever_heard_is_flagged(district: District, lie: str) -> None:
    station = district.station(AIGUO)
    district.passes(minutes=7)
    station.loses_network()
    station.reboots("2" * 32)
    station.believes = LIES[lie]
    station.plays(FILM, minutes=30)
    station.reboots("3" * 32)
    station.regains_network()
    district.passes(minutes=12)

    rows = booked(district)
    present_ms = district.clock.now().wall_ms
    assert [uncertain for *_, uncertain in rows] == [True, True]
    assert {month for _, _, month, _ in rows} == {month_of(present_ms)}


def reboots_often(station: StoryStation, times: int) -> None:
    for number in range(times):
        station.reboots(f"{number:x}" * 32)
        station.plays(f"第{number}讲", minutes=20, sha256=f"{number:02x}" * 32)


def test_every_boot_that_is_heard_books_rightly_however_its_clock_starts(district: District) -> None:
    station = district.station(AIGUO)
    station.believes = LIES["1970"]
    reboots_often(station, 6)
    district.passes(minutes=7)

    assert [uncertain for *_, uncertain in booked(district)] == [False] * 12
    assert {month for _, _, month, _ in booked(district)} == {202609}
