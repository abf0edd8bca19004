"""What the machine does with tickets, told as stories on both databases."""

import asyncio

from sqlalchemy import update

from collector.people.models import people
from collector.tickets import queries, service
from collector.tickets.queries import NewTicket, Ticket
from collector.tickets.words import TicketState
from tests.watching import PLAN, Watch, watch

TITLE = "宝轮镇 红星村"
GIB = 1024**3
FULL = {"host": {"disk_free": GIB, "disk_total": 100 * GIB}}
ROOMY = {"host": {"disk_free": 50 * GIB, "disk_total": 100 * GIB}}
DAY = 24 * 60


async def _break(district: Watch, minutes: int = 10) -> None:
    district.probes = {TITLE: FULL}
    await district.run(minutes)


async def _mend(district: Watch, minutes: int = 45) -> None:
    district.probes = {TITLE: ROOMY}
    await district.run(minutes)


async def _fix(district: Watch, ticket: Ticket) -> Ticket:
    """The person it is assigned to says it is fixed."""
    async with district.database.write() as connection:
        return await service.resolve(
            connection,
            ticket,
            service.Repair("旧课件太多", "删了旧课件", on_site=True),
            person_id=ticket.assignee_id or 0,
            version=ticket.version,
            now_ms=district.now_ms,
        )


def test_a_ticket_opens_once_for_the_one_of_the_township(database_url: str) -> None:
    async def story() -> tuple[list[Ticket], str, list[str]]:
        async with watch(database_url) as district:
            await _break(district, 60)
            tickets = await district.tickets()
            return tickets, district.who(tickets[0].assignee_id), await district.actions(tickets[0].ticket_id)

    tickets, assignee, actions = asyncio.run(story())
    assert [(each.rule, each.place, each.state) for each in tickets] == [("disk_low", TITLE, TicketState.OPEN)]
    assert (assignee, tickets[0].step, actions) == ("宝轮镇骨干", 1, ["opened"])
    assert service.describe(tickets[0]) == "课件盘只剩 1%（1.0 GB）"


def test_the_database_keeps_a_second_ticket_of_the_same_key_out(database_url: str) -> None:
    async def story() -> Ticket | None:
        async with watch(database_url) as district:
            await _break(district)
            first = await district.ticket()
            new = NewTicket(
                dedup_key=first.dedup_key,
                rule=first.rule,
                category=first.category,
                severity=first.severity,
                station_id=first.station_id,
                area_id=first.area_id,
                place=first.place,
                facts={},
                since_ms=0,
                assignee_id=None,
                step=1,
                previous_id=None,
            )
            async with district.database.write() as connection:
                return await queries.add_ticket(connection, first.district_id, new, now_ms=district.now_ms)

    assert asyncio.run(story()) is None


def test_a_ticket_closes_by_itself_half_an_hour_after_the_machine_recovered(database_url: str) -> None:
    async def story() -> tuple[TicketState, Ticket, list[str]]:
        async with watch(database_url) as district:
            await _break(district)
            await _mend(district, 20)
            verifying = await district.ticket()
            await _mend(district, 20)
            (closed,) = await district.tickets(open_only=False)
            return verifying.state, closed, await district.actions(closed.ticket_id)

    state, closed, actions = asyncio.run(story())
    assert (state, closed.state, closed.open) == (TicketState.VERIFYING, TicketState.CLOSED, False)
    assert closed.resolution == {"cause": "self_recovered"}
    assert actions == ["opened", "recovered", "closed"]


def test_a_fault_that_returns_while_it_is_verified_is_the_same_ticket(database_url: str) -> None:
    async def story() -> tuple[Ticket, list[str]]:
        async with watch(database_url) as district:
            await _break(district)
            await _mend(district, 15)
            await _break(district, 15)
            ticket = await district.ticket()
            return ticket, await district.actions(ticket.ticket_id)

    ticket, actions = asyncio.run(story())
    assert (ticket.state, ticket.step) == (TicketState.OPEN, 1)
    assert actions == ["opened", "recovered", "relapsed"]


def test_a_fault_that_returns_within_a_day_reopens_its_number_one_step_higher(database_url: str) -> None:
    async def story() -> tuple[list[Ticket], str, list[str]]:
        async with watch(database_url) as district:
            await _break(district)
            await _mend(district)
            await _break(district)
            ticket = await district.ticket()
            everything = await district.tickets(open_only=False)
            return everything, district.who(ticket.assignee_id), await district.actions(ticket.ticket_id)

    tickets, assignee, actions = asyncio.run(story())
    assert [(each.ticket_id, each.step, each.state) for each in tickets] == [(1, 2, TicketState.OPEN)]
    assert assignee == "宝轮镇管理员"
    assert actions == ["opened", "recovered", "closed", "reopened"]


def test_a_fault_that_returns_later_is_a_new_ticket_linked_to_the_old(database_url: str) -> None:
    async def story() -> Ticket:
        async with watch(database_url) as district:
            await _break(district)
            await _mend(district)
            district.now_ms += DAY * 60_000
            await _mend(district, 5)
            await _break(district)
            return await district.ticket()

    ticket = asyncio.run(story())
    assert (ticket.ticket_id, ticket.previous_id, ticket.step) == (2, 1, 1)


def test_a_repair_the_machine_confirms_closes_with_the_persons_words(database_url: str) -> None:
    async def story() -> tuple[Ticket, list[str]]:
        async with watch(database_url) as district:
            await _break(district)
            await _fix(district, await district.ticket())
            await _mend(district)
            (ticket,) = await district.tickets(open_only=False)
            return ticket, await district.actions(ticket.ticket_id)

    ticket, actions = asyncio.run(story())
    assert ticket.state is TicketState.CLOSED
    assert ticket.resolution is not None
    assert ticket.resolution["done"] == "删了旧课件"
    assert actions == ["opened", "resolved", "closed"]


def test_a_repair_the_machine_does_not_confirm_is_reopened(database_url: str) -> None:
    async def story() -> tuple[TicketState, Ticket, list[str]]:
        async with watch(database_url) as district:
            await _break(district)
            await _fix(district, await district.ticket())
            await _break(district, 20)
            waiting = await district.ticket()
            await _break(district, 20)
            ticket = await district.ticket()
            return waiting.state, ticket, await district.actions(ticket.ticket_id)

    state, ticket, actions = asyncio.run(story())
    assert state is TicketState.VERIFYING
    assert (ticket.state, ticket.resolution) == (TicketState.OPEN, None)
    assert actions == ["opened", "resolved", "unconfirmed"]


def test_nothing_is_verified_while_the_station_is_silent(database_url: str) -> None:
    async def story() -> dict[str, TicketState]:
        async with watch(database_url) as district:
            await _break(district)
            await _mend(district, 10)
            district.silent = {TITLE}
            await _mend(district, 120)
            return {each.rule: each.state for each in await district.tickets()}

    assert asyncio.run(story()) == {"disk_low": TicketState.VERIFYING, "station_silent": TicketState.OPEN}


def test_a_dark_township_is_one_ticket_and_its_stations_get_none(database_url: str) -> None:
    async def story() -> tuple[Ticket, str]:
        async with watch(database_url) as district:
            district.silent = {each for each in district.district.stations if each.startswith("宝轮镇")}
            await district.run(60)
            ticket = await district.ticket()
            return ticket, district.who(ticket.assignee_id)

    ticket, assignee = asyncio.run(story())
    assert (ticket.rule, ticket.place, assignee) == ("area_silent", "宝轮镇", "宝轮镇骨干")
    assert service.describe(ticket) == "宝轮镇 4 个站点中有 4 个同时失联"


def test_when_the_township_is_back_a_station_still_silent_gets_its_own_ticket(database_url: str) -> None:
    async def story() -> tuple[dict[str, TicketState], int]:
        async with watch(database_url) as district:
            start_ms = district.now_ms
            district.silent = {each for each in district.district.stations if each.startswith("宝轮镇")}
            await district.run(60)
            district.silent = {TITLE}
            await district.run(30)
            found = {each.rule: each for each in await district.tickets()}
            since_ms = found["station_silent"].since_ms - start_ms
            return {rule: each.state for rule, each in found.items()}, since_ms // 60_000

    states, since_minutes = asyncio.run(story())
    assert states == {"area_silent": TicketState.VERIFYING, "station_silent": TicketState.OPEN}
    assert since_minutes == 4


def test_an_earlier_ticket_of_a_station_is_linked_to_the_dark_township(database_url: str) -> None:
    async def story() -> tuple[list[str], bool]:
        async with watch(database_url) as district:
            district.silent = {TITLE}
            await district.run(15)
            district.silent = {each for each in district.district.stations if each.startswith("宝轮镇")}
            await district.run(40)
            found = {each.rule: each for each in await district.tickets()}
            own, area = found["station_silent"], found["area_silent"]
            return await district.actions(own.ticket_id), own.part_of == f"area/{area.area_id}"

    assert asyncio.run(story()) == (["opened", "joined"], True)


def test_two_districts_do_not_see_each_others_tickets(database_url: str) -> None:
    async def story() -> tuple[int, int, int]:
        async with watch(database_url) as district:
            await _break(district)
            async with district.database.read() as connection:
                here = await queries.count_open_by_township(connection, district.district.district_id)
                there = await queries.list_tickets(connection, 999, open_only=False)
            return sum(here.values()), len(here), len(there)

    assert asyncio.run(story()) == (1, 1, 0)


def test_a_township_without_anybody_goes_to_the_neighbour_and_says_so(database_url: str) -> None:
    async def story() -> tuple[str, str]:
        async with watch(database_url, PLAN) as district:
            await _disable(district, "宝轮镇骨干", "宝轮镇管理员")
            await _break(district)
            ticket = await district.ticket()
            async with district.database.read() as connection:
                (opened,) = await queries.list_changes(connection, ticket.district_id, ticket.ticket_id)
            return district.who(ticket.assignee_id), service.explain(opened)

    assert asyncio.run(story()) == ("大石镇骨干", "骨干操作员、乡镇管理站无人可派，派给邻近乡镇骨干")


async def _disable(district: Watch, *names: str) -> None:
    numbers = [district.district.people[name] for name in names]
    async with district.database.write() as connection:
        await connection.execute(update(people).where(people.c.person_id.in_(numbers)).values(disabled_ms=1))
