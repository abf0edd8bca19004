"""Every SQL statement of the figures: the tickets of a period as cases."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.tickets.ended_queries import is_below, is_counted, is_decided
from collector.tickets.models import ticket_changes, tickets
from collector.tickets.routing import Step
from collector.tickets.words import Action

REPEAT_MS = 30 * 86_400_000
"""A fault that is back within so long is counted as a repeated one."""


@dataclass(frozen=True, slots=True)
class Case:
    """One ticket as the figures see it, `decided` and `local` as the headline counts it.

    `answered_ms` is when somebody first took it on, `gone_ms` when it was mended. `repeated`: it came again after it
    was closed, within thirty days.
    """

    ticket_id: int
    rule: str
    category: str
    area_id: UUID | None
    station_id: int | None
    assignee_id: int | None
    decided: bool
    local: bool
    opened_ms: int
    answered_ms: int | None
    gone_ms: int | None
    repeated: bool


async def list_cases(
    connection: AsyncConnection, district_id: int, *, from_ms: int, to_ms: int, township_id: UUID | None = None
) -> list[Case]:
    """Tickets of faults found in this period, in the order in which they were opened."""
    changes, before = ticket_changes.c, tickets.alias("before")
    answered = (
        select(
            changes.ticket_id,
            func.min(changes.at_ms).filter(changes.action == Action.ACKNOWLEDGED).label("answered_ms"),
            func.count().filter(changes.action == Action.REOPENED).label("reopened"),
        )
        .where(changes.district_id == district_id, changes.action.in_((Action.ACKNOWLEDGED, Action.REOPENED)))
        .group_by(changes.ticket_id)
        .subquery()
    )
    each = tickets.c
    statement = (
        select(
            *(each.ticket_id, each.rule, each.category, each.area_id, each.station_id, each.assignee_id),
            *(is_decided(Step.CENTRE).label("decided"), is_below(Step.CENTRE).label("local")),
            *(each.opened_ms, answered.c.answered_ms, each.open, each.recovered_ms, each.closed_ms),
            *(answered.c.reopened, before.c.closed_ms.label("before_ms")),
        )
        .select_from(
            tickets.outerjoin(answered, answered.c.ticket_id == each.ticket_id).outerjoin(
                before, (before.c.district_id == each.district_id) & (before.c.ticket_id == each.previous_id)
            )
        )
        .where(each.district_id == district_id, each.opened_ms >= from_ms, each.opened_ms < to_ms, is_counted())
        .order_by(each.opened_ms, each.ticket_id)
    )
    if township_id is not None:
        statement = statement.where(each.area_id == township_id)
    rows = await connection.execute(statement)
    return [
        Case(
            *(row.ticket_id, row.rule, row.category, row.area_id, row.station_id, row.assignee_id),
            *(row.decided, row.local, row.opened_ms, row.answered_ms),
            gone_ms=None if row.open else row.recovered_ms or row.closed_ms,
            repeated=bool(row.reopened) or (row.before_ms is not None and row.opened_ms - row.before_ms < REPEAT_MS),
        )
        for row in rows
    ]
