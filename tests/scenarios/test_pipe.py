"""Stories of the pipe: what a station records reaches the centre, once."""

from sqlalchemy import func, select

from agent.probes.base import Fact
from collector.intake.models import events, streams
from tests.scenarios.harness import District


def stored(district: District, title: str) -> list[str]:
    """Kinds of events the centre holds of a station, in order."""

    async def load() -> list[str]:
        async with district.centre.database.read() as connection:
            mine = events.c.station_id == district.register.stations[title]
            rows = await connection.execute(select(events.c.kind).where(mine).order_by(events.c.seq))
            return list(rows.scalars())

    return district.run(load())


def test_what_a_station_records_is_at_the_centre_a_minute_later(district: District) -> None:
    station = district.station("宝轮镇 爱国社区")
    station.records(Fact("note", {"text": "甲"}))
    district.passes(minutes=2)
    assert stored(district, station.title) == ["stream.opened", "note"]


def test_a_cut_network_loses_nothing_and_doubles_nothing(district: District) -> None:
    station = district.station("宝轮镇 爱国社区")
    district.passes(minutes=1)
    station.loses_network()
    for name in "甲乙丙":
        station.records(Fact("note", {"text": name}))
        district.passes(hours=1, step_s=600)
    station.regains_network()
    district.passes(minutes=10)
    assert stored(district, station.title) == ["stream.opened", "note", "note", "note"]


def test_every_stream_at_the_centre_ends_where_its_station_stands(district: District) -> None:
    district.station("大石镇 红岩村").records(Fact("note", {}))
    district.passes(minutes=6)

    async def load() -> int:
        async with district.centre.database.read() as connection:
            return int((await connection.execute(select(func.sum(streams.c.stored)))).scalar_one())

    assert district.run(load()) == 6
