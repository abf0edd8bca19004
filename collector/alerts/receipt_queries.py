"""SQL of receipts: what became of a message after it was handed over."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.alerts.channels.base import Message
from collector.alerts.models import outbox
from collector.alerts.queries import Due, State

_FATE = ("state", "sent_ms", "delivered_ms")


@dataclass(frozen=True, slots=True)
class Posted:
    """A message some channel has had, and what is known of it. `sent_ms` is 0 while it has not been taken."""

    due: Due
    state: State
    sent_ms: int
    delivered_ms: int | None


async def get_posted(connection: AsyncConnection, district_id: int, message_id: int, *, channel: str) -> Posted | None:
    """A message that went, or goes, by this channel."""
    each = outbox.c
    statement = select(
        *(each[name] for name in Message.__slots__), each.wakes, each.rank, each.rest, *(each[name] for name in _FATE)
    ).where(each.district_id == district_id, each.message_id == message_id, each.channel == channel)
    row = (await connection.execute(statement)).first()
    if row is None:
        return None
    due = Due(Message(*row[:-6]), row.wakes, row.rank, row.rest, gone=False)
    return Posted(due, State(row.state), row.sent_ms or 0, row.delivered_ms)


async def mark_delivered(connection: AsyncConnection, message: Message, *, now_ms: int) -> bool:
    """The other side has told that it arrived."""
    return await _amend(connection, message, delivered_ms=now_ms)


async def take_back(connection: AsyncConnection, message: Message, *, error: str, state: State) -> bool:
    """The other side has told that it never arrived after all."""
    return await _amend(connection, message, error=error, state=state)


async def _amend(connection: AsyncConnection, message: Message, **values: Any) -> bool:
    each = outbox.c
    mine = (each.district_id == message.district_id) & (each.message_id == message.message_id)
    sent = (each.state == State.SENT) & each.delivered_ms.is_(None)
    return (await connection.execute(update(outbox).where(mine, sent).values(**values))).rowcount == 1
