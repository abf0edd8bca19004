"""Every SQL statement of the intake. All of them serve many pushes at once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import case, func, insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.db import dialect
from collector.db.numbers import next_number
from collector.intake.models import events, security_events, streams
from collector.stations.models import boots, station_keys, station_states

StreamKey = tuple[int, int, str]
StationKey = tuple[int, int]
LinePlace = tuple[int, int, str, int]
"""District, station, stream, seq."""


class StreamRow(NamedTuple):
    stored: int
    head: bytes


class EventRow(NamedTuple):
    """One row of the event log, in the order of its columns. `stream` as bytes."""

    district_id: int
    station_id: int
    stream: bytes
    seq: int
    month: int
    kind: str
    at_ms: int
    booked_ms: int
    booked_month: int
    uncertain: bool
    received_ms: int
    line: bytes
    refused: str | None


@dataclass(frozen=True, slots=True)
class Tail:
    """The unknown end of a stream: the station said it had written up to `told`, up to `stored` has come."""

    station_id: int
    stream: str
    stored: int
    told: int
    left_ms: int

    @property
    def lines(self) -> int:
        return self.told - self.stored


class Known(NamedTuple):
    """The valid key of a station and where its newest state stands (`mono_ms` -1: never heard).

    `ending` are keys that have been followed or revoked, and when each ends; `lease` None: whatever it shows is taken.
    """

    key_id: str
    boot: str
    mono_ms: int
    received_ms: int = 0
    rotate_ms: int | None = None
    ending: tuple[tuple[str, int], ...] = ()
    lease: bytes | None = None
    lease_before: bytes = b""
    held_ms: int | None = None
    spool_stream: str = ""
    spool_last: int = 0

    @property
    def anchors(self) -> dict[str, int]:
        """True epoch ms minus monotonic ms of the present boot, by its name."""
        return {self.boot: self.received_ms - self.mono_ms} if self.boot else {}

    def admits(self, key_id: str, now_ms: int) -> bool:
        """Whether a push may be signed with this key."""
        return key_id == self.key_id or any(name == key_id and until > now_ms for name, until in self.ending)


async def list_known(connection: AsyncConnection, wanted: Collection[StationKey]) -> dict[StationKey, Known]:
    """Keys and newest state of these stations; those that never had a key are missing."""
    found: dict[StationKey, Known] = {}
    ending: dict[StationKey, tuple[tuple[str, int], ...]] = {}
    for district_id, station_id, key_id, revoked_ms, rotate_ms, *state in await _KNOWN.run(connection, wanted):
        station = (district_id, station_id)
        if revoked_ms is None or station not in found:
            found[station] = _known("" if revoked_ms is not None else key_id, rotate_ms, state)
        if revoked_ms is not None:
            ending[station] = (*ending.get(station, ()), (key_id, revoked_ms))
    return found | {station: found[station]._replace(ending=each) for station, each in ending.items()}


def _select_known(wanted: dialect.Wanted) -> Any:
    keys, states = station_keys.c, station_states.c
    same = (states.district_id == keys.district_id) & (states.station_id == keys.station_id)
    place = (states.boot, states.mono_ms, states.received_ms, states.lease, states.lease_before, states.held_ms)
    return (
        select(keys.district_id, keys.station_id, keys.key_id, keys.revoked_ms, keys.rotate_ms, *place)
        .add_columns(states.spool_stream, states.spool_last)
        .join_from(station_keys, station_states, same, isouter=True)
        .where(keys.district_id == wanted["district_id"], keys.station_id == wanted["station_id"])
    )


def _known(key_id: str, rotate_ms: int, state: Sequence[Any]) -> Known:
    boot, mono_ms, received_ms, lease, before, held_ms, spool_stream, spool_last = state
    if boot is None:
        return Known(key_id, "", -1, rotate_ms=rotate_ms)
    place = (boot, mono_ms, received_ms, rotate_ms, (), lease, before or b"", held_ms)
    return Known(key_id, *place, spool_stream.hex(), spool_last)


async def list_streams(connection: AsyncConnection, wanted: Collection[StreamKey]) -> dict[StreamKey, StreamRow]:
    keys = [(district_id, station_id, bytes.fromhex(stream)) for district_id, station_id, stream in wanted]
    rows = await _STREAMS.run(connection, keys)
    return {(row[0], row[1], row[2].hex()): StreamRow(row[3], row[4]) for row in rows}


def _select_streams(wanted: dialect.Wanted) -> Any:
    each = streams.c
    return select(each.district_id, each.station_id, each.stream, each.stored, each.head).where(
        each.district_id == wanted["district_id"],
        each.station_id == wanted["station_id"],
        each.stream == wanted["stream"],
    )


async def list_lines(connection: AsyncConnection, wanted: Collection[LinePlace]) -> dict[LinePlace, bytes]:
    """The lines stored in these places; those a gap stands for are missing."""
    key = tuple_(events.c.district_id, events.c.station_id, events.c.stream, events.c.seq)
    statement = select(events.c.district_id, events.c.station_id, events.c.stream, events.c.seq, events.c.line)
    rows = await connection.execute(statement.where(key.in_(list(wanted)), events.c.kind != "spool.gap"))
    return {(row[0], row[1], row[2], row[3]): bytes(row[4]) for row in rows}


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


async def list_boots(connection: AsyncConnection, wanted: Collection[StationKey]) -> dict[StationKey, dict[str, int]]:
    """The last monotonic ms heard in every boot of these stations but their present one."""
    key = tuple_(boots.c.district_id, boots.c.station_id)
    statement = select(boots.c.district_id, boots.c.station_id, boots.c.boot, boots.c.mono_ms)
    found: dict[StationKey, dict[str, int]] = {}
    for row in await connection.execute(statement.where(key.in_(list(wanted)))):
        found.setdefault((row[0], row[1]), {})[row[2]] = row[3]
    return found


async def move_streams(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> set[StreamKey]:
    """Open or advance streams by compare-and-set; returns those that stood where `before` says.

    A stream nobody has is inserted. `stream` and `head` as bytes.
    """
    ours = {(row["district_id"], row["station_id"], row["stream"].hex()): row for row in rows}
    if await _MOVE_STREAM.run(connection, rows) == len(rows):
        return set(ours)
    present = await list_streams(connection, ours)
    return {
        key
        for key, row in ours.items()
        if key in present and (present[key].stored, present[key].head) == (row["stored"], row["head"])
    }


def _move_stream(connection: AsyncConnection) -> Any:
    fresh = dialect.insert(connection, streams)
    began_ms = func.coalesce(streams.c.unproven_ms, fresh.excluded.unproven_ms)
    unproven_ms = case((fresh.excluded.unproven_ms.is_not(None), began_ms))
    return fresh.on_conflict_do_update(
        index_elements=[streams.c.district_id, streams.c.station_id, streams.c.stream],
        set_={name: fresh.excluded[name] for name in ("stored", "before", "head")} | {"unproven_ms": unproven_ms},
        where=streams.c.stored == fresh.excluded.before,
    )


async def append_events(connection: AsyncConnection, rows: Sequence[EventRow]) -> None:
    """Append new lines."""
    await _APPEND.run(connection, rows)


async def count_events(connection: AsyncConnection, wanted: Collection[StreamKey]) -> int:
    """How many lines these streams have stored."""
    key = tuple_(events.c.district_id, events.c.station_id, events.c.stream)
    statement = select(func.count()).select_from(events).where(key.in_(list(wanted)))
    return int((await connection.execute(statement)).scalar_one())


async def put_states(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> set[StationKey]:
    """Newest state of each station; `stream` as bytes. Returns the stations whose row is now this one.

    A repeated or overtaken push changes nothing: never back in (boot, mono).
    """
    ours = {(row["district_id"], row["station_id"]): row["lease"] for row in rows}
    if await _PUT_STATE.run(connection, rows) == len(rows):
        return set(ours)
    key = tuple_(station_states.c.district_id, station_states.c.station_id)
    statement = select(station_states.c.district_id, station_states.c.station_id, station_states.c.lease)
    present = await connection.execute(statement.where(key.in_(list(ours))))
    return {(row[0], row[1]) for row in present if row[2] == ours[(row[0], row[1])]}


def _put_state(connection: AsyncConnection) -> Any:
    fresh = dialect.insert(connection, station_states)
    newer = or_(station_states.c.boot != fresh.excluded.boot, station_states.c.mono_ms < fresh.excluded.mono_ms)
    kept = {"district_id", "station_id", "first_received_ms", "held_ms"}
    changes = {each.name: fresh.excluded[each.name] for each in station_states.c if each.name not in kept}
    return fresh.on_conflict_do_update(
        index_elements=[station_states.c.district_id, station_states.c.station_id], set_=changes, where=newer
    )


_KNOWN = dialect.Find([station_keys.c.district_id, station_keys.c.station_id], _select_known)
_STREAMS = dialect.Find([streams.c.district_id, streams.c.station_id, streams.c.stream], _select_streams)
_MOVE_STREAM = dialect.Hot(_move_stream)
_APPEND = dialect.Append(events, EventRow._fields)
_PUT_STATE = dialect.Hot(_put_state)


async def put_anchors(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Remember where a boot lies in true time and how far it came; its first anchor stays."""
    if rows:
        fresh = dialect.insert(connection, boots)
        key = [boots.c.district_id, boots.c.station_id, boots.c.boot]
        changes = {"mono_ms": fresh.excluded.mono_ms}
        await connection.execute(fresh.on_conflict_do_update(index_elements=key, set_=changes), list(rows))


async def hold_stations(connection: AsyncConnection, wanted: Collection[StationKey], *, now_ms: int) -> None:
    """Take nothing from these stations until a person decides."""
    key = tuple_(station_states.c.district_id, station_states.c.station_id)
    await connection.execute(update(station_states).where(key.in_(list(wanted))).values(held_ms=now_ms))


async def put_told(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Remember how far a stream went that its station has left, by its own last word. It may have stored nothing."""
    if rows:
        fresh = dialect.insert(connection, streams)
        key = [streams.c.district_id, streams.c.station_id, streams.c.stream]
        changes = {"told": fresh.excluded.told, "left_ms": fresh.excluded.left_ms}
        await connection.execute(fresh.on_conflict_do_update(index_elements=key, set_=changes), list(rows))


async def list_unknown_tails(
    connection: AsyncConnection, district_id: int, *, since_ms: int = 0, until_ms: int = 2**53
) -> list[Tail]:
    """Streams left within a time whose station had written more than has come; oldest first.

    One that comes after all, on a stick or from a rescued disk, makes its tail shorter.
    """
    each = streams.c
    statement = select(each.station_id, each.stream, each.stored, each.told, each.left_ms).where(
        each.district_id == district_id,
        each.told > each.stored,
        each.left_ms >= since_ms,
        each.left_ms < until_ms,
    )
    rows = await connection.execute(statement.order_by(each.left_ms, each.station_id))
    return [Tail(*row) for row in rows]


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
