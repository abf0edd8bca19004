"""Faults reported by hand, tickets put together, given back and learned from, as stories on both databases."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from collector.db.engine import Connection
from collector.errors import BadInputError, ConflictError
from collector.faults.rules.base import Category
from collector.people import queries as people
from collector.tickets import handling, queries, service
from collector.tickets.handling import Report
from collector.tickets.knowledge import learn
from collector.tickets.queries import Ticket
from collector.tickets.words import REPORTED, TicketState
from tests.watching import MINUTE_MS, Watch, watch

TITLE = "宝轮镇 红星村"
ONE, OFFICE, NEIGHBOUR = "宝轮镇骨干", "宝轮镇管理员", "大石镇骨干"
FULL = {"host": {"disk_free": 1, "disk_total": 100}}
ROOMY = {"host": {"disk_free": 50, "disk_total": 100}}
DAY = 24 * 60
Doing = Callable[..., Awaitable[Any]]


async def reports(district: Watch, name: str = OFFICE, text: str = "投影机黑屏", **more: Any) -> Ticket:
    """Somebody reports a fault of the station by hand."""
    async with district.database.write() as connection:
        person = await people.get_person(connection, district.district.district_id, district.district.people[name])
        assert person is not None
        new = Report(district.district.stations[TITLE], Category.HARDWARE_COMMON, text, **more)
        return await handling.report(connection, person, new, now_ms=district.now_ms)


async def does(district: Watch, doing: Doing, ticket: Ticket, name: str = ONE, **more: Any) -> Ticket:
    """Somebody does something to a ticket as it is now."""
    async with district.database.write() as connection:
        newest = await queries.get_ticket(connection, ticket.district_id, ticket.ticket_id)
        assert newest is not None
        by = {"person_id": district.district.people[name], "version": newest.version, "now_ms": district.now_ms}
        changed: Ticket = await doing(connection, newest, **by, **more)
        return changed


async def mends(district: Watch, ticket: Ticket, helped: str = "") -> Ticket:
    repair = service.Repair("灯泡烧了", "换了灯泡", on_site=True, helped=helped)

    async def resolve(connection: Connection, broken: Ticket, **by: Any) -> Ticket:
        return await service.resolve(connection, broken, repair, **by)

    return await does(district, resolve, ticket)


async def breaks(district: Watch) -> Ticket:
    """The machine finds a fault of the same station."""
    district.probes = {TITLE: FULL}
    await district.run(10)
    (ticket,) = [each for each in await district.tickets() if each.rule == "disk_low"]
    return ticket


async def later(district: Watch, hours: int) -> None:
    """The clock jumps; stations speak and the centre works as soon as it has."""
    district.now_ms += hours * 60 * MINUTE_MS
    await district.beat()
    await district.run(2)


async def newest(district: Watch, ticket: Ticket) -> Ticket:
    async with district.database.read() as connection:
        found = await queries.get_ticket(connection, ticket.district_id, ticket.ticket_id)
    assert found is not None
    return found


def test_a_reported_fault_goes_to_the_one_climbs_and_is_closed_by_a_person_alone(database_url: str) -> None:
    async def story() -> None:
        async with watch(database_url) as district:
            opened = await reports(district)
            assert (opened.rule, opened.place, opened.step) == (REPORTED, TITLE, 1)
            assert district.who(opened.assignee_id) == ONE
            assert service.describe(opened) == "投影机黑屏"
            await later(district, 60)
            climbed = await newest(district, opened)
            assert climbed.open
            assert district.who(climbed.assignee_id) == OFFICE
            ended = await mends(district, climbed)
            assert (ended.state, ended.open) == (TicketState.CLOSED, False)
            await district.run(60)
            assert await district.tickets() == []
            assert await district.actions(opened.ticket_id) == ["opened", "escalated", "closed"]

    asyncio.run(story())


def test_two_reports_of_one_station_are_two_tickets(sqlite_url: str) -> None:
    async def story() -> set[int]:
        async with watch(sqlite_url) as district:
            return {(await reports(district)).ticket_id, (await reports(district, text="没声音")).ticket_id}

    assert len(asyncio.run(story())) == 2


def test_what_is_not_mended_goes_on_one_step_higher_within_a_day_and_not_later(database_url: str) -> None:
    async def story() -> None:
        async with watch(database_url) as district:
            opened = await reports(district)
            await mends(district, opened)
            district.now_ms += (DAY - 1) * MINUTE_MS
            again = await does(district, handling.reopen, opened, OFFICE, note="还是黑屏")
            assert (again.ticket_id, again.step, again.state) == (opened.ticket_id, 2, TicketState.OPEN)
            assert district.who(again.assignee_id) == OFFICE
            assert again.resolution is None
            await mends(district, again)
            district.now_ms += DAY * MINUTE_MS
            with pytest.raises(ConflictError, match="请重新报修"):
                await does(district, handling.reopen, opened, OFFICE, note="又黑了")
            later = await reports(district, previous_id=opened.ticket_id)
            assert (later.previous_id, later.step) == (opened.ticket_id, 1)

    asyncio.run(story())


def test_a_fault_the_machine_sees_is_not_reopened_by_hand(sqlite_url: str) -> None:
    async def story() -> None:
        async with watch(sqlite_url) as district:
            ticket = await breaks(district)
            await does(district, handling.reopen, ticket, note="还坏着")

    with pytest.raises(BadInputError, match="自动监测"):
        asyncio.run(story())


def test_a_promise_taken_back_goes_to_the_next_and_starts_anew(database_url: str) -> None:
    async def story() -> None:
        async with watch(database_url) as district:
            ticket = await breaks(district)
            await does(district, service.acknowledge, ticket, promised_ms=district.now_ms + DAY * MINUTE_MS)
            back = await does(district, handling.give_back, ticket, note="我不会修")
            assert (back.state, back.step, district.who(back.assignee_id)) == (TicketState.OPEN, 2, OFFICE)
            assert (back.promised_ms, back.acknowledged_ms) == (None, None)
            assert (back.due_ms or 0) > district.now_ms
            with pytest.raises(ConflictError, match="不能再"):
                await does(district, handling.give_back, ticket, note="再退一次")

    asyncio.run(story())


def test_a_report_put_under_a_ticket_rests_and_ends_with_it(database_url: str) -> None:
    async def story() -> None:
        async with watch(database_url) as district:
            head, mine = await breaks(district), await reports(district)
            under = await does(district, handling.merge, mine, into_id=head.ticket_id)
            assert (under.merged_into, under.due_ms, under.open) == (head.ticket_id, None, True)
            with pytest.raises(ConflictError, match="已并入工单"):
                await mends(district, mine)
            await later(district, 24)
            assert (await newest(district, mine)).open
            assert await district.actions(mine.ticket_id) == ["opened", "merged"]
            district.probes = {TITLE: ROOMY}
            await district.run(60)
            assert not (await newest(district, head)).open
            assert not (await newest(district, mine)).open
            assert (await district.actions(mine.ticket_id))[-1] == "closed"

    asyncio.run(story())


def test_a_fault_that_stands_goes_its_own_way_when_its_main_ticket_closes(database_url: str) -> None:
    async def story() -> None:
        async with watch(database_url) as district:
            mine, head = await breaks(district), await reports(district)
            await does(district, handling.merge, mine, into_id=head.ticket_id)
            await mends(district, head)
            await district.run(2)
            alone = await newest(district, mine)
            assert (alone.merged_into, alone.open) == (None, True)
            assert (alone.due_ms or 0) > district.now_ms
            assert (await district.actions(mine.ticket_id))[-1] == "split"

    asyncio.run(story())


def test_what_cannot_be_put_together_says_why(sqlite_url: str) -> None:
    async def story() -> None:
        async with watch(sqlite_url) as district:
            one, two, three = await reports(district), await reports(district), await reports(district)
            with pytest.raises(BadInputError, match="不能并入自己"):
                await does(district, handling.merge, one, into_id=one.ticket_id)
            await does(district, handling.merge, one, into_id=two.ticket_id)
            with pytest.raises(ConflictError, match="已并入别的工单"):
                await does(district, handling.merge, three, into_id=one.ticket_id)
            with pytest.raises(ConflictError, match="请反过来"):
                await does(district, handling.merge, two, into_id=three.ticket_id)
            free = await does(district, handling.split, one)
            assert free.merged_into is None
            with pytest.raises(ConflictError, match="没有并入"):
                await does(district, handling.split, one)

    asyncio.run(story())


def test_linked_tickets_name_each_other_and_go_their_own_ways(sqlite_url: str) -> None:
    async def story() -> None:
        async with watch(sqlite_url) as district:
            one, two = await reports(district), await reports(district)
            await does(district, handling.link, one, other_id=two.ticket_id)
            async with district.database.read() as connection:
                told = [
                    service.explain((await queries.list_changes(connection, each.district_id, each.ticket_id))[-1])
                    for each in (one, two)
                ]
            assert told == [f"工单 {two.ticket_id}", f"工单 {one.ticket_id}"]
            assert (await newest(district, one)).due_ms is not None

    asyncio.run(story())


def test_the_next_ticket_knows_which_hint_helped_how_often(database_url: str) -> None:
    async def story() -> None:
        async with watch(database_url) as district:
            for helped in ("plain", "backbone", "backbone", "other", ""):
                await mends(district, await reports(district), helped)
            open_one = await reports(district)
            async with district.database.read() as connection:
                lesson = await learn(connection, open_one)
            assert (lesson.asked, lesson.plain, lesson.backbone) == (4, 1, 2)
            assert [each.resolution for each in lesson.cures if each.resolution] == [lesson.cures[0].resolution]
            assert (lesson.cures[0].resolution or {})["done"] == "换了灯泡"

    asyncio.run(story())


def test_a_plain_operator_who_reports_has_tried_already(sqlite_url: str) -> None:
    async def story() -> tuple[int, int]:
        async with watch(sqlite_url) as district, district.database.write() as connection:
            district.district.people["李四"] = await people.add_person(
                connection,
                district.district.district_id,
                name="李四",
                role=people.Role.PLAIN,
                now_ms=district.now_ms,
                station_id=district.district.stations[TITLE],
            )
            lisi, office = [
                await people.get_person(connection, district.district.district_id, district.district.people[each])
                for each in ("李四", OFFICE)
            ]
            assert lisi is not None
            assert office is not None
            new = Report(district.district.stations[TITLE], Category.OPERATOR, "没声音")
            mine = await handling.report(connection, lisi, new, now_ms=district.now_ms)
            theirs = await handling.report(connection, office, new, now_ms=district.now_ms)
            return mine.step, theirs.step

    assert asyncio.run(story()) == (1, 0)
