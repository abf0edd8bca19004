"""Every SQL statement about pledges: the stations' own signatures over their chains."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.db import dialect
from collector.intake.models import events, pledges, streams
from collector.stations.models import station_keys, station_states


class PledgeRow(NamedTuple):
    """A pledge that has not been checked, with the public key it must be made with."""

    district_id: int
    station_id: int
    stream: str
    seq: int
    head: bytes
    signature: bytes
    public_key: bytes


class PledgedStream(NamedTuple):
    """How far a stream has come, and its newest pledge with the key it must be made with, where there is one."""

    district_id: int
    station_id: int
    stream: str
    stored: int
    head: str
    seq: int | None
    pledged: bytes | None
    signature: bytes | None
    public_key: bytes | None


class StoredLine(NamedTuple):
    """A row of the event log, as far as it can be held against its own line."""

    seq: int
    kind: str
    at_ms: int
    booked_month: int
    line: bytes
    refused: str | None


class Unproven(NamedTuple):
    """A stream that goes on without its station's signature."""

    district_id: int
    station_id: int
    stream: str
    since_ms: int


async def put_pledges(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Keep the newest pledge of each stream; `stream` as bytes."""
    await _PUT.run(connection, rows)


async def end_unproven(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Note that these pledges prove all of their streams, as far as those still stand there."""
    each = streams.c
    for row in rows:
        place = (each.district_id == row["district_id"], each.station_id == row["station_id"])
        mine = (*place, each.stream == row["stream"].hex(), each.stored == row["seq"])
        await connection.execute(update(streams).where(*mine).values(unproven_ms=None))


def _put_pledge(connection: AsyncConnection) -> Any:
    fresh = dialect.insert(connection, pledges)
    key = [pledges.c.district_id, pledges.c.station_id, pledges.c.stream]
    changes = {each.name: fresh.excluded[each.name] for each in pledges.c if not each.primary_key}
    return fresh.on_conflict_do_update(index_elements=key, set_=changes)


_PUT = dialect.Hot(_put_pledge)


async def list_unchecked(connection: AsyncConnection, *, limit: int) -> list[PledgeRow]:
    each, keys = pledges.c, station_keys.c
    same = (keys.district_id == each.district_id) & (keys.station_id == each.station_id) & (keys.key_id == each.key_id)
    statement = (
        select(each.district_id, each.station_id, each.stream, each.seq, each.head, each.signature, keys.public_key)
        .join_from(pledges, station_keys, same)
        .where(each.right.is_(None))
        .limit(limit)
    )
    return [PledgeRow(*row) for row in await connection.execute(statement)]


async def mark_checked(connection: AsyncConnection, rows: Collection[PledgeRow], *, right: bool) -> None:
    """Say what came of checking these; one that has been followed by another meanwhile stays unchecked."""
    each = pledges.c
    key = tuple_(each.district_id, each.station_id, each.stream, each.seq)
    places = [(row.district_id, row.station_id, row.stream, row.seq) for row in rows]
    if places:
        await connection.execute(update(pledges).where(key.in_(places)).values(right=right))


async def list_unproven(connection: AsyncConnection, *, patience_ms: int) -> list[Unproven]:
    """Streams whose station has been heard for so long after their first unproven line, and has pledged nothing."""
    each, states = streams.c, station_states.c
    same = (states.district_id == each.district_id) & (states.station_id == each.station_id)
    statement = (
        select(each.district_id, each.station_id, each.stream, each.unproven_ms)
        .join_from(streams, station_states, same & (states.stream == each.stream))
        .where(states.received_ms - each.unproven_ms > patience_ms)
    )
    return [Unproven(*row) for row in await connection.execute(statement)]


async def begin_anew(connection: AsyncConnection, stream: Unproven, *, now_ms: int) -> None:
    """Count a stream's unproven time from now, so that it is told of once in a while and not for ever."""
    each = streams.c
    place = (each.district_id == stream.district_id, each.station_id == stream.station_id)
    mine = (*place, each.stream == stream.stream, each.unproven_ms == stream.since_ms)
    await connection.execute(update(streams).where(*mine).values(unproven_ms=now_ms))


async def list_pledged(
    connection: AsyncConnection, district_id: int, station_id: int | None = None
) -> list[PledgedStream]:
    """All streams of a district or a station, each with its newest pledge."""
    each, pledge, keys = streams.c, pledges.c, station_keys.c
    of_stream = (pledge.district_id == each.district_id) & (pledge.station_id == each.station_id)
    its_key = (keys.district_id == pledge.district_id) & (keys.station_id == pledge.station_id)
    statement = (
        select(each.district_id, each.station_id, each.stream, each.stored, each.head)
        .add_columns(pledge.seq, pledge.head, pledge.signature, keys.public_key)
        .join_from(streams, pledges, of_stream & (pledge.stream == each.stream), isouter=True)
        .join(station_keys, its_key & (keys.key_id == pledge.key_id), isouter=True)
        .where(each.district_id == district_id)
        .order_by(each.station_id, each.opened_ms, each.stream)
    )
    if station_id is not None:
        statement = statement.where(each.station_id == station_id)
    return [PledgedStream(*row) for row in await connection.execute(statement)]


async def list_lines(
    connection: AsyncConnection, stream: PledgedStream, *, after: int, upto: int, limit: int
) -> list[StoredLine]:
    """Stored lines of a stream in their order, a page of them."""
    each = events.c
    statement = (
        select(each.seq, each.kind, each.at_ms, each.booked_month, each.line, each.refused)
        .where(
            each.district_id == stream.district_id,
            each.station_id == stream.station_id,
            each.stream == stream.stream,
            each.seq > after,
            each.seq <= upto,
        )
        .order_by(each.seq)
        .limit(limit)
    )
    return [StoredLine(*row) for row in await connection.execute(statement)]
