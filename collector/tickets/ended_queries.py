"""SQL statements of tickets that are over: how they ended, what explains them, what has mended them."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.faults.rules.base import Category
from collector.tickets.models import tickets
from collector.tickets.queries import Ticket, read_ticket, select_tickets
from collector.tickets.words import EXCUSED_BY, TicketState


@dataclass(frozen=True, slots=True)
class Outcome:
    """How faults of one township and category ended: all that are decided, and those that never reached the centre."""

    area_id: UUID | None
    category: Category
    faults: int
    below_centre: int


async def list_outcomes(
    connection: AsyncConnection, district_id: int, *, from_ms: int, to_ms: int, centre_step: int
) -> list[Outcome]:
    """Of faults found in this period, by township and category: how many are decided, how many below the centre."""
    each = tickets.c
    statement = (
        select(each.area_id, each.category, func.count(), func.sum(case((is_below(centre_step), 1), else_=0)))
        .where(each.district_id == district_id, each.opened_ms >= from_ms, each.opened_ms < to_ms)
        .where(is_decided(centre_step), is_counted())
        .group_by(each.area_id, each.category)
        .order_by(each.area_id, each.category)
    )
    rows = await connection.execute(statement)
    return [Outcome(area_id, Category(name), faults, int(below)) for area_id, name, faults, below in rows]


async def list_closed(
    connection: AsyncConnection, district_id: int, rules: Collection[str], *, from_ms: int, to_ms: int
) -> list[Ticket]:
    """Closed tickets of these rules whose fault began within this time."""
    each = tickets.c
    statement = select_tickets().where(each.district_id == district_id, ~each.open, each.rule.in_(rules))
    statement = statement.where(each.since_ms >= from_ms, each.since_ms < to_ms).order_by(each.ticket_id)
    return [read_ticket(row) for row in await connection.execute(statement)]


def is_decided(centre_step: int) -> ColumnElement[bool]:
    """Closed, or come to the centre: others can still become either. With `is_below` this defines the headline."""
    return or_(~tickets.c.open, tickets.c.step >= centre_step)


def is_below(centre_step: int) -> ColumnElement[bool]:
    """Closed without ever having come to the centre."""
    return and_(~tickets.c.open, tickets.c.step < centre_step)


def is_counted() -> ColumnElement[bool]:
    """Whether a ticket counts in figures: no outage told of afterwards explains it."""
    outage_id: ColumnElement[int] = tickets.c.facts[EXCUSED_BY].as_integer()
    return outage_id.is_(None)


async def count_helped(connection: AsyncConnection, district_id: int, rule: str) -> dict[str, int]:
    """Of ended tickets of a rule whose people have answered: how often each hint has mended it."""
    each = tickets.c
    statement = (
        select(each.helped, func.count())
        .where(each.district_id == district_id, each.rule == rule, each.helped.is_not(None))
        .where(each.state == TicketState.CLOSED)
        .group_by(each.helped)
    )
    return {str(row[0]): row[1] for row in await connection.execute(statement)}


async def list_cures(connection: AsyncConnection, district_id: int, rule: str, *, limit: int) -> list[Ticket]:
    """The newest closed tickets of a rule that people have mended in a way no hint says."""
    each = tickets.c
    statement = (
        select_tickets()
        .where(each.district_id == district_id, each.rule == rule, each.helped == "other")
        .where(each.state == TicketState.CLOSED)
        .order_by(each.closed_ms.desc(), each.ticket_id.desc())
    )
    return [read_ticket(row) for row in await connection.execute(statement.limit(limit))]
