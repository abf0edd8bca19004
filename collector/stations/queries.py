"""Every SQL statement of the station register, keys, codes and state rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    Table,
    case,
    cast,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.areas.models import areas
from collector.db import dialect
from collector.db.numbers import next_number
from collector.errors import NotFoundError
from collector.stations.models import enrolment_codes, station_keys, station_states, stations

_AT_ONCE = 500
ROTATE_MS = 365 * 86_400_000
"""After this time a station is asked for a new key."""


@dataclass(frozen=True, slots=True)
class Station:
    """A station of the register. `title` is how it is always shown: 乡镇 村."""

    district_id: int
    station_id: int
    area_id: UUID
    township_id: UUID
    township: str
    name: str
    kind: str
    pinyin: str
    initials: str
    enrolled_ms: int | None

    @property
    def title(self) -> str:
        return f"{self.township} {self.name}"

    @property
    def wire_name(self) -> str:
        return f"{self.district_id}/{self.station_id}"


@dataclass(frozen=True, slots=True)
class StationState:
    """The newest picture of a station. `heartbeat` is the JSON text of `shared.wire.v1.Heartbeat`.

    `held_ms`: since when it is held aside because two machines have shown themselves as this station.
    """

    station_id: int
    stream: str
    boot: str
    mono_ms: int
    wall_ms: int
    received_ms: int
    first_received_ms: int
    heartbeat: str
    held_ms: int | None = None


class Post(NamedTuple):
    """An enrolled station as every tick needs it: where, the township's id as text, and since when."""

    station_id: int
    township_id: str
    enrolled_ms: int


class Pulse(NamedTuple):
    """The newest picture of a station as every tick needs it.

    `heartbeat` only of one heard lately, of the others only their opening hours as JSON text.
    """

    station_id: int
    stream: bytes
    mono_ms: int
    wall_ms: int
    received_ms: int
    first_received_ms: int
    heartbeat: str | None = None
    hours: str | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """An enrolment code as stored: only the hash of its secret."""

    district_id: int
    station_id: int
    secret_hash: str
    expires_ms: int
    tries: int
    used_key_id: str | None


async def add_station(
    connection: AsyncConnection, district_id: int, *, area_id: UUID, name: str, kind: str, now_ms: int
) -> int:
    """Register a station and return its number in the district. `kind` is township or village."""
    station_id = await next_number(connection, district_id, "station")
    await connection.execute(
        insert(stations).values(
            district_id=district_id, station_id=station_id, area_id=area_id, name=name, kind=kind, created_ms=now_ms
        )
    )
    return station_id


async def list_stations(connection: AsyncConnection, district_id: int) -> list[Station]:
    """Stations in use, in the official order of townships and villages."""
    statement = _stations().where(stations.c.district_id == district_id, stations.c.retired_ms.is_(None))
    rows = await connection.execute(statement.order_by("township_sort", "area_sort", stations.c.station_id))
    return [Station(*row[:10]) for row in rows]


async def list_some(connection: AsyncConnection, district_id: int, numbers: Iterable[int]) -> list[Station]:
    """These stations, in no certain order."""
    found: list[Station] = []
    wanted = sorted(numbers)
    for start in range(0, len(wanted), _AT_ONCE):
        mine = stations.c.station_id.in_(wanted[start : start + _AT_ONCE])
        rows = await connection.execute(_stations().where(stations.c.district_id == district_id, mine))
        found += [Station(*row[:10]) for row in rows]
    return found


async def list_posts(connection: AsyncConnection, district_id: int) -> list[Post]:
    """Every enrolled station in use."""
    return list(map(Post._make, await _POSTS.run(connection, [(district_id,)])))


async def list_pulses(connection: AsyncConnection, district_id: int, *, fresh_ms: int) -> dict[int, Pulse]:
    """Of every station that has ever been heard, with the heartbeats that came after `fresh_ms`; by number."""
    return {row[0]: Pulse._make(row) for row in await _PULSES.run(connection, [(district_id, fresh_ms)])}


async def get_station(connection: AsyncConnection, district_id: int, station_id: int) -> Station | None:
    statement = _stations().where(stations.c.district_id == district_id, stations.c.station_id == station_id)
    row = (await connection.execute(statement)).first()
    return None if row is None else Station(*row[:10])


async def require_station(connection: AsyncConnection, district_id: int, station_id: int) -> Station:
    """The station, or NotFoundError."""
    station = await get_station(connection, district_id, station_id)
    if station is None:
        raise NotFoundError("没有这个站点。请返回首页，从列表中选择。")
    return station


async def list_states(connection: AsyncConnection, district_id: int) -> dict[int, StationState]:
    """Newest state of every station that has ever been heard, by station number."""
    rows = await connection.execute(_states().where(station_states.c.district_id == district_id))
    return {row.station_id: StationState(*row) for row in rows}


async def get_state(connection: AsyncConnection, district_id: int, station_id: int) -> StationState | None:
    statement = _states().where(station_states.c.district_id == district_id, station_states.c.station_id == station_id)
    row = (await connection.execute(statement)).first()
    return None if row is None else StationState(*row)


async def add_key(
    connection: AsyncConnection, district_id: int, station_id: int, *, key_id: str, public_key: bytes, now_ms: int
) -> None:
    """Make a key the station's only valid one: any earlier key ends at the same moment, and so does a hold."""
    await end_keys(connection, district_id, station_id, at_ms=now_ms)
    await insert_key(connection, district_id, station_id, key_id=key_id, public_key=public_key, now_ms=now_ms)
    await reset_leases(connection, district_id, station_id)
    await connection.execute(
        update(stations)
        .where(stations.c.district_id == district_id, stations.c.station_id == station_id)
        .values(enrolled_ms=func.coalesce(stations.c.enrolled_ms, now_ms))
    )


async def insert_key(
    connection: AsyncConnection, district_id: int, station_id: int, *, key_id: str, public_key: bytes, now_ms: int
) -> None:
    await connection.execute(
        insert(station_keys).values(
            district_id=district_id,
            station_id=station_id,
            key_id=key_id,
            algorithm="ed25519",
            public_key=public_key,
            created_ms=now_ms,
            rotate_ms=now_ms + ROTATE_MS,
        )
    )


async def list_keys(
    connection: AsyncConnection, district_id: int, station_id: int, *, now_ms: int
) -> dict[str, int | None]:
    """Names of the valid keys of a station and until when each is valid (None: no end is set)."""
    statement = select(station_keys.c.key_id, station_keys.c.revoked_ms)
    rows = await connection.execute(statement.where(*_own(station_keys, district_id, station_id), is_valid(now_ms)))
    return {row[0]: row[1] for row in rows}


async def get_key(
    connection: AsyncConnection, district_id: int, station_id: int, key_id: str, *, now_ms: int
) -> bytes | None:
    """Public key under this id, None when it is unknown or revoked."""
    named = station_keys.c.key_id == key_id
    statement = select(station_keys.c.public_key)
    value = (
        await connection.execute(statement.where(*_own(station_keys, district_id, station_id), named, is_valid(now_ms)))
    ).scalar()
    return None if value is None else bytes(value)


async def revoke_key(connection: AsyncConnection, district_id: int, station_id: int, *, now_ms: int) -> None:
    """End every key of a station: its next push is refused."""
    await end_keys(connection, district_id, station_id, at_ms=now_ms)


async def end_keys(connection: AsyncConnection, district_id: int, station_id: int, *, at_ms: int) -> None:
    """Let keys that are valid, now or for a while longer, end at this moment at the latest."""
    later = or_(station_keys.c.revoked_ms.is_(None), station_keys.c.revoked_ms > at_ms)
    await connection.execute(
        update(station_keys).where(*_own(station_keys, district_id, station_id), later).values(revoked_ms=at_ms)
    )


async def order_rotation(connection: AsyncConnection, district_id: int, station_id: int | None, *, now_ms: int) -> None:
    """Make the keys of one station, or of all, due for rotation."""
    mine = [station_keys.c.district_id == district_id, station_keys.c.revoked_ms.is_(None)]
    if station_id is not None:
        mine.append(station_keys.c.station_id == station_id)
    await connection.execute(update(station_keys).where(*mine).values(rotate_ms=now_ms))


async def reset_leases(connection: AsyncConnection, district_id: int, station_id: int) -> None:
    """Take whatever lease the station shows next, and hold it aside no longer. Leases count on from the last one."""
    last = func.coalesce(station_states.c.lease, station_states.c.lease_before)
    fresh = {"lease": None, "lease_before": last, "held_ms": None}
    await connection.execute(update(station_states).where(*_own(station_states, district_id, station_id)).values(fresh))


def is_valid(now_ms: int) -> ColumnElement[bool]:
    """Whether a key may still be used."""
    return or_(station_keys.c.revoked_ms.is_(None), station_keys.c.revoked_ms > now_ms)


def _own(table: Table, district_id: int, station_id: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return table.c.district_id == district_id, table.c.station_id == station_id


async def add_code(
    connection: AsyncConnection,
    district_id: int,
    station_id: int,
    *,
    lookup: str,
    secret_hash: str,
    now_ms: int,
    expires_ms: int,
) -> None:
    """Store a code's hash; codes of the same station that nobody has used stop working."""
    await connection.execute(
        update(enrolment_codes)
        .where(
            enrolment_codes.c.district_id == district_id,
            enrolment_codes.c.station_id == station_id,
            enrolment_codes.c.used_ms.is_(None),
            enrolment_codes.c.expires_ms > now_ms,
        )
        .values(expires_ms=now_ms)
    )
    await connection.execute(
        insert(enrolment_codes).values(
            district_id=district_id,
            lookup=lookup,
            station_id=station_id,
            secret_hash=secret_hash,
            created_ms=now_ms,
            expires_ms=expires_ms,
            tries=0,
        )
    )


async def list_codes(connection: AsyncConnection, lookup: str) -> list[Code]:
    """Codes whose look-up part is this, of all districts (nearly always one)."""
    each = enrolment_codes.c
    statement = select(
        each.district_id, each.station_id, each.secret_hash, each.expires_ms, each.tries, each.used_key_id
    )
    return [Code(*row) for row in await connection.execute(statement.where(each.lookup == lookup))]


async def count_try(connection: AsyncConnection, district_id: int, lookup: str) -> None:
    """One more wrong try; five kill the code."""
    await connection.execute(
        update(enrolment_codes)
        .where(enrolment_codes.c.district_id == district_id, enrolment_codes.c.lookup == lookup)
        .values(tries=enrolment_codes.c.tries + 1)
    )


async def use_code(connection: AsyncConnection, district_id: int, lookup: str, *, key_id: str, now_ms: int) -> bool:
    """Mark the code used by this key; False when somebody was quicker."""
    statement = (
        update(enrolment_codes)
        .where(
            enrolment_codes.c.district_id == district_id,
            enrolment_codes.c.lookup == lookup,
            enrolment_codes.c.used_ms.is_(None),
        )
        .values(used_ms=now_ms, used_key_id=key_id)
    )
    return (await connection.execute(statement)).rowcount == 1


def _stations() -> Select[Any]:
    """A village station's township is its area's parent; a township's own station lies in the township itself."""
    parent = areas.alias("parent")
    is_township = areas.c.kind == "township"
    return (
        select(
            stations.c.district_id,
            stations.c.station_id,
            stations.c.area_id,
            func.coalesce(case((is_township, areas.c.area_id)), parent.c.area_id).label("township_id"),
            func.coalesce(case((is_township, areas.c.short)), parent.c.short).label("township"),
            stations.c.name,
            stations.c.kind,
            areas.c.pinyin,
            areas.c.initials,
            stations.c.enrolled_ms,
            func.coalesce(case((is_township, areas.c.sort)), parent.c.sort).label("township_sort"),
            areas.c.sort.label("area_sort"),
        )
        .join(areas, (areas.c.district_id == stations.c.district_id) & (areas.c.area_id == stations.c.area_id))
        .join(
            parent,
            (parent.c.district_id == areas.c.district_id) & (parent.c.area_id == areas.c.parent_id),
            isouter=True,
        )
    )


def _select_posts(wanted: dialect.Wanted) -> Select[Any]:
    township_id = case((areas.c.kind == literal_column("'township'"), areas.c.area_id), else_=areas.c.parent_id)
    here = (areas.c.district_id == stations.c.district_id) & (areas.c.area_id == stations.c.area_id)
    return (
        select(stations.c.station_id, cast(township_id, String), stations.c.enrolled_ms)
        .join(areas, here)
        .where(stations.c.district_id == wanted["district_id"])
        .where(stations.c.retired_ms.is_(None), stations.c.enrolled_ms.is_not(None))
    )


def _select_pulses(wanted: dialect.Wanted) -> Select[Any]:
    state = station_states.c
    is_fresh = state.received_ms > wanted["received_ms"]
    columns = (state.station_id, state.stream, state.mono_ms, state.wall_ms, state.received_ms, state.first_received_ms)
    heartbeat, hours = (
        case((is_fresh, state.heartbeat)),
        dialect.member(state.heartbeat, literal_column("'open_hours'")),
    )
    return select(*columns, heartbeat, case((~is_fresh, hours))).where(state.district_id == wanted["district_id"])


_POSTS = dialect.Find([stations.c.district_id], _select_posts)
_PULSES = dialect.Find([station_states.c.district_id, station_states.c.received_ms], _select_pulses)


def _states() -> Select[Any]:
    state = station_states.c
    return select(
        state.station_id,
        state.stream,
        state.boot,
        state.mono_ms,
        state.wall_ms,
        state.received_ms,
        state.first_received_ms,
        state.heartbeat,
        state.held_ms,
    )
