"""Stories of an upgrade from the centre: a ring first, then all; nobody is asked twice, everything can be read up."""

import pytest
from sqlalchemy import select

from agent.upgrade.installing import Running
from agent.upgrade.pointer import PACKAGE
from collector.errors import BadInputError, ConflictError, NotFoundError
from collector.people.models import audit
from collector.releases import service
from collector.releases.service import Progress
from tests.releases import KEYS, OTHER_KEY, make_release
from tests.scenarios.harness import District, StoryStation

VILLAGE, NEIGHBOUR = "大石镇 红岩村", "宝轮镇 爱国社区"
ASKS = {"hours": 7}


def take_in(district: District, release: bytes) -> str:
    async def act() -> str:
        async with district.centre.database.write() as connection:
            number, now_ms = district.register.district_id, district.centre.now_ms
            return (await service.add(connection, number, release, keys=KEYS, now_ms=now_ms)).version

    return district.run(act())


def offer(district: District, version: str, *titles: str, untried: bool = False) -> int:
    ring = [district.register.stations[title] for title in titles] or None

    async def act() -> int:
        async with district.centre.database.write() as connection:
            number, now_ms = district.register.district_id, district.centre.now_ms
            return await service.offer(connection, number, version, ring, now_ms=now_ms, untried=untried)

    return district.run(act())


def withdraw(district: District, version: str) -> None:
    async def act() -> None:
        async with district.centre.database.write() as connection:
            number, now_ms = district.register.district_id, district.centre.now_ms
            await service.withdraw(connection, number, version, now_ms=now_ms)

    district.run(act())


def progress(district: District, title: str) -> Progress:
    async def load() -> list[Progress]:
        async with district.centre.database.read() as connection:
            return await service.list_progress(connection, district.register.district_id)

    wanted = district.register.stations[title]
    return next(each for each in district.run(load()) if each.station.station_id == wanted)


def audited(district: District) -> list[tuple[str, str]]:
    async def load() -> list[tuple[str, str]]:
        async with district.centre.database.read() as connection:
            statement = select(audit.c.action, audit.c.object).where(audit.c.object.like("release/%"))
            return [(row[0], row[1]) for row in await connection.execute(statement.order_by(audit.c.entry_id))]

    return district.run(load())


def launched(district: District, *titles: str) -> list[StoryStation]:
    """These stations' agents were started by a launcher and trust the tests' key."""
    district.passes(minutes=1)
    stations = [district.station(title) for title in titles]
    for station in stations:
        assert station.agent is not None
        station.agent.upgrader.running, station.agent.upgrader.keys = Running("0.1.0", PACKAGE), KEYS
    return stations


def test_a_ring_first_then_all_and_who_has_it_is_not_asked_again(district: District) -> None:
    first, second = launched(district, VILLAGE, NEIGHBOUR)
    assert first.agent is not None
    assert second.agent is not None
    take_in(district, make_release("0.2.0"))
    with pytest.raises(ConflictError, match="先给几个站点试用"):
        offer(district, "0.2.0")

    offer(district, "0.2.0", VILLAGE)
    district.passes(**ASKS, step_s=120)

    assert first.agent.upgrader.switched
    assert not second.agent.upgrader.switched
    assert progress(district, VILLAGE).words == "已下载 100%"
    offer(district, "0.2.0", untried=True)
    district.passes(**ASKS, step_s=120)
    assert second.agent.upgrader.switched
    assert progress(district, NEIGHBOUR).offered == "0.2.0"
    assert audited(district) == [
        ("release.added", "release/0.2.0"),
        ("release.offered", "release/0.2.0"),
        ("release.offered", "release/0.2.0"),
    ]


def test_a_station_that_cannot_take_it_says_why_where_the_centre_reads(district: District) -> None:
    launched(district, VILLAGE)
    take_in(district, make_release("0.2.0", needs={"absent": "1"}))
    offer(district, "0.2.0", VILLAGE)
    district.passes(**ASKS, step_s=120)

    told = progress(district, VILLAGE)
    assert (told.running, told.offered) == ("0.1.0", "0.2.0")
    assert "absent" in told.words
    assert "absent" in told.report.reason


def test_what_is_withdrawn_is_offered_to_nobody(district: District) -> None:
    (station,) = launched(district, VILLAGE)
    assert station.agent is not None
    take_in(district, make_release("0.2.0"))
    offer(district, "0.2.0", VILLAGE)
    withdraw(district, "0.2.0")
    district.passes(**ASKS, step_s=120)

    assert not station.agent.upgrader.switched
    with pytest.raises(NotFoundError):
        withdraw(district, "0.2.0")


def test_the_centre_takes_in_no_forged_and_no_second_file_of_a_version(district: District) -> None:
    with pytest.raises(BadInputError, match="签名不对"):
        take_in(district, make_release("0.2.0", keys=(OTHER_KEY,)))
    take_in(district, make_release("0.2.0"))
    with pytest.raises(ConflictError, match="新的版本号"):
        take_in(district, make_release("0.2.0", {"__main__.py": "pass"}))
    with pytest.raises(NotFoundError, match="请先收下升级包"):
        offer(district, "0.3.0", VILLAGE)


def test_a_newer_offer_to_all_overrules_an_older_one_to_a_ring(district: District) -> None:
    for version in ("0.2.0", "0.3.0"):
        take_in(district, make_release(version))
    offer(district, "0.2.0", VILLAGE)
    offer(district, "0.3.0", untried=True)

    assert progress(district, VILLAGE).offered == "0.3.0"
    assert progress(district, NEIGHBOUR).offered == "0.3.0"
