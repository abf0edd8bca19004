"""Which messages are written, for whom, and when they may go out."""

import asyncio
from collections import Counter
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.alerts import messages
from collector.alerts.queries import Sent
from collector.faults.rules.base import Severity
from collector.people import queries as people
from collector.people.queries import Person
from collector.tickets import queries as tickets
from collector.tickets import service
from collector.tickets.words import Action
from shared.months import local
from tests.watching import MINUTE_MS, Watch, watch

BEIJING = ZoneInfo("Asia/Shanghai")
TITLE = "宝轮镇 红星村"
FULL = {"host": {"disk_free": 1024**3, "disk_total": 100 * 1024**3}}
ROOMY = {"host": {"disk_free": 50, "disk_total": 100}}
HOT = {"projector": {"reachable": True, "power": "on", "faults": {"temperature": "error"}}}


def test_the_one_of_the_township_hears_once_of_the_fault_and_once_of_its_end(database_url: str) -> None:
    async def story() -> list[tuple[str, str]]:
        async with watch(database_url) as district:
            district.probes = {TITLE: FULL}
            await district.run(60)
            district.probes = {TITLE: ROOMY}
            await district.run(60)
            return [(district.who(each.person_id), each.subject) for each in await district.messages()]

    assert asyncio.run(story()) == [
        ("宝轮镇骨干", "▲重要 · 宝轮镇 红星村 · 磁盘快满了"),
        ("宝轮镇骨干", "●办结 · 宝轮镇 红星村 · 磁盘快满了"),
    ]


def test_a_message_says_how_bad_where_what_since_when_who_and_gives_a_link(database_url: str) -> None:
    async def story() -> str:
        async with watch(database_url) as district:
            district.probes = {TITLE: FULL}
            await district.run(10)
            ticket = await district.ticket()
            async with district.database.read() as connection:
                (change,) = await tickets.list_changes(connection, ticket.district_id, ticket.ticket_id)
                reader = await _person(connection, district, "宝轮镇骨干")
            return messages.write(
                ticket, change, reader=reader, handler=reader, public_url="http://centre.example.cn/"
            ).body

    assert asyncio.run(story()).splitlines() == [
        "▲重要 · 宝轮镇 红星村",
        "情况：课件盘只剩 1%（1.0 GB）",
        "开始：8月29日 18:45",
        "处理人：宝轮镇骨干",
        "说明：派给骨干操作员",
        "提示：找出占空间的旧课件、日志和系统更新；需要长期保存的拷到移动硬盘。空余超过 10% 后工单自动办结。",
        "工单 1：http://centre.example.cn/tickets/1",
    ]


def test_a_dark_township_is_one_message_to_each_who_must_know(database_url: str) -> None:
    async def story() -> list[tuple[str, str]]:
        async with watch(database_url) as district:
            district.silent = {each for each in district.district.stations if each.startswith("宝轮镇")}
            await district.run(90)
            return sorted((district.who(each.person_id), each.subject) for each in await district.messages())

    subject = "▲重要 · 宝轮镇 · 乡镇大面积失联"
    assert asyncio.run(story()) == [("主任", subject), ("宝轮镇骨干", subject)]


def test_a_whole_district_gone_silent_is_one_message_to_the_centre(database_url: str) -> None:
    async def story() -> list[tuple[str, str]]:
        plan = {"宝轮镇": ["甲村", "乙村", "丙村"], "大石镇": ["丁村", "戊村", "己村"]}
        async with watch(database_url, plan) as district:
            district.silent = set(district.district.stations)
            await district.run(90)
            return [(district.who(each.person_id), each.subject) for each in await district.messages()]

    assert asyncio.run(story()) == [("主任", "■紧急 · 利州区 · 区中心可能断网")]


def test_a_new_handler_is_told(database_url: str) -> None:
    async def story() -> list[str]:
        async with watch(database_url) as district:
            district.probes = {TITLE: FULL}
            await district.run(10)
            await _reassign(district, "大石镇骨干")
            await district.run(5)
            return [f"{district.who(each.person_id)} {each.subject}" for each in await district.messages()]

    assert asyncio.run(story())[1:] == ["大石镇骨干 ▲重要 · 宝轮镇 红星村 · 磁盘快满了（转派）"]


def test_of_the_end_hears_everybody_who_heard_of_the_beginning(database_url: str) -> None:
    async def story() -> Counter[str]:
        async with watch(database_url) as district:
            district.probes = {TITLE: FULL}
            await district.run(10)
            await _reassign(district, "大石镇骨干")
            district.probes = {TITLE: ROOMY}
            await district.run(60)
            return Counter(district.who(each.person_id) for each in await district.messages())

    assert asyncio.run(story()) == {"宝轮镇骨干": 2, "大石镇骨干": 2}


def test_a_round_that_is_run_again_writes_nothing_twice(database_url: str) -> None:
    async def story() -> int:
        async with watch(database_url) as district:
            district.probes = {TITLE: FULL}
            await district.run(10)
            await district.round()
            await district.round()
            return len(await district.messages())

    assert asyncio.run(story()) == 1


def test_a_round_that_fails_leaves_neither_ticket_nor_message(database_url: str) -> None:
    async def story() -> tuple[int, int, int]:
        async with watch(database_url) as district:
            district.probes = {TITLE: FULL}
            await district.run(5)
            good, district.channels = district.channels, {"broken": None}  # type: ignore[dict-item]
            with pytest.raises(AttributeError):
                await district.run(2)
            opened, written = len(await district.tickets()), len(await district.messages())
            district.channels = good
            await district.run(1)
            return opened, written, len(await district.messages())

    assert asyncio.run(story()) == (0, 0, 1)


@pytest.mark.parametrize(
    ("hour", "severity", "action", "goes_out"),
    [
        (14, Severity.MAJOR, Action.OPENED, "14:00"),
        (7, Severity.MAJOR, Action.OPENED, "07:00"),
        (22, Severity.MAJOR, Action.OPENED, "07:00"),
        (2, Severity.MAJOR, Action.OPENED, "07:00"),
        (2, Severity.CRITICAL, Action.OPENED, "02:00"),
        (2, Severity.CRITICAL, Action.CLOSED, "07:00"),
    ],
)
def test_at_night_only_critical_news_wakes_people(
    sqlite_url: str, hour: int, severity: Severity, action: Action, goes_out: str
) -> None:
    async def story() -> str:
        async with watch(sqlite_url) as district:
            district.probes = {TITLE: FULL}
            await district.run(10)
            ticket = replace(await district.ticket(), severity=severity)
            async with district.database.read() as connection:
                (change,) = await tickets.list_changes(connection, ticket.district_id, ticket.ticket_id)
        now_ms = int(local(ticket.opened_ms, BEIJING).replace(hour=hour, minute=0, second=0).timestamp() * 1000)
        found_ms = messages.earliest(ticket, replace(change, action=action), zone=BEIJING, now_ms=now_ms)
        assert 0 <= found_ms - now_ms < 10 * 60 * MINUTE_MS
        return f"{local(found_ms, BEIJING):%H:%M}"

    assert asyncio.run(story()) == goes_out


def test_what_came_up_at_night_is_sent_in_the_morning(database_url: str) -> None:
    async def story() -> tuple[int, list[Sent]]:
        async with watch(database_url) as district:
            district.now_ms += 4 * 60 * MINUTE_MS
            await district.beat()
            district.probes = {TITLE: FULL, "大石镇 红岩村": HOT}
            await district.run(10)
            return await district.send(), await district.messages()

    tried, written = asyncio.run(story())
    assert tried == 1
    assert {each.subject.split(" · ")[0]: str(each.state) for each in written} == {"■紧急": "sent", "▲重要": "pending"}


def test_history_that_arrives_late_tells_nobody(database_url: str) -> None:
    """A station that was away reports only its present; a disk that was full last week is history by then."""

    async def story() -> list[str]:
        async with watch(database_url) as district:
            district.silent = {TITLE}
            district.probes = {TITLE: FULL}
            await district.run(25)
            district.silent, district.probes = set(), {TITLE: ROOMY}
            await district.run(60)
            return [each.subject for each in await district.messages()]

    assert [each.split(" · ")[-1] for each in asyncio.run(story())] == ["站点失联", "站点失联"]


async def _person(connection: AsyncConnection, district: Watch, name: str) -> Person:
    number = district.district.people[name]
    found = await people.get_person(connection, district.district.district_id, number)
    assert found is not None
    return found


async def _reassign(district: Watch, name: str) -> None:
    ticket = await district.ticket()
    async with district.database.write() as connection:
        await service.reassign(
            connection,
            ticket,
            person_id=1,
            version=ticket.version,
            assignee_id=district.district.people[name],
            now_ms=district.now_ms,
        )
