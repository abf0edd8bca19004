"""Every SQL statement of the intake. All of them serve many pushes at once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.db import dialect
from collector.db.numbers import next_number
from collector.intake.models import events, security_events, streams
from collector.stations.models import boots, station_keys, station_states

StreamKey = tuple[int, int, str]
StationKey = tuple[int, int]


@dataclass(frozen=True, slots=True)
class StreamRow:
    stored: int
    head: bytes


async def list_valid_keys(
    connection: AsyncConnection, wanted: Collection[tuple[int, int, str]]
) -> set[tuple[int, int, str]]:
    """Which of these (district, station, key id) are not revoked."""
    key = tuple_(station_keys.c.district_id, station_keys.c.station_id, station_keys.c.key_id)
    statement = select(station_keys.c.district_id, station_keys.c.station_id, station_keys.c.key_id)
    rows = await connection.execute(statement.where(key.in_(list(wanted)), station_keys.c.revoked_ms.is_(None)))
    return {(row[0], row[1], row[2]) for row in rows}


async def list_streams(connection: AsyncConnection, wanted: Collection[StreamKey]) -> dict[StreamKey, StreamRow]:
    key = tuple_(streams.c.district_id, streams.c.station_id)
    statement = select(
        streams.c.district_id, streams.c.station_id, streams.c.stream, streams.c.stored, streams.c.head
    ).where(key.in_({(district, station) for district, station, _ in wanted}))
    rows = await connection.execute(statement)
    return {(row[0], row[1], row[2]): StreamRow(row[3], bytes.fromhex(row[4])) for row in rows}


async def list_places(
    connection: AsyncConnection, wanted: Collection[StationKey]
) -> dict[StationKey, tuple[str, int, int]]:
    """Boot, monotonic ms and receipt of the newest state of each of these stations."""
    key = tuple_(station_states.c.district_id, station_states.c.station_id)
    statement = select(
        station_states.c.district_id,
        station_states.c.station_id,
        station_states.c.boot,
        station_states.c.mono_ms,
        station_states.c.received_ms,
    ).where(key.in_(list(wanted)))
    return {(row[0], row[1]): (row[2], row[3], row[4]) for row in await connection.execute(statement)}


async def list_anchors(connection: AsyncConnection, wanted: Collection[StationKey]) -> dict[StationKey, dict[str, int]]:
    """Known anchors of these stations: true epoch ms minus monotonic ms, by boot."""
    key = tuple_(boots.c.district_id, boots.c.station_id)
    statement = select(boots.c.district_id, boots.c.station_id, boots.c.boot, boots.c.offset_ms).where(
        key.in_(list(wanted))
    )
    found: dict[StationKey, dict[str, int]] = {}
    for row in await connection.execute(statement):
        found.setdefault((row[0], row[1]), {})[row[2]] = row[3]
    return found


async def open_streams(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> set[StreamKey]:
    """Insert streams nobody has; returns those that are now ours."""
    if not rows:
        return set()
    statement = dialect.insert(connection, streams).values(list(rows)).on_conflict_do_nothing()
    made = await connection.execute(statement.returning(streams.c.district_id, streams.c.station_id, streams.c.stream))
    return {(row[0], row[1], row[2]) for row in made}


async def advance_streams(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> set[StreamKey]:
    """Compare-and-set: move each stream from `old` to `stored`, `head`. Returns those that stood where expected."""
    moved: set[StreamKey] = set()
    for row in rows:
        statement = (
            update(streams)
            .where(
                streams.c.district_id == row["district_id"],
                streams.c.station_id == row["station_id"],
                streams.c.stream == row["stream"],
                streams.c.stored == row["old"],
            )
            .values(stored=row["stored"], head=row["head"])
        )
        if (await connection.execute(statement)).rowcount == 1:
            moved.add((row["district_id"], row["station_id"], row["stream"]))
    return moved


async def append_events(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        await connection.execute(insert(events), list(rows))


async def put_states(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Newest state of each station. A repeated or overtaken push changes nothing: never back in (boot, mono)."""
    if not rows:
        return
    fresh = dialect.insert(connection, station_states)
    newer = or_(station_states.c.boot != fresh.excluded.boot, station_states.c.mono_ms < fresh.excluded.mono_ms)
    kept = {"district_id", "station_id", "first_received_ms"}
    changes = {each.name: fresh.excluded[each.name] for each in station_states.c if each.name not in kept}
    statement = fresh.on_conflict_do_update(
        index_elements=[station_states.c.district_id, station_states.c.station_id], set_=changes, where=newer
    )
    await connection.execute(statement, list(rows))


async def put_anchors(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Remember where a boot lies in true time; its first anchor stays."""
    if rows:
        await connection.execute(dialect.insert(connection, boots).on_conflict_do_nothing(), list(rows))


async def get_public_key(connection: AsyncConnection, district_id: int, station_id: int, key_id: str) -> bytes | None:
    """Public key under this name, revoked or not; revocation is judged inside the writing transaction."""
    statement = select(station_keys.c.public_key).where(
        station_keys.c.district_id == district_id,
        station_keys.c.station_id == station_id,
        station_keys.c.key_id == key_id,
    )
    value = (await connection.execute(statement)).scalar()
    return None if value is None else bytes(value)


async def add_security_event(
    connection: AsyncConnection,
    district_id: int,
    *,
    station_id: int | None,
    kind: str,
    detail: str,
    content: bytes | None,
    now_ms: int,
) -> None:
    """Keep evidence of what did not fit, at most 64 KiB of its bytes."""
    await connection.execute(
        insert(security_events).values(
            district_id=district_id,
            event_id=await next_number(connection, district_id, "security_event"),
            station_id=station_id,
            at_ms=now_ms,
            kind=kind,
            detail=detail[:2000],
            bytes=None if content is None else content[:65536],
        )
    )


async def latest_receipt(connection: AsyncConnection, district_id: int) -> int | None:
    """When this district was last heard at all."""
    statement = (
        select(station_states.c.received_ms)
        .where(station_states.c.district_id == district_id)
        .order_by(station_states.c.received_ms.desc())
        .limit(1)
    )
    return (await connection.execute(statement)).scalar()
