"""What people do with whole tickets: report a fault by hand, open it again, give it back, put one under another.

Changes inside one ticket are in `collector.tickets.service`; what the machine does is in `collector.tickets.settling`.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from collector.db.engine import Connection
from collector.errors import BadInputError, ConflictError
from collector.faults.rules.base import Category, Severity
from collector.people import queries as people
from collector.people.queries import Person, Role
from collector.people.service import list_reachable
from collector.stations import queries as stations
from collector.tickets import queries
from collector.tickets.ladder import Pace, given_to, load_pace, routed
from collector.tickets.queries import NewTicket, Ticket
from collector.tickets.routing import Step, find_route, follow_chain, make_chain
from collector.tickets.service import change_by_hand, require_text, require_ticket
from collector.tickets.settling import REOPEN_MS
from collector.tickets.words import REPORTED, Action


@dataclass(frozen=True, slots=True)
class Report:
    """A fault somebody reports by hand. `previous_id`: the ticket of the time before."""

    station_id: int
    category: Category
    text: str
    severity: Severity = Severity.MAJOR
    previous_id: int | None = None


@dataclass(frozen=True, slots=True)
class _Ladder:
    """The district's ladder now: who can be reached, who is on it at all, and what each carries."""

    pace: Pace
    reachable: Sequence[Person]
    everybody: Sequence[Person]
    load: dict[int, int]


async def report(connection: Connection, person: Person, new: Report, *, now_ms: int) -> Ticket:
    """Open a ticket for what a person has seen. No sensor sees it, so a person closes it.

    A plain operator who reports has tried already: the ladder begins with the "1".
    """
    require_text(new.text, "请写下看到的情况，例如：投影机开机后黑屏。")
    district_id = person.district_id
    station = await stations.require_station(connection, district_id, new.station_id)
    ladder = await _load_ladder(connection, district_id, now_ms=now_ms)
    where = ladder.pace.where(station.station_id, station.township_id)
    at_least = Step.BACKBONE if person.role is Role.PLAIN or new.severity is Severity.CRITICAL else Step.PLAIN
    route = find_route(where, new.category, ladder.reachable, ladder.load, at_least=at_least)
    ticket = await queries.add_ticket(
        connection,
        district_id,
        NewTicket(
            dedup_key=f"{REPORTED}:{secrets.token_hex(8)}",
            rule=REPORTED,
            category=new.category,
            severity=new.severity,
            station_id=station.station_id,
            area_id=station.township_id,
            place=station.title,
            facts={"text": new.text.strip()},
            since_ms=now_ms,
            assignee_id=route.assignee_id,
            step=route.step,
            previous_id=new.previous_id,
            due_ms=ladder.pace.wait(route.step, now_ms),
            chain=make_chain(where, new.category, ladder.everybody),
        ),
        now_ms=now_ms,
    )
    if ticket is None:
        raise ConflictError
    await queries.add_change(
        connection,
        ticket,
        Action.OPENED,
        person_id=person.person_id,
        now_ms=now_ms,
        data={**routed(route), "by_hand": True},
        told=False,
    )
    return ticket


async def reopen(
    connection: Connection, ticket: Ticket, *, person_id: int, version: int, note: str, now_ms: int
) -> Ticket:
    """Say that a reported fault is still there: within a day the same number goes on, one step higher."""
    require_text(note, "请写明现在是什么情况。")
    if ticket.rule != REPORTED:
        raise BadInputError("这个工单由设备自动监测；故障还在时系统会自己重新打开。请等系统判断，或另外报修。")
    if now_ms - (ticket.closed_ms or now_ms) >= REOPEN_MS:
        raise ConflictError("工单办结已超过 24 小时。请重新报修，系统会把两个工单关联起来。")
    ladder = await _load_ladder(connection, ticket.district_id, now_ms=now_ms)
    where = ladder.pace.where(ticket.station_id, ticket.area_id)
    route = find_route(where, ticket.category, ladder.reachable, ladder.load, at_least=ticket.step + 1)
    return await change_by_hand(
        connection,
        ticket,
        Action.REOPENED,
        person_id=person_id,
        version=version,
        now_ms=now_ms,
        note=note,
        data={**routed(route), "resolution": ticket.resolution},
        values={
            **given_to(route, ladder.pace, now_ms),
            "open": True,
            "closed_ms": None,
            "resolution": None,
            "helped": None,
            "merged_into": None,
        },
        told=False,
    )


async def give_back(
    connection: Connection, ticket: Ticket, *, person_id: int, version: int, note: str, now_ms: int
) -> Ticket:
    """Take a promise back: the next person of the same rung has it, else the next rung, from the start."""
    require_text(note, "请写明退回的原因。")
    ladder = await _load_ladder(connection, ticket.district_id, now_ms=now_ms)
    others = [each for each in ladder.reachable if each.person_id != ticket.assignee_id]
    where = ladder.pace.where(ticket.station_id, ticket.area_id)
    route = follow_chain(ticket.chain, where, ticket.category, others, ladder.load, at_least=ticket.step)
    return await change_by_hand(
        connection,
        ticket,
        Action.UNACKNOWLEDGED,
        person_id=person_id,
        version=version,
        now_ms=now_ms,
        note=note,
        data={**routed(route), "copied": [], "from_id": ticket.assignee_id},
        values=given_to(route, ladder.pace, now_ms),
        told=False,
    )


async def merge(
    connection: Connection, ticket: Ticket, *, into_id: int, person_id: int, version: int, now_ms: int
) -> Ticket:
    """Put a ticket under another: its ladder rests and nobody is told of it until that one is closed."""
    head = await require_ticket(connection, ticket.district_id, into_id)
    if into_id == ticket.ticket_id:
        raise BadInputError("工单不能并入自己。请填写另一个工单的编号。")
    if not head.open or head.merged_into is not None:
        raise ConflictError(f"工单 {into_id} 已办结或已并入别的工单。请填写未办结的主工单编号。")
    if await queries.list_merged(connection, ticket.district_id, ticket.ticket_id):
        raise ConflictError(f"已有别的工单并入工单 {ticket.ticket_id}。请反过来，把另一个工单并进来。")
    changed = await change_by_hand(
        connection,
        ticket,
        Action.MERGED,
        person_id=person_id,
        version=version,
        now_ms=now_ms,
        data={"into_id": into_id},
        values={"merged_into": into_id, "due_ms": None},
    )
    await _note_on(connection, head, Action.MERGED, other_id=ticket.ticket_id, person_id=person_id, now_ms=now_ms)
    return changed


async def split(connection: Connection, ticket: Ticket, *, person_id: int, version: int, now_ms: int) -> Ticket:
    """Make it a ticket of its own again, with the whole wait of its rung."""
    if ticket.merged_into is None:
        raise ConflictError("这个工单没有并入别的工单。请刷新页面查看最新情况。")
    pace = await load_pace(connection, ticket.district_id)
    return await change_by_hand(
        connection,
        ticket,
        Action.SPLIT,
        person_id=person_id,
        version=version,
        now_ms=now_ms,
        data={"into_id": ticket.merged_into},
        values={"merged_into": None, "due_ms": pace.resume(ticket, now_ms)},
    )


async def link(
    connection: Connection, ticket: Ticket, *, other_id: int, person_id: int, version: int, now_ms: int
) -> Ticket:
    """Say that two tickets have to do with each other; both go their own way."""
    other = await require_ticket(connection, ticket.district_id, other_id)
    if other_id == ticket.ticket_id:
        raise BadInputError("工单不能关联自己。请填写另一个工单的编号。")
    changed = await change_by_hand(
        connection,
        ticket,
        Action.LINKED,
        person_id=person_id,
        version=version,
        now_ms=now_ms,
        data={"other_id": other_id},
    )
    await _note_on(connection, other, Action.LINKED, other_id=ticket.ticket_id, person_id=person_id, now_ms=now_ms)
    return changed


async def _note_on(
    connection: Connection, ticket: Ticket, action: Action, *, other_id: int, person_id: int, now_ms: int
) -> None:
    await change_by_hand(
        connection,
        ticket,
        action,
        person_id=person_id,
        version=ticket.version,
        now_ms=now_ms,
        data={"other_id": other_id},
    )


async def _load_ladder(connection: Connection, district_id: int, *, now_ms: int) -> _Ladder:
    pace = await load_pace(connection, district_id)
    return _Ladder(
        pace=pace,
        reachable=await list_reachable(connection, district_id, day=pace.working_day(now_ms)),
        everybody=await people.list_people(connection, district_id),
        load=await queries.count_open_by_assignee(connection, district_id),
    )
