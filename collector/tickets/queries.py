"""Every SQL statement of tickets and their history."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, case, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.db.dialect import insert as upsert
from collector.db.numbers import next_number
from collector.faults.rules.base import Category, Severity
from collector.people.models import absences, people
from collector.tickets.models import ticket_changes, tickets
from collector.tickets.words import Action, TicketState


@dataclass(frozen=True, slots=True)
class Ticket:
    """One ticket. `area_id` is its township (or the area it is about); texts come from the card of its `rule`.

    `merged_into` is the ticket it has been put under, `helped` the hint that mended it.
    """

    district_id: int
    ticket_id: int
    dedup_key: str
    open: bool
    rule: str
    category: Category
    severity: Severity
    station_id: int | None
    area_id: UUID | None
    place: str
    state: TicketState
    step: int
    part_of: str | None
    version: int
    facts: dict[str, Any]
    since_ms: int
    opened_ms: int
    acknowledged_ms: int | None
    promised_ms: int | None
    recovered_ms: int | None
    closed_ms: int | None
    assignee_id: int | None
    previous_id: int | None
    merged_into: int | None
    helped: str | None
    resolution: dict[str, Any] | None
    due_ms: int | None
    chain: dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a ticket's history. `person_id` None: the machine did it."""

    ticket_id: int
    version: int
    at_ms: int
    person_id: int | None
    action: Action
    note: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NewTicket:
    """What a ticket is opened with."""

    dedup_key: str
    rule: str
    category: Category
    severity: Severity
    station_id: int | None
    area_id: UUID | None
    place: str
    facts: dict[str, Any]
    since_ms: int
    assignee_id: int | None
    step: int
    previous_id: int | None
    due_ms: int | None = None
    chain: dict[str, list[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which tickets a list is to show; None or empty asks for all.

    `townships` or a station bound what is seen; `or_assignee_id` adds what this person has been given elsewhere.
    """

    open: bool | None = True
    township_id: UUID | None = None
    station_id: int | None = None
    assignee_id: int | None = None
    category: str = ""
    state: str = ""
    townships: frozenset[UUID] = frozenset()
    or_assignee_id: int | None = None
    with_merged: bool = True


async def list_tickets(
    connection: AsyncConnection,
    district_id: int,
    *,
    open_only: bool = True,
    township_id: UUID | None = None,
    station_id: int | None = None,
    limit: int = 50,
) -> list[Ticket]:
    """Open ones first, the worst first among them, then the newest."""
    wanted = Wanted(open=True if open_only else None, township_id=township_id, station_id=station_id)
    return await find_tickets(connection, district_id, wanted, limit=limit)


async def find_tickets(connection: AsyncConnection, district_id: int, wanted: Wanted, *, limit: int) -> list[Ticket]:
    """In the same order, what is wanted."""
    each = tickets.c
    statement = select_tickets().where(each.district_id == district_id)
    if wanted.open is not None:
        statement = statement.where(each.open if wanted.open else ~each.open)
    for column, value in (
        (each.area_id, wanted.township_id),
        (each.assignee_id, wanted.assignee_id),
        (each.category, wanted.category or None),
        (each.state, wanted.state or None),
    ):
        if value is not None:
            statement = statement.where(column == value)
    mine: list[Any] = [each.area_id.in_(wanted.townships)] if wanted.townships else []
    mine += [each.station_id == wanted.station_id] if wanted.station_id is not None else []
    if mine:
        given = [] if wanted.or_assignee_id is None else [each.assignee_id == wanted.or_assignee_id]
        statement = statement.where(or_(and_(*mine), *given))
    if not wanted.with_merged:
        statement = statement.where(each.merged_into.is_(None))
    rank = case((each.severity == Severity.CRITICAL, 0), (each.severity == Severity.MAJOR, 1), else_=2)
    statement = statement.order_by(case((each.open, rank), else_=3), each.opened_ms.desc(), each.ticket_id.desc())
    return [read_ticket(row) for row in await connection.execute(statement.limit(limit))]


async def list_open(connection: AsyncConnection, district_id: int) -> dict[str, Ticket]:
    """Every open ticket of a district by its key."""
    statement = select_tickets().where(tickets.c.district_id == district_id, tickets.c.open)
    return {row.dedup_key: read_ticket(row) for row in await connection.execute(statement)}


async def list_due(connection: AsyncConnection, district_id: int, *, now_ms: int, limit: int = 500) -> list[Ticket]:
    """Open tickets the ladder has to act on now, those that have waited longest first."""
    statement = select_tickets().where(tickets.c.district_id == district_id, tickets.c.open, tickets.c.due_ms <= now_ms)
    statement = statement.order_by(tickets.c.due_ms, tickets.c.ticket_id).limit(limit)
    return [read_ticket(row) for row in await connection.execute(statement)]


async def list_stranded(connection: AsyncConnection, district_id: int, *, day: str) -> list[Ticket]:
    """Open tickets on the ladder whose person has left, or is away on this day and has promised nothing."""
    each = tickets.c
    gone = select(people.c.person_id).where(people.c.district_id == district_id, people.c.disabled_ms.is_not(None))
    away = select(absences.c.person_id).where(
        absences.c.district_id == district_id, absences.c.from_day <= day, absences.c.to_day >= day
    )
    statement = select_tickets().where(
        each.district_id == district_id,
        each.open,
        each.due_ms.is_not(None),
        or_(each.assignee_id.in_(gone), and_(each.state == TicketState.OPEN, each.assignee_id.in_(away))),
    )
    return [read_ticket(row) for row in await connection.execute(statement.order_by(each.ticket_id))]


async def list_merged(connection: AsyncConnection, district_id: int, ticket_id: int) -> list[Ticket]:
    """What has been put under a ticket."""
    statement = select_tickets().where(tickets.c.district_id == district_id, tickets.c.merged_into == ticket_id)
    return [read_ticket(row) for row in await connection.execute(statement.order_by(tickets.c.ticket_id))]


async def get_ticket(connection: AsyncConnection, district_id: int, ticket_id: int) -> Ticket | None:
    statement = select_tickets().where(tickets.c.district_id == district_id, tickets.c.ticket_id == ticket_id)
    row = (await connection.execute(statement)).first()
    return None if row is None else read_ticket(row)


async def get_latest(connection: AsyncConnection, district_id: int, dedup_key: str) -> Ticket | None:
    """The newest ticket, open or closed, that this key has had."""
    statement = select_tickets().where(tickets.c.district_id == district_id, tickets.c.dedup_key == dedup_key)
    row = (await connection.execute(statement.order_by(tickets.c.ticket_id.desc()).limit(1))).first()
    return None if row is None else read_ticket(row)


async def list_changes(connection: AsyncConnection, district_id: int, ticket_id: int) -> list[Change]:
    """A ticket's history, oldest first."""
    statement = _changes().where(ticket_changes.c.district_id == district_id, ticket_changes.c.ticket_id == ticket_id)
    return [_change(row) for row in await connection.execute(statement.order_by(ticket_changes.c.version))]


async def count_open_by_township(connection: AsyncConnection, district_id: int) -> dict[UUID | None, int]:
    """Open tickets by township (the district's own tickets under the district's area)."""
    statement = (
        select(tickets.c.area_id, func.count())
        .where(tickets.c.district_id == district_id, tickets.c.open)
        .group_by(tickets.c.area_id)
    )
    return {row[0]: row[1] for row in await connection.execute(statement)}


async def count_open_by_assignee(connection: AsyncConnection, district_id: int) -> dict[int, int]:
    """How many open tickets each person carries."""
    statement = (
        select(tickets.c.assignee_id, func.count())
        .where(tickets.c.district_id == district_id, tickets.c.open, tickets.c.assignee_id.is_not(None))
        .where(tickets.c.merged_into.is_(None))
        .group_by(tickets.c.assignee_id)
    )
    return {row[0]: row[1] for row in await connection.execute(statement)}


async def add_ticket(connection: AsyncConnection, district_id: int, new: NewTicket, *, now_ms: int) -> Ticket | None:
    """Open a ticket; None when this key already has an open one, which the database alone decides."""
    statement = upsert(connection, tickets).values(
        district_id=district_id,
        ticket_id=await next_number(connection, district_id, "ticket"),
        dedup_key=new.dedup_key,
        open=True,
        rule=new.rule,
        category=new.category,
        severity=new.severity,
        station_id=new.station_id,
        area_id=new.area_id,
        place=new.place,
        state=TicketState.OPEN,
        step=new.step,
        version=1,
        facts=new.facts,
        since_ms=new.since_ms,
        opened_ms=now_ms,
        assignee_id=new.assignee_id,
        previous_id=new.previous_id,
        due_ms=new.due_ms,
        chain=new.chain,
    )
    row = (await connection.execute(statement.on_conflict_do_nothing().returning(*_columns()))).first()
    return None if row is None else read_ticket(row)


async def change_ticket(connection: AsyncConnection, ticket: Ticket, *, version: int, **values: Any) -> Ticket | None:
    """The ticket with new values and one version higher; None when it is no longer at `version`."""
    each = tickets.c
    statement = (
        update(tickets)
        .where(each.district_id == ticket.district_id, each.ticket_id == ticket.ticket_id, each.version == version)
        .values(version=version + 1, **values)
        .returning(*_columns())
    )
    row = (await connection.execute(statement)).first()
    return None if row is None else read_ticket(row)


async def put_facts(connection: AsyncConnection, ticket: Ticket, facts: Mapping[str, Any]) -> None:
    """What is seen now, counted on. No new version: whoever works on the ticket is not disturbed."""
    each = tickets.c
    mine = (each.district_id == ticket.district_id) & (each.ticket_id == ticket.ticket_id)
    await connection.execute(update(tickets).where(mine).values(facts=dict(facts)))


async def add_change(
    connection: AsyncConnection,
    ticket: Ticket,
    action: Action,
    *,
    now_ms: int,
    person_id: int | None = None,
    note: str = "",
    data: dict[str, Any] | None = None,
    told: bool,
) -> None:
    """Write the line of history that belongs to the ticket's present version. `told` false: people must hear of it."""
    await connection.execute(
        insert(ticket_changes).values(
            district_id=ticket.district_id,
            ticket_id=ticket.ticket_id,
            version=ticket.version,
            at_ms=now_ms,
            person_id=person_id,
            action=action,
            note=note,
            data=data or {},
            told=told,
        )
    )


async def list_untold(connection: AsyncConnection, district_id: int, *, limit: int = 200) -> list[Change]:
    """Changes people have not been told of, oldest first."""
    statement = _changes().where(ticket_changes.c.district_id == district_id, ~ticket_changes.c.told)
    statement = statement.order_by(ticket_changes.c.ticket_id, ticket_changes.c.version).limit(limit)
    return [_change(row) for row in await connection.execute(statement)]


async def mark_told(connection: AsyncConnection, district_id: int, change: Change) -> bool:
    """Whether it was this call that marked the change as told: of two that try, one wins."""
    each = ticket_changes.c
    statement = (
        update(ticket_changes)
        .where(each.district_id == district_id, each.ticket_id == change.ticket_id, each.version == change.version)
        .where(~each.told)
        .values(told=True)
    )
    return (await connection.execute(statement)).rowcount == 1


def _columns() -> list[Any]:
    return [tickets.c[name] for name in Ticket.__slots__]


def select_tickets() -> Select[Any]:
    return select(*_columns())


def _changes() -> Select[Any]:
    each = ticket_changes.c
    return select(each.ticket_id, each.version, each.at_ms, each.person_id, each.action, each.note, each.data)


def read_ticket(row: Any) -> Ticket:
    values = dict(row._mapping)  # noqa: SLF001 - the row's public mapping
    values["category"] = Category(values["category"])
    values["severity"] = Severity(values["severity"])
    values["state"] = TicketState(values["state"])
    return Ticket(**values)


def _change(row: Any) -> Change:
    values = dict(row._mapping)  # noqa: SLF001 - the row's public mapping
    return Change(**{**values, "action": Action(values["action"])})
