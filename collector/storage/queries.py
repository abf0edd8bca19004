"""SQL of the event log's upkeep: monthly partitions, where there are any, and the removal of old events.

Partitions are PostgreSQL's alone. A month is a whole number (202609), so it can stand in a statement as it is.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, MetaData, Table, and_, delete, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.intake.models import events, pledges, security_events, streams
from collector.stations.models import station_states

OTHER = "events_other"
"""The partition of months nobody made one for: broken clocks, and a past from before this centre."""

DISPUTES = ("stream-conflict", "pledge-differs")
"""Evidence that a station has shown another history than the one stored here."""

_PARTITION = re.compile(r"^events_(\d{6})$")
_LOCK_WAIT = "5s"
_others = events.to_metadata(MetaData(), name=OTHER)


@dataclass(frozen=True, slots=True)
class StreamName:
    district_id: int
    station_id: int
    stream: str
    folded: int


def has_partitions(connection: AsyncConnection) -> bool:
    return connection.dialect.name == "postgresql"


async def lock_events(connection: AsyncConnection) -> None:
    """Keep everybody off the event log until the transaction ends. Gives up after seconds: pushes must not queue."""
    await connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'"))
    await connection.execute(text("LOCK TABLE events IN ACCESS EXCLUSIVE MODE"))


async def list_months(connection: AsyncConnection) -> set[int]:
    """Months that have a partition."""
    query = "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
    rows = await connection.execute(text(f"{query} WHERE i.inhparent = 'events'::regclass"))
    return _months(rows.scalars())


async def list_detached(connection: AsyncConnection) -> set[int]:
    """Months whose partition was taken off the log but not yet dropped."""
    query = "SELECT relname FROM pg_class WHERE relkind = 'r' AND NOT relispartition AND relname LIKE 'events\\_%'"
    return _months((await connection.execute(text(query))).scalars())


async def list_stray_months(connection: AsyncConnection, *, first: int, last: int) -> set[int]:
    """Months in this range, both ends included, of which events lie among the others."""
    rows = await connection.execute(select(_others.c.month).where(_others.c.month.between(first, last)).distinct())
    return set(rows.scalars())


async def add_month(connection: AsyncConnection, month: int) -> int:
    """Make a month's partition; its events that lie among the others move into it. Returns how many moved."""
    strays = await connection.execute(select(_others.c.seq).where(_others.c.month == month).limit(1))
    make = f"CREATE TABLE events_{month:06d} PARTITION OF events FOR VALUES FROM ({month:d}) TO ({month + 1:d})"
    if strays.first() is None:
        await connection.execute(text(make))
        return 0
    await connection.execute(text(f"ALTER TABLE events DETACH PARTITION {OTHER}"))
    await connection.execute(text(make))
    mine = select(_others).where(_others.c.month == month)
    await connection.execute(events.insert().from_select([each.name for each in events.c], mine))
    moved = (await connection.execute(delete(_others).where(_others.c.month == month))).rowcount
    await connection.execute(text(f"ALTER TABLE events ATTACH PARTITION {OTHER} DEFAULT"))
    return moved


async def has_unfolded(connection: AsyncConnection, month: int) -> bool:
    """Whether the fold has still to read an event of this partition."""
    part = _part(month)
    join = _same_stream(part, streams) & (part.c.seq > streams.c.folded)
    statement = select(part.c.seq).join(streams, join).where(streams.c.stored > streams.c.folded).limit(1)
    return (await connection.execute(statement)).first() is not None


async def detach_month(connection: AsyncConnection, month: int) -> None:
    await connection.execute(text(f"ALTER TABLE events DETACH PARTITION events_{month:06d}"))


async def drop_detached(connection: AsyncConnection, month: int, *, before: int, since_ms: int) -> int:
    """Drop a month that is off the log; what is booked in `before` or later, or disputed, moves to the others.

    A conflict counts from `since_ms` on. Returns how many moved.
    """
    part = _part(month)
    kept = select(part).where(or_(part.c.booked_month >= before, _is_disputed(part, since_ms)))
    moved = (await connection.execute(events.insert().from_select([each.name for each in events.c], kept))).rowcount
    await connection.execute(text(f"DROP TABLE events_{month:06d}"))
    return moved


async def list_streams(connection: AsyncConnection, *, before: int, since_ms: int) -> list[StreamName]:
    """Streams that may have single events booked before this month and to drop: all, or those among the others.

    None that is disputed; a conflict counts from `since_ms` on.
    """
    columns = (streams.c.district_id, streams.c.station_id, streams.c.stream, streams.c.folded)
    statement = select(*columns).where(~_is_disputed(streams, since_ms)).order_by(*columns[:3])
    if has_partitions(connection):
        old = _others.c.booked_month < before
        named = select(_others.c.seq).where(_same_stream(_others, streams), old)
        statement = statement.where(named.exists())
    return [StreamName(*row) for row in await connection.execute(statement)]


async def drop_events(connection: AsyncConnection, stream: StreamName, *, before: int, window: int) -> int:
    """Drop folded events booked before this month among the first `window` of a stream. Returns how many."""
    log = _others if has_partitions(connection) else events
    mine = (
        log.c.district_id == stream.district_id,
        log.c.station_id == stream.station_id,
        log.c.stream == stream.stream,
        log.c.seq <= stream.folded,
    )
    first = select(log.c.seq).where(*mine).order_by(log.c.seq).limit(window)
    bound = max((await connection.execute(first)).scalars(), default=0)
    old = delete(log).where(*mine, log.c.seq <= bound, log.c.booked_month < before)
    return (await connection.execute(old)).rowcount


def _is_disputed(table: Table, since_ms: int) -> ColumnElement[bool]:
    """Whether a row belongs to a station held aside, one that contradicted itself, or a stream wrongly pledged."""
    states, pledge, told = station_states.c, pledges.c, security_events.c
    here = (states.district_id == table.c.district_id, states.station_id == table.c.station_id)
    held = select(states.station_id).where(*here, states.held_ms.is_not(None)).exists()
    wrong = select(pledge.seq).where(_same_stream(pledges, table), pledge.right.is_(False)).exists()
    mine = (told.district_id == table.c.district_id, told.station_id == table.c.station_id)
    differs = select(told.event_id).where(*mine, told.kind.in_(DISPUTES), told.at_ms >= since_ms).exists()
    return or_(held, wrong, differs)


def _part(month: int) -> Table:
    return events.to_metadata(MetaData(), name=f"events_{month:06d}")


def _same_stream(left: Table, right: Table) -> ColumnElement[bool]:
    return and_(*(left.c[name] == right.c[name] for name in ("district_id", "station_id", "stream")))


def _months(names: Iterable[str]) -> set[int]:
    return {int(match[1]) for match in map(_PARTITION.match, names) if match}
