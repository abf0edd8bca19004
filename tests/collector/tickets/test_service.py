"""What people do with tickets."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from collector.errors import BadInputError, ConflictError, NotFoundError
from collector.faults.rules.base import Category, Severity
from collector.tickets import queries, service
from collector.tickets.queries import Change, Ticket
from collector.tickets.words import ACTIONS, CATEGORIES, SEVERITIES, STATES, Action, TicketState
from tests.watching import MINUTE_MS, Watch, watch

Act = Callable[[Any, Watch, Ticket], Awaitable[Ticket]]
FULL = {"host": {"disk_free": 1, "disk_total": 100}}
DAY_MS = 1440 * MINUTE_MS


async def acknowledge(connection: Any, district: Watch, ticket: Ticket) -> Ticket:
    return await service.acknowledge(
        connection,
        ticket,
        person_id=district.district.people["宝轮镇管理员"],
        version=ticket.version,
        promised_ms=district.now_ms + DAY_MS,
        note="明天去",
        now_ms=district.now_ms,
    )


async def wait(connection: Any, district: Watch, ticket: Ticket) -> Ticket:
    return await service.wait(
        connection,
        ticket,
        person_id=1,
        version=ticket.version,
        until_ms=district.now_ms + DAY_MS,
        reason="等硬盘",
        now_ms=district.now_ms,
    )


async def comment(connection: Any, district: Watch, ticket: Ticket) -> Ticket:
    return await service.comment(
        connection, ticket, person_id=1, version=ticket.version, note=" 已打电话 ", now_ms=district.now_ms
    )


async def reassign(connection: Any, district: Watch, ticket: Ticket) -> Ticket:
    return await service.reassign(
        connection,
        ticket,
        person_id=1,
        version=ticket.version,
        assignee_id=district.district.people["大石镇骨干"],
        now_ms=district.now_ms,
    )


async def resolve(connection: Any, district: Watch, ticket: Ticket) -> Ticket:
    return await service.resolve(
        connection,
        ticket,
        service.Repair("旧课件太多", "删了", on_site=False),
        person_id=1,
        version=ticket.version,
        now_ms=district.now_ms,
    )


ACTS: dict[str, Act] = {
    "acknowledged": acknowledge,
    "waited": wait,
    "commented": comment,
    "reassigned": reassign,
    "resolved": resolve,
}


async def _broken(district: Watch) -> Ticket:
    district.probes = {"宝轮镇 红星村": FULL}
    await district.run(10)
    return await district.ticket()


@pytest.mark.parametrize("action", ACTS)
def test_every_act_moves_the_version_and_leaves_a_line_of_history(database_url: str, action: str) -> None:
    async def story() -> tuple[Ticket, Ticket, list[Change]]:
        async with watch(database_url) as district:
            before = await _broken(district)
            async with district.database.write() as connection:
                after = await ACTS[action](connection, district, before)
            async with district.database.read() as connection:
                return before, after, await queries.list_changes(connection, before.district_id, before.ticket_id)

    before, after, changes = asyncio.run(story())
    assert after.version == before.version + 1
    assert [(each.version, str(each.action)) for each in changes] == [(1, "opened"), (2, action)]
    assert changes[1].person_id is not None


@pytest.mark.parametrize("action", ACTS)
def test_of_two_people_the_slower_is_told_to_look_again(database_url: str, action: str) -> None:
    async def story() -> None:
        async with watch(database_url) as district:
            seen = await _broken(district)
            async with district.database.write() as connection:
                await comment(connection, district, seen)
            async with district.database.write() as connection:
                await ACTS[action](connection, district, seen)

    with pytest.raises(ConflictError, match="刚刚有了新的变化。请刷新页面"):
        asyncio.run(story())


def test_whoever_acknowledges_handles_it_and_promises_a_day(database_url: str) -> None:
    async def story() -> tuple[str, Ticket, int]:
        async with watch(database_url) as district:
            ticket = await _broken(district)
            async with district.database.write() as connection:
                taken = await acknowledge(connection, district, ticket)
            return district.who(taken.assignee_id), taken, district.now_ms

    name, taken, now_ms = asyncio.run(story())
    assert (name, taken.state) == ("宝轮镇管理员", TicketState.ACKNOWLEDGED)
    assert (taken.acknowledged_ms, taken.promised_ms) == (now_ms, now_ms + DAY_MS)


def test_a_closed_ticket_takes_no_more_acts(sqlite_url: str) -> None:
    async def story() -> None:
        async with watch(sqlite_url) as district:
            await _broken(district)
            district.probes = {"宝轮镇 红星村": {"host": {"disk_free": 50, "disk_total": 100}}}
            await district.run(45)
            (closed,) = await district.tickets(open_only=False)
            async with district.database.write() as connection:
                await acknowledge(connection, district, closed)

    with pytest.raises(ConflictError, match="现在是“已办结”，不能再“受理”"):
        asyncio.run(story())


def test_what_was_done_can_be_written_down_after_the_machine_has_recovered(sqlite_url: str) -> None:
    async def story() -> tuple[int | None, int | None]:
        async with watch(sqlite_url) as district:
            await _broken(district)
            district.probes = {"宝轮镇 红星村": {"host": {"disk_free": 50, "disk_total": 100}}}
            await district.run(15)
            recovered = await district.ticket()
            district.now_ms += MINUTE_MS
            async with district.database.write() as connection:
                resolved = await resolve(connection, district, recovered)
            return recovered.recovered_ms, resolved.recovered_ms

    before, after = asyncio.run(story())
    assert before == after is not None


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ({"promised_ms": 1}, "预计修好的时间必须晚于现在"),
        ({"until_ms": 1, "reason": "等"}, "挂起的截止时间必须晚于现在"),
        ({"until_ms": 2**50, "reason": " "}, "请写明挂起的原因"),
        ({"note": " "}, "请写下备注内容"),
        ({"assignee_id": 99}, "没有这个人"),
        ({"assignee_id": 2}, "请选择另一个人"),
        ({"repair": service.Repair("", "x", on_site=True)}, "请填写故障原因"),
        ({"repair": service.Repair("x", "", on_site=True)}, "请填写处理办法"),
    ],
)
def test_a_form_filled_in_wrongly_says_what_to_change(sqlite_url: str, change: dict[str, Any], advice: str) -> None:
    verbs: dict[str, Any] = {
        "promised_ms": service.acknowledge,
        "until_ms": service.wait,
        "note": service.comment,
        "assignee_id": service.reassign,
        "repair": service.resolve,
    }

    async def story() -> None:
        async with watch(sqlite_url) as district:
            ticket = await _broken(district)
            async with district.database.write() as connection:
                await verbs[next(iter(change))](
                    connection, ticket, person_id=1, version=ticket.version, now_ms=district.now_ms, **change
                )

    with pytest.raises(BadInputError, match=advice):
        asyncio.run(story())


def test_a_ticket_that_is_not_there_is_said_to_be_missing(sqlite_url: str) -> None:
    async def story() -> None:
        async with watch(sqlite_url) as district, district.database.read() as connection:
            await service.require_ticket(connection, district.district.district_id, 77)

    with pytest.raises(NotFoundError, match="没有编号为 77 的工单"):
        asyncio.run(story())


def test_the_worst_ticket_comes_first(sqlite_url: str) -> None:
    async def story() -> list[str]:
        async with watch(sqlite_url) as district:
            district.probes = {
                "宝轮镇 红星村": {"projector": {"reachable": True, "power": "on", "faults": {"temperature": "error"}}}
            }
            await district.run(6)
            district.probes |= {"宝轮镇 老林村": FULL}
            district.slow_ms = {"大石镇 红岩村": DAY_MS}
            await district.run(10)
            return [each.rule for each in await district.tickets()]

    assert asyncio.run(story()) == ["projector_error", "disk_low", "clock_wrong"]


def test_every_word_is_there_and_no_two_states_share_a_shape() -> None:
    assert set(STATES) == set(TicketState)
    assert set(SEVERITIES) == set(Severity)
    assert set(ACTIONS) == set(Action)
    assert set(CATEGORIES) == set(Category)
    assert len({each.shape for each in STATES.values()}) == len(STATES)
