"""One identity on two PCs: found by the second push, held aside, and set free by a person only."""

from typing import Any

from sqlalchemy import select

from agent.probes.base import Fact
from collector.intake.models import security_events
from collector.stations import service as stations
from collector.stations.queries import get_state
from tests.scenarios.harness import District, StoryStation
from tests.scenarios.test_pipe import stored

AIGUO = "宝轮镇 爱国社区"
LONGEST_PERIOD_MS = 315_000
"""Between two heartbeats: five minutes and a twentieth of jitter."""


def evidence(district: District) -> list[str]:
    async def load() -> list[str]:
        async with district.centre.database.read() as connection:
            rows = await connection.execute(select(security_events.c.kind).order_by(security_events.c.at_ms))
            return list(rows.scalars())

    return district.run(load())


def held_since(district: District) -> int | None:
    async def load() -> int | None:
        async with district.centre.database.read() as connection:
            state = await get_state(connection, district.register.district_id, district.register.stations[AIGUO])
            return None if state is None else state.held_ms

    return district.run(load())


def release(district: District) -> None:
    async def act() -> None:
        async with district.centre.database.write() as connection:
            station_id = district.register.stations[AIGUO]
            await stations.release(connection, district.register.district_id, station_id, now_ms=district.centre.now_ms)

    district.run(act())


def error_of(station: StoryStation) -> str:
    assert station.agent is not None
    return station.agent.uplink.last_error


def test_a_copied_disk_is_found_within_two_heartbeats_and_both_are_held_aside(district: District) -> None:
    station = district.station(AIGUO)
    district.passes(minutes=12)
    twin = station.is_copied("2")
    copied_ms = district.clock.now().wall_ms
    district.passes(minutes=18)

    found_ms = held_since(district)
    assert found_ms is not None
    assert found_ms - copied_ms <= 2 * LONGEST_PERIOD_MS
    assert evidence(district) == ["cloned"]
    assert (error_of(station), error_of(twin)) == ("/problems/held", "/problems/held")


def test_a_disk_copied_before_the_first_push_is_found_too(district: District) -> None:
    district.station(AIGUO).is_copied("2")
    district.passes(minutes=18)

    assert "cloned" in evidence(district)


def test_what_a_held_station_records_is_kept_and_counts_once_it_is_decided(district: District) -> None:
    station = district.station(AIGUO)
    district.passes(minutes=12)
    twin = station.is_copied("2")
    district.passes(minutes=18)
    before = stored(district, AIGUO)
    station.records(Fact("note", {"text": "甲"}))
    district.passes(minutes=30)
    while_held = stored(district, AIGUO)
    twin.dies()
    release(district)
    district.passes(minutes=12)

    assert while_held == before
    assert [kind for kind in stored(district, AIGUO) if kind == "note"] == ["note"]
    assert held_since(district) is None


def test_a_new_code_decides_for_the_machine_that_uses_it(district: District) -> None:
    station = district.station(AIGUO)
    district.passes(minutes=12)
    twin = station.is_copied("2")
    district.passes(minutes=18)
    district.enrols_again(twin, AIGUO)
    district.passes(minutes=12)

    assert held_since(district) is None
    assert error_of(twin) == ""
    assert error_of(station) == "/problems/key-revoked"


def test_two_machines_that_both_go_on_after_a_decision_are_found_again(district: District) -> None:
    station = district.station(AIGUO)
    district.passes(minutes=12)
    station.is_copied("2")
    district.passes(minutes=18)
    release(district)
    district.passes(minutes=30)

    assert evidence(district) == ["cloned", "cloned"]


def test_one_machine_that_reboots_and_loses_answers_is_never_held(district: District) -> None:
    station = district.station(AIGUO)
    for number in range(4):
        district.passes(minutes=7)
        station.transport.deaf = True
        district.passes(minutes=7)
        station.transport.deaf = False
        station.reboots(f"{number}" * 32)
        district.passes(minutes=7)

    assert evidence(district) == []


def test_a_power_cut_between_keeping_the_lease_and_the_acknowledgement_is_no_copy(district: District) -> None:
    station = district.station(AIGUO)
    district.passes(minutes=7)
    assert station.agent is not None
    keep: Any = station.agent.uplink.keeping
    lease_before = keep.lease
    district.passes(minutes=7)
    station.stops()
    (station.folder / "lease").write_text(lease_before, "ascii")
    district.passes(minutes=12)

    assert evidence(district) == []
