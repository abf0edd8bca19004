"""A disk dies and the station is set up anew: same station, new stream, and what was lost in between is shown."""

import shutil

from agent.probes.base import Fact
from collector.intake.queries import Tail, list_unknown_tails
from tests.scenarios.harness import District, StoryStation

AIGUO = "宝轮镇 爱国社区"


def tails(district: District) -> list[Tail]:
    async def load() -> list[Tail]:
        async with district.centre.database.read() as connection:
            return await list_unknown_tails(connection, district.register.district_id)

    return district.run(load())


def loses_its_disk(station: StoryStation) -> None:
    """Everything the agent had is gone; the operator types a new code."""
    station.stops()
    shutil.rmtree(station.folder)
    station.district.enrols_again(station, station.title)
    station.reboots("d" * 32)


def test_what_a_dead_disk_took_with_it_is_counted(district: District) -> None:
    station = district.station(AIGUO)
    district.passes(minutes=7)
    station.records(*(Fact("note", {"number": number}) for number in range(900)))
    district.passes(minutes=1, step_s=30)
    station.loses_network()
    district.passes(minutes=3)
    station.regains_network()
    loses_its_disk(station)
    district.passes(minutes=12)

    (tail,) = tails(district)
    assert tail.station_id == district.register.stations[AIGUO]
    assert tail.told == 901
    assert 0 < tail.lines < 901


def test_the_month_report_says_that_something_is_missing(district: District) -> None:
    station = district.station(AIGUO)
    district.passes(minutes=7)
    station.records(*(Fact("note", {"number": number}) for number in range(900)))
    district.passes(minutes=1, step_s=30)
    loses_its_disk(station)
    district.passes(minutes=12)

    assert district.month_of(AIGUO, "2026-09").completeness.lost == tails(district)[0].lines


def test_a_disk_that_dies_with_everything_delivered_leaves_no_tail(district: District) -> None:
    station = district.station(AIGUO)
    station.records(Fact("note", {}))
    district.passes(minutes=20)
    loses_its_disk(station)
    district.passes(minutes=12)

    assert tails(district) == []


def test_the_station_is_the_same_and_its_history_goes_on(district: District) -> None:
    station = district.station(AIGUO)
    station.plays("油橄榄丰产栽培 第1讲", minutes=30)
    district.passes(minutes=7)
    loses_its_disk(station)
    station.plays("油橄榄丰产栽培 第2讲", minutes=30, sha256="cd" * 32)
    district.passes(minutes=7)

    assert len(district.month_of(AIGUO, "2026-09").played_names) == 2
