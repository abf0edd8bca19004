"""Whose neighbour a township is, on the ladder, in the snapshot and on the page of the centre."""

import asyncio
from uuid import uuid4

import pytest

from collector.areas.neighbours import change_neighbours, read_neighbours
from collector.areas.queries import get_district_settings
from collector.errors import BadInputError
from tests.clocks import ManualClock
from tests.collector.pages.test_outage_pages import post
from tests.office import Office, open_office, write
from tests.watching import Watch, watch

PLAN = {"宝轮镇": ["爱国社区", "红星村"], "大石镇": ["红岩村"], "三堆镇": ["高峰村"], "荣山镇": ["和平村"]}
TITLE = "宝轮镇 红星村"
FULL = {"host": {"disk_free": 1024**3, "disk_total": 100 * 1024**3}}


@pytest.fixture
def office(sqlite_url: str, clock: ManualClock) -> Office:
    return open_office(sqlite_url, PLAN, clock)


async def _set(district: Watch, township: str, *others: str) -> None:
    ids = district.district.townships
    async with district.database.write() as connection:
        await change_neighbours(
            connection, district.district.district_id, ids[township], [ids[each] for each in others]
        )


def _neighbours(office: Office) -> dict[str, set[str]]:
    settings = write(office.url, lambda connection: get_district_settings(connection, 510802))
    names = {area_id: name for name, area_id in office.district.townships.items()}
    return {names[each]: {names[other] for other in near} for each, near in read_neighbours(settings).items()}


def test_a_ticket_names_the_ones_next_door_and_goes_to_none_but_them(database_url: str) -> None:
    async def story() -> tuple[set[str], set[str]]:
        async with watch(database_url, PLAN) as district:
            await _set(district, "宝轮镇", "三堆镇")
            district.probes = {TITLE: FULL, "大石镇 红岩村": FULL}
            await district.run(6)
            chains = {each.place: each.chain["3"] for each in await district.tickets()}
            near, any_ = ({district.who(each) for each in chains[place]} for place in (TITLE, "大石镇 红岩村"))
            return near, any_

    near, without_a_list = asyncio.run(story())
    assert near == {"三堆镇骨干"}
    assert without_a_list == {"宝轮镇骨干", "三堆镇骨干", "荣山镇骨干"}


def test_the_centre_sets_neighbours_both_ways_and_takes_them_back(office: Office) -> None:
    ids = office.district.townships
    with office.signed_in("主任") as client:
        page = f"/neighbours?township={ids['宝轮镇']}"
        post(client, page, "/neighbours", township=str(ids["大石镇"]), others=[str(ids["荣山镇"])])
        both, shown = post(client, page, "/neighbours", township=str(ids["宝轮镇"]), others=[str(ids["大石镇"])])
        first = _neighbours(office)
        post(client, page, "/neighbours", township=str(ids["宝轮镇"]))
    assert both == 303
    assert "已保存" in shown
    assert first == {"宝轮镇": {"大石镇"}, "大石镇": {"宝轮镇", "荣山镇"}}
    assert _neighbours(office) == {"大石镇": {"荣山镇"}}


def test_only_the_centre_says_who_is_whose_neighbour(office: Office) -> None:
    ids = office.district.townships
    with office.signed_in("宝轮镇管理员") as client:
        page = client.get(f"/neighbours?township={ids['宝轮镇']}").text
        status, _ = post(client, "/account", "/neighbours", township=str(ids["宝轮镇"]), others=[str(ids["大石镇"])])
    assert "其他乡镇都算" in page
    assert 'name="others"' not in page
    assert status == 403
    assert _neighbours(office) == {}


def test_no_township_is_its_own_neighbour_or_of_another_district(sqlite_url: str) -> None:
    async def story() -> None:
        async with watch(sqlite_url, PLAN) as district, district.database.write() as connection:
            mine, number = district.district.townships["宝轮镇"], district.district.district_id
            for township, other in ((mine, mine), (mine, uuid4()), (uuid4(), mine)):
                with pytest.raises(BadInputError):
                    await change_neighbours(connection, number, township, [other])

    asyncio.run(story())


@pytest.mark.parametrize("broken", [None, [], {"x": ["y"]}, {str(uuid4()): 3}, {str(uuid4()): []}])
def test_a_list_that_cannot_be_read_is_none(broken: object) -> None:
    assert read_neighbours({"neighbours": broken}) == {}


def test_the_ticket_says_whom_it_goes_on_to(office: Office) -> None:
    with office.signed_in("主任") as client:
        reported = {
            "station_id": office.district.stations[TITLE],
            "category": "software",
            "severity": "major",
            "text": "播放器打不开",
        }
        status, page = post(client, "/tickets/report", "/tickets/report", **reported)
    assert status == 303
    assert "逾期依次派给" in page
    assert "邻近乡镇骨干（<bdi>大石镇骨干、三堆镇骨干、荣山镇骨干</bdi>）" in page
