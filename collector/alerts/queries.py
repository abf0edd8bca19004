"""Every SQL statement of the outbox: pending → leased until → sent or failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.alerts.channels.base import Message
from collector.alerts.models import outbox
from collector.db.numbers import next_number


class State(StrEnum):
    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Sent:
    """A message as pages show it. The address is left out: it can be a secret."""

    message_id: int
    ticket_id: int | None
    person_id: int | None
    channel: str
    subject: str
    state: State
    tries: int
    created_ms: int
    not_before_ms: int
    sent_ms: int | None
    error: str


async def add_message(
    connection: AsyncConnection,
    district_id: int,
    *,
    ticket_id: int | None,
    person_id: int | None,
    channel: str,
    address: str,
    subject: str,
    body: str,
    data: dict[str, Any],
    now_ms: int,
    not_before_ms: int,
) -> None:
    await connection.execute(
        insert(outbox).values(
            district_id=district_id,
            message_id=await next_number(connection, district_id, "message"),
            ticket_id=ticket_id,
            person_id=person_id,
            channel=channel,
            address=address,
            subject=subject,
            body=body,
            data=data,
            state=State.PENDING,
            tries=0,
            created_ms=now_ms,
            not_before_ms=not_before_ms,
        )
    )


async def claim(
    connection: AsyncConnection, district_id: int, *, channels: Sequence[str], limit: int, lease_ms: int, now_ms: int
) -> list[Message]:
    """Lease due messages, oldest first: each to one sender until its lease runs out."""
    each = outbox.c
    due = (
        (each.district_id == district_id)
        & (each.state == State.PENDING)
        & (each.not_before_ms <= now_ms)
        & each.channel.in_(channels)
        & or_(each.leased_until_ms.is_(None), each.leased_until_ms <= now_ms)
    )
    first = select(each.message_id).where(due).order_by(each.message_id).limit(limit)
    statement = (
        update(outbox)
        .where(due, each.message_id.in_(first.scalar_subquery()))
        .values(leased_until_ms=now_ms + lease_ms, tries=each.tries + 1)
        .returning(*(each[name] for name in Message.__slots__))
    )
    found = [Message(*row) for row in await connection.execute(statement)]
    return sorted(found, key=lambda message: message.message_id)


async def finish(connection: AsyncConnection, message: Message, *, now_ms: int) -> None:
    """It is delivered. Whoever has taken it over meanwhile has no more to do."""
    await _end(connection, message, state=State.SENT, sent_ms=now_ms, error="")


async def put_off(connection: AsyncConnection, message: Message, *, not_before_ms: int, error: str) -> None:
    """Try again later."""
    await _end(connection, message, not_before_ms=not_before_ms, error=error)


async def give_up(connection: AsyncConnection, message: Message, *, error: str) -> None:
    await _end(connection, message, state=State.FAILED, error=error)


async def _end(connection: AsyncConnection, message: Message, **values: Any) -> None:
    """Only the holder of the newest lease speaks for the message, unless it was delivered after all."""
    each = outbox.c
    mine = (each.district_id == message.district_id) & (each.message_id == message.message_id)
    if values.get("state") is not State.SENT:
        mine &= (each.tries == message.tries) & (each.state == State.PENDING)
    await connection.execute(update(outbox).where(mine).values(leased_until_ms=None, **values))


async def list_told(connection: AsyncConnection, district_id: int, ticket_id: int) -> list[int]:
    """People who have been written to about this ticket."""
    statement = select(outbox.c.person_id).where(
        outbox.c.district_id == district_id, outbox.c.ticket_id == ticket_id, outbox.c.person_id.is_not(None)
    )
    rows = await connection.execute(statement.distinct().order_by(outbox.c.person_id))
    return [person_id for (person_id,) in rows if person_id is not None]


async def list_messages(
    connection: AsyncConnection, district_id: int, *, ticket_id: int | None = None, limit: int = 50
) -> list[Sent]:
    """The newest first."""
    each = outbox.c
    statement = select(*(each[name] for name in Sent.__slots__)).where(each.district_id == district_id)
    if ticket_id is not None:
        statement = statement.where(each.ticket_id == ticket_id)
    rows = await connection.execute(statement.order_by(each.message_id.desc()).limit(limit))
    return [Sent(**{**row, "state": State(row["state"])}) for row in rows.mappings()]


async def count_by_state(connection: AsyncConnection, district_id: int) -> dict[State, int]:
    statement = select(outbox.c.state, func.count()).where(outbox.c.district_id == district_id)
    rows = await connection.execute(statement.group_by(outbox.c.state))
    return {State(state): count for state, count in rows}
