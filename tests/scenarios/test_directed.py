"""Stories of a centre that directs its stations: settings and commands, over bad links and restarts."""

from pathlib import Path

import pytest
from sqlalchemy import delete

from agent.probes.base import Fact
from agent.probes.courseware import PROBE, CoursewareSettings, memo_key
from collector.directions import queries, service
from collector.directions.queries import CommandRow
from collector.people.access import Visitor
from collector.people.queries import get_person
from collector.stations.queries import get_state
from collector.usage.models import stock as stock_table
from collector.usage.stock_queries import list_stock
from shared.wire.v1 import Heartbeat, SettingsReport
from tests import media
from tests.scenarios.harness import District, StoryStation

VILLAGE = "大石镇 红岩村"
TWO_HEARTBEATS = 13
"""Minutes: a heartbeat is due after 5, give or take a twentieth, and a story looks once a minute."""


def director(district: District) -> Visitor:
    async def load() -> Visitor:
        async with district.centre.database.read() as connection:
            person = await get_person(connection, district.register.district_id, district.register.people["主任"])
        assert person is not None
        return Visitor(person, "", "利州区")

    return district.run(load())


def order(district: District, verb: str) -> str:
    visitor, station_id = director(district), district.register.stations[VILLAGE]

    async def act() -> str:
        async with district.centre.database.write() as connection:
            return await service.order(connection, visitor, station_id, verb, {}, now_ms=district.centre.now_ms)

    return district.run(act())


def set_all(district: District, **document: object) -> int:
    visitor = director(district)

    async def act() -> int:
        async with district.centre.database.write() as connection:
            return await service.change_settings(connection, visitor, None, document, now_ms=district.centre.now_ms)

    return district.run(act())


def commands(district: District) -> list[CommandRow]:
    async def load() -> list[CommandRow]:
        async with district.centre.database.read() as connection:
            station_id = district.register.stations[VILLAGE]
            return await queries.list_commands(connection, district.register.district_id, station_id)

    return district.run(load())


def heartbeat(district: District) -> Heartbeat:
    async def load() -> Heartbeat:
        async with district.centre.database.read() as connection:
            station_id = district.register.stations[VILLAGE]
            state = await get_state(connection, district.register.district_id, station_id)
        assert state is not None
        return Heartbeat.model_validate_json(state.heartbeat)

    return district.run(load())


def test_a_command_is_carried_out_within_two_heartbeats_and_its_answer_closes_it(district: District) -> None:
    district.passes(minutes=6)
    order(district, "rescan")

    district.passes(minutes=TWO_HEARTBEATS)

    assert [(each.verb, each.outcome) for each in commands(district)] == [("rescan", "done")]


def test_a_command_to_a_station_whose_answers_get_lost_is_still_done_once(district: District) -> None:
    station = district.station(VILLAGE)
    district.passes(minutes=6)
    order(district, "rescan")
    district.passes(minutes=6)
    station.transport.deaf = True
    district.passes(minutes=30)
    station.transport.deaf = False
    station.stops()
    district.passes(minutes=15)

    assert [each.outcome for each in commands(district)] == ["done"]
    assert station.agent is not None
    assert len(station.agent.spool.recall("commands")) == 1


def test_an_order_to_a_projector_that_is_not_there_is_refused_with_the_reason(district: District) -> None:
    district.passes(minutes=6)
    order(district, "projector_off")
    district.passes(minutes=TWO_HEARTBEATS)

    assert [(each.outcome, each.reason) for each in commands(district)] == [
        ("refused", "no projector is watched at this station")
    ]


def test_a_command_from_before_a_long_absence_is_not_done_on_return(district: District) -> None:
    station = district.station(VILLAGE)
    district.passes(minutes=6)
    station.loses_network()
    order(district, "rescan")
    district.passes(hours=2)
    station.regains_network()
    district.passes(minutes=15)

    assert [(each.outcome, each.answered_ms) for each in commands(district)] == [("", None)]


def test_settings_of_the_district_are_in_force_everywhere_and_survive_a_restart(district: District) -> None:
    district.passes(minutes=6)
    version = set_all(district, open_hours=["1-5 08:30-18:00"], probes={"audio": {"enabled": False}})
    district.passes(minutes=TWO_HEARTBEATS)
    before = heartbeat(district)
    district.station(VILLAGE).stops()
    district.passes(minutes=6)
    after = heartbeat(district)

    for told in (before, after):
        assert told.settings == SettingsReport(version=version)
        assert told.open_hours == ["1-5 08:30-18:00"]
        assert "audio" not in told.probes
        assert "courseware" in told.probes


def test_settings_a_station_cannot_take_are_refused_and_said_in_the_heartbeat(district: District) -> None:
    district.passes(minutes=6)
    version = set_all(district, probes={"projector": {"host": "192.168.1.20"}})
    district.passes(minutes=TWO_HEARTBEATS)

    told = heartbeat(district).settings
    assert (told.version, told.refused) == (0, version)
    assert "host" in told.reason


@pytest.mark.parametrize("minutes", [30])
def test_settings_never_touch_what_is_recorded(district: District, minutes: int) -> None:
    station = district.station(VILLAGE)
    station.plays("水稻育秧", minutes=10)
    station.loses_network()
    station.plays("柑橘修剪", minutes=10)
    assert station.agent is not None
    waiting = station.agent.spool.depth()
    set_all(district, heartbeat_s=600)
    station.regains_network()
    district.passes(minutes=minutes)

    assert station.agent.spool.depth().last >= waiting.last
    assert station.agent.spool.depth().waiting == 0
    assert station.agent.uplink.heartbeat_s == 600


def test_a_centre_that_lost_what_a_station_holds_asks_for_the_inventory(district: District, tmp_path: Path) -> None:
    district.passes(minutes=6)
    watches_films(district.station(VILLAGE), tmp_path / "films")
    district.passes(minutes=15)
    assert stock(district) == ["油橄榄 第1讲"]
    forget_stock(district)
    assert stock(district) == []

    order(district, "send_inventory")
    district.passes(minutes=TWO_HEARTBEATS)

    assert stock(district) == ["油橄榄 第1讲"]
    assert [(each.verb, each.outcome) for each in commands(district)] == [("send_inventory", "done")]


def test_a_centre_that_believes_in_a_film_that_is_gone_asks_by_itself_and_learns(
    district: District, tmp_path: Path
) -> None:
    district.passes(minutes=6)
    station = district.station(VILLAGE)
    gone = {"sha256": "cd" * 32, "name": "梨树.mp4", "title": "梨树", "size": 1}
    station.records(Fact("courseware.found", gone))
    district.passes(minutes=2)
    watches_films(station, tmp_path / "films")
    district.passes(minutes=15)
    assert stock(district) == ["油橄榄 第1讲", "梨树"]

    district.passes(hours=2)

    assert stock(district) == ["油橄榄 第1讲"]
    assert [(each.verb, each.outcome, each.person_id) for each in commands(district)] == [
        ("send_inventory", "done", None)
    ]


def watches_films(station: StoryStation, films: Path) -> None:
    """One film lies in a folder that the real sensor looks at from now on."""
    assert station.agent is not None
    films.mkdir()
    (films / "油橄榄 第1讲.mp4").write_bytes(media.mp4())
    settings = CoursewareSettings(directory=films, settle_s=0)
    station.agent.runner.configure([("courseware", PROBE, settings)], memo_key=memo_key)


def stock(district: District) -> list[str]:
    async def load() -> list[str]:
        async with district.centre.database.read() as connection:
            station_id = district.register.stations[VILLAGE]
            return [each.title for each in await list_stock(connection, district.register.district_id, station_id, 10)]

    return district.run(load())


def forget_stock(district: District) -> None:
    async def forget() -> None:
        async with district.centre.database.write() as connection:
            await connection.execute(delete(stock_table))

    district.run(forget())
