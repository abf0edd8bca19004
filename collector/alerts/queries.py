"""Every SQL statement of the outbox: pending → leased until → sent, failed, moved on, folded or superseded."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

from sqlalchemy import and_, case, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.alerts.budgets import Level
from collector.alerts.channels.base import Message
from collector.alerts.models import buckets, link_keys, outbox, reaches
from collector.db.dialect import insert as upsert
from collector.db.numbers import next_number
from collector.people.models import people

Ways = Sequence[Sequence[str]]
"""Channels with addresses, in the order they are tried."""


class State(StrEnum):
    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    MOVED = "moved"
    FOLDED = "folded"
    SUPERSEDED = "superseded"


class Rank(IntEnum):
    """What goes out first."""

    FIRST = 0
    REMINDER = 1
    DIGEST = 2


@dataclass(frozen=True, slots=True)
class Due:
    """A message that may be sent now, with what decides whether it is. `gone`: its person has left."""

    message: Message
    wakes: bool
    rank: int
    rest: Ways
    gone: bool


@dataclass(frozen=True, slots=True)
class NewMessage:
    """What is to be told to whom. `ways` are tried in turn; there is at least one."""

    ticket_id: int | None
    person_id: int | None
    ways: Ways
    subject: str
    body: str
    data: Mapping[str, Any]
    rank: Rank = Rank.FIRST
    wakes: bool = False
    follows_id: int | None = None


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
    digest_id: int | None
    created_ms: int
    not_before_ms: int
    leased_until_ms: int | None
    sent_ms: int | None
    delivered_ms: int | None
    opened_ms: int | None
    error: str


@dataclass(frozen=True, slots=True)
class Health:
    """How a channel has done: `sent` and `failed` since a moment, what waits now, its last success and last failure."""

    channel: str
    sent: int
    failed: int
    waiting: int
    sent_ms: int | None
    troubled: int
    error: str


async def add_message(
    connection: AsyncConnection,
    district_id: int,
    new: NewMessage,
    *,
    now_ms: int,
    not_before_ms: int,
    lease_ms: int | None = None,
) -> Message:
    """Write a message; with `lease_ms` it is at once its writer's to send."""
    (channel, address), *rest = new.ways
    values: dict[str, Any] = {
        "district_id": district_id,
        "message_id": await next_number(connection, district_id, "message"),
        "ticket_id": new.ticket_id,
        "person_id": new.person_id,
        "channel": channel,
        "address": address,
        "subject": new.subject,
        "body": new.body,
        "data": dict(new.data),
        "tries": 0 if lease_ms is None else 1,
        "created_ms": now_ms,
    }
    await connection.execute(
        insert(outbox).values(
            **values,
            state=State.PENDING,
            rank=new.rank,
            wakes=new.wakes,
            rest=[list(each) for each in rest],
            follows_id=new.follows_id,
            set_ms=now_ms,
            not_before_ms=not_before_ms,
            leased_until_ms=None if lease_ms is None else now_ms + lease_ms,
        )
    )
    return Message(**values)


async def claim(
    connection: AsyncConnection,
    district_id: int,
    *,
    lease_ms: int,
    now_ms: int,
    limit: int,
    busy: Collection[str] = (),
    only: tuple[str, str] | None = None,
) -> list[Due]:
    """Lease due messages, in the order they go out: each to one sender until its lease runs out.

    Not those of `busy` channels; `only` those of one channel and address. A clock that was set back since a message
    was put off, or leased, makes nothing wait longer.
    """
    each = outbox.c
    due = and_(
        each.district_id == district_id,
        each.state == State.PENDING,
        or_(each.not_before_ms <= now_ms, each.set_ms > now_ms),
        or_(each.leased_until_ms.is_(None), each.leased_until_ms <= now_ms, each.leased_until_ms > now_ms + lease_ms),
        each.channel.not_in(busy),
    )
    if only is not None:
        due = and_(due, each.channel == only[0], each.address == only[1])
    first = select(each.message_id).where(due).order_by(each.rank, each.message_id).limit(limit)
    statement = (
        update(outbox)
        .where(due, each.message_id.in_(first.scalar_subquery()))
        .values(leased_until_ms=now_ms + lease_ms, tries=each.tries + 1)
        .returning(*(each[name] for name in Message.__slots__), each.wakes, each.rank, each.rest)
    )
    rows = (await connection.execute(statement)).all()
    gone = await _list_gone(connection, district_id, {row.person_id for row in rows})
    found = [Due(Message(*row[:-3]), row[-3], row[-2], row[-1], row.person_id in gone) for row in rows]
    return sorted(found, key=lambda one: (one.rank, one.message.message_id))


async def _list_gone(connection: AsyncConnection, district_id: int, ids: Collection[int | None]) -> set[int]:
    """Who of these is no longer in the archive."""
    wanted = [each for each in ids if each is not None]
    statement = select(people.c.person_id).where(
        people.c.district_id == district_id, people.c.person_id.in_(wanted), people.c.disabled_ms.is_(None)
    )
    return set(wanted) - set((await connection.execute(statement)).scalars()) if wanted else set()


async def finish(
    connection: AsyncConnection, message: Message, *, now_ms: int, delivered: bool = False, reference: str = ""
) -> None:
    """It is sent. Whoever has taken it over meanwhile has no more to do."""
    delivered_ms = now_ms if delivered else None
    await _end(
        connection,
        message,
        state=State.SENT,
        sent_ms=now_ms,
        delivered_ms=delivered_ms,
        reference=reference,
        error="",
    )


async def put_off(
    connection: AsyncConnection, message: Message, *, not_before_ms: int, now_ms: int, error: str
) -> bool:
    """Try again later."""
    return await _end(connection, message, not_before_ms=not_before_ms, set_ms=now_ms, error=error)


async def give_back(connection: AsyncConnection, message: Message, *, not_before_ms: int, now_ms: int) -> None:
    """It may not go out yet; this was no try."""
    await _end(connection, message, not_before_ms=not_before_ms, set_ms=now_ms, tries=message.tries - 1)


async def give_up(connection: AsyncConnection, message: Message, *, error: str, state: State = State.FAILED) -> bool:
    """It has failed here for good; `state` MOVED where another channel takes over."""
    return await _end(connection, message, state=state, error=error)


async def _end(connection: AsyncConnection, message: Message, **values: Any) -> bool:
    """Only the holder of the newest lease speaks for the message, unless it was delivered after all."""
    each = outbox.c
    mine = (each.district_id == message.district_id) & (each.message_id == message.message_id)
    if values.get("state") is not State.SENT:
        mine &= (each.tries == message.tries) & (each.state == State.PENDING)
    done = await connection.execute(update(outbox).where(mine).values(leased_until_ms=None, **values))
    return done.rowcount == 1


async def fold(connection: AsyncConnection, district_id: int, numbers: Sequence[int], digest_id: int) -> None:
    """These messages are told in a digest."""
    each = outbox.c
    statement = update(outbox).where(each.district_id == district_id, each.message_id.in_(numbers))
    await connection.execute(statement.values(state=State.FOLDED, digest_id=digest_id, leased_until_ms=None))


async def supersede(
    connection: AsyncConnection, district_id: int, *, ticket_id: int, person_id: int, now_ms: int
) -> None:
    """Newer news of a ticket takes the place of what this person has yet to hear of it."""
    each = outbox.c
    waiting = and_(each.state == State.PENDING, each.leased_until_ms.is_(None), each.not_before_ms > now_ms)
    statement = update(outbox).where(
        each.district_id == district_id, each.ticket_id == ticket_id, each.person_id == person_id, waiting
    )
    await connection.execute(statement.values(state=State.SUPERSEDED))


async def list_told(connection: AsyncConnection, district_id: int, ticket_id: int) -> list[int]:
    """People who have been written to about this ticket, or are just about to be."""
    each = outbox.c
    statement = select(each.person_id).where(
        each.district_id == district_id,
        each.ticket_id == ticket_id,
        each.person_id.is_not(None),
        each.state != State.SUPERSEDED,
    )
    rows = await connection.execute(statement.distinct().order_by(each.person_id))
    return [person_id for (person_id,) in rows if person_id is not None]


async def mark_opened(
    connection: AsyncConnection, district_id: int, *, ticket_id: int, person_id: int, now_ms: int
) -> None:
    """The link in this person's messages about a ticket was opened."""
    each = outbox.c
    statement = update(outbox).where(
        each.district_id == district_id,
        each.ticket_id == ticket_id,
        each.person_id == person_id,
        each.opened_ms.is_(None),
        each.state.in_((State.SENT, State.FOLDED)),
    )
    await connection.execute(statement.values(opened_ms=now_ms))


async def list_messages(
    connection: AsyncConnection,
    district_id: int,
    *,
    ticket_id: int | None = None,
    person_id: int | None = None,
    state: State | None = None,
    limit: int = 50,
) -> list[Sent]:
    """The newest first."""
    each = outbox.c
    statement = select(*(each[name] for name in Sent.__slots__)).where(each.district_id == district_id)
    for column, value in ((each.ticket_id, ticket_id), (each.person_id, person_id), (each.state, state)):
        if value is not None:
            statement = statement.where(column == value)
    rows = await connection.execute(statement.order_by(each.message_id.desc()).limit(limit))
    return [Sent(**{**row, "state": State(row["state"])}) for row in rows.mappings()]


async def list_health(connection: AsyncConnection, district_id: int, *, since_ms: int) -> dict[str, Health]:
    """Every channel that has had messages."""
    each = outbox.c
    recent = each.created_ms >= since_ms
    waits = each.state == State.PENDING
    failed = each.state.in_((State.FAILED, State.MOVED))
    statement = select(
        each.channel,
        func.sum(case((and_(recent, each.state == State.SENT), 1), else_=0)),
        func.sum(case((and_(recent, failed), 1), else_=0)),
        func.sum(case((waits, 1), else_=0)),
        func.max(each.sent_ms),
        func.max(case((each.error != "", each.message_id), else_=0)),
    ).where(each.district_id == district_id, or_(recent, waits))
    rows = (await connection.execute(statement.group_by(each.channel))).all()
    numbers = [row[5] for row in rows]
    said = select(each.message_id, each.error).where(each.district_id == district_id, each.message_id.in_(numbers))
    errors = {row.message_id: row.error for row in await connection.execute(said)}
    return {
        name: Health(name, int(sent), int(bad), int(waiting), sent_ms, number, errors.get(number, ""))
        for name, sent, bad, waiting, sent_ms, number in rows
    }


async def lock_levels(connection: AsyncConnection, district_id: int, full: Mapping[str, Level]) -> dict[str, Level]:
    """The levels of these buckets, held until the transaction ends. One that is not known yet is as `full` says."""
    if not full:
        return {}
    rows = [
        {
            "district_id": district_id,
            "name": name,
            "tokens": level.tokens,
            "at_ms": level.at_ms,
            "blocked_until_ms": level.blocked_until_ms,
        }
        for name, level in sorted(full.items())
    ]
    each = buckets.c
    statement = upsert(connection, buckets).values(rows)
    statement = statement.on_conflict_do_update(
        index_elements=[each.district_id, each.name],
        set_={"tokens": each.tokens},  # changes nothing, but holds the row
    ).returning(each.name, each.tokens, each.at_ms, each.blocked_until_ms)
    found = await connection.execute(statement)
    return {name: Level(tokens, at_ms, blocked_ms) for name, tokens, at_ms, blocked_ms in found}


async def put_levels(connection: AsyncConnection, district_id: int, levels: Mapping[str, Level]) -> None:
    each = buckets.c
    for name, level in sorted(levels.items()):
        await connection.execute(
            update(buckets)
            .where(each.district_id == district_id, each.name == name)
            .values(tokens=level.tokens, at_ms=level.at_ms, blocked_until_ms=level.blocked_until_ms)
        )


async def list_reaches(
    connection: AsyncConnection, district_id: int, *, person_id: int | None = None
) -> dict[int, dict[str, tuple[int, str]]]:
    """What people have chosen: by person and channel, the place in their order and the address of their own."""
    each = reaches.c
    statement = select(each.person_id, each.channel, each.place, each.address).where(each.district_id == district_id)
    if person_id is not None:
        statement = statement.where(each.person_id == person_id)
    found: dict[int, dict[str, tuple[int, str]]] = {}
    for number, channel, place, address in await connection.execute(statement):
        found.setdefault(number, {})[channel] = (place, address)
    return found


async def put_reaches(
    connection: AsyncConnection, district_id: int, person_id: int, chosen: Iterable[tuple[str, int, str]]
) -> None:
    """How a person wants to be reached from now on: channel, place, address."""
    each = reaches.c
    await connection.execute(delete(reaches).where(each.district_id == district_id, each.person_id == person_id))
    rows = [
        {"district_id": district_id, "person_id": person_id, "channel": name, "place": place, "address": address}
        for name, place, address in chosen
    ]
    if rows:
        await connection.execute(insert(reaches), rows)


async def get_link_key(connection: AsyncConnection, district_id: int) -> str | None:
    """The district's key of acknowledge links, in hexadecimal."""
    return (await connection.execute(select(link_keys.c.key).where(link_keys.c.district_id == district_id))).scalar()


async def add_link_key(connection: AsyncConnection, district_id: int, key: str) -> None:
    """Keep a key unless there is one."""
    statement = upsert(connection, link_keys).values(district_id=district_id, key=key)
    await connection.execute(statement.on_conflict_do_nothing())
