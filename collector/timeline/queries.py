"""Every SQL statement of the time line."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.db import dialect
from collector.intake.models import events, streams
from collector.stations.models import station_states
from collector.timeline.models import hearings, stretches
from collector.timeline.presence import Boot, Presence, Stretch

ENOUGH_COVERAGE = 0.8
"""Under this share of known time an availability is not shown and not ranked (资料不足)."""

_AT_ONCE = 500
_PRESENCES = {each.value: each for each in Presence}
_LINES = 50_000


@dataclass(frozen=True, slots=True)
class Availability:
    """Milliseconds of a period by presence. `off_ms` counts nowhere: nobody was expected."""

    up_ms: int = 0
    down_ms: int = 0
    off_ms: int = 0
    unknown_ms: int = 0

    @property
    def expected_ms(self) -> int:
        return self.up_ms + self.down_ms + self.unknown_ms

    @property
    def share(self) -> float | None:
        """UP/(UP+DOWN); None when nothing is known."""
        known_ms = self.up_ms + self.down_ms
        return self.up_ms / known_ms if known_ms else None

    @property
    def coverage(self) -> float | None:
        """How much of the expected time is known; None when nothing was expected."""
        return 1 - self.unknown_ms / self.expected_ms if self.expected_ms else None

    @property
    def is_enough(self) -> bool:
        return (self.coverage or 0.0) >= ENOUGH_COVERAGE


async def list_fallen_silent(connection: AsyncConnection, *, before_ms: int) -> set[int]:
    """Districts with a station that stands as up and has not been heard since then.

    One look through the newest states of all districts, which carry no index on what every heartbeat changes; only
    districts leave the database. 600,000 stations take PostgreSQL half a second (`bench.faults`).
    """
    each, states = stretches.c, station_states.c
    same = (each.district_id == states.district_id) & (each.station_id == states.station_id)
    statement = (
        select(states.district_id)
        .join_from(station_states, stretches, same)
        .where(states.received_ms <= before_ms, each.to_ms.is_(None), each.presence == Presence.UP.value)
    )
    return set((await connection.execute(statement.distinct())).scalars())


async def availability(
    connection: AsyncConnection, district_id: int, from_ms: int, to_ms: int, *, station_id: int | None = None
) -> dict[int, Availability]:
    """How long each station was up, down, off and unknown in a period, by station number.

    A stretch that lasts counts up to `to_ms`, which must not lie ahead of now. Stations never heard are missing.
    """
    each = stretches.c
    begin = case((each.from_ms > from_ms, each.from_ms), else_=literal(from_ms))
    end = case((or_(each.to_ms.is_(None), each.to_ms > to_ms), literal(to_ms)), else_=each.to_ms)
    statement = (
        select(each.station_id, each.presence, func.sum(end - begin))
        .where(each.district_id == district_id, *_within(from_ms, to_ms))
        .group_by(each.station_id, each.presence)
    )
    if station_id is not None:
        statement = statement.where(each.station_id == station_id)
    sums: dict[int, dict[str, int]] = {}
    for number, presence, ms in await connection.execute(statement):
        sums.setdefault(number, {})[f"{presence}_ms"] = int(ms)
    return {number: Availability(**values) for number, values in sums.items()}


async def get_first_known(connection: AsyncConnection, district_id: int, station_id: int) -> int | None:
    """Since when there is a time line of this station: nothing before it counts anywhere. None: it has none yet."""
    mine = (stretches.c.district_id == district_id) & (stretches.c.station_id == station_id)
    found: int | None = await connection.scalar(select(func.min(stretches.c.from_ms)).where(mine))
    return found


async def list_stretches(
    connection: AsyncConnection, district_id: int, station_id: int | None = None, *, from_ms: int, to_ms: int
) -> list[Stretch]:
    """The time line of one station, or of all, in a period, in order, whole stretches."""
    statement = _stretches(district_id).where(*_within(from_ms, to_ms)).order_by(stretches.c.from_ms)
    if station_id is not None:
        statement = statement.where(stretches.c.station_id == station_id)
    return [_stretch(row) for row in await connection.execute(statement)]


async def list_open(connection: AsyncConnection, district_id: int) -> dict[int, Stretch]:
    """The stretch that lasts, by station."""
    rows = await _OPEN.run(connection, [(district_id,)])
    return {row[0]: Stretch(row[0], row[1], None, _PRESENCES[row[2]], bool(row[3])) for row in rows}


async def list_unchecked(connection: AsyncConnection, district_id: int, *, since_ms: int) -> list[Stretch]:
    """Closed stretches that may still be judged again, of stations that are up now."""
    rows = await connection.execute(_unchecked(), {"district": district_id, "since_ms": since_ms})
    return [_stretch(row) for row in rows]


async def add_stretches(connection: AsyncConnection, district_id: int, rows: Iterable[Stretch]) -> None:
    await _ADD.run(connection, [(district_id, *row) for row in rows])


async def close_stretches(connection: AsyncConnection, district_id: int, rows: Sequence[tuple[Stretch, int]]) -> None:
    """Let open stretches end, each at its moment; an empty one goes."""
    lasted = [(district_id, row.station_id, to_ms) for row, to_ms in rows if to_ms != row.from_ms]
    await _CLOSE.run(connection, lasted)
    empty = [row.station_id for row, to_ms in rows if to_ms == row.from_ms]
    for start in range(0, len(empty), _AT_ONCE):
        await connection.execute(delete(stretches).where(*_open_of(district_id, empty[start : start + _AT_ONCE])))


async def replace_stretches(
    connection: AsyncConnection, district_id: int, old: Sequence[Stretch], new: Iterable[Stretch]
) -> None:
    for start in range(0, len(old), _AT_ONCE):
        keys = [(row.station_id, row.from_ms) for row in old[start : start + _AT_ONCE]]
        mine = tuple_(stretches.c.station_id, stretches.c.from_ms).in_(keys)
        await connection.execute(delete(stretches).where(stretches.c.district_id == district_id, mine))
    await add_stretches(connection, district_id, new)


async def get_heard_until(connection: AsyncConnection, district_id: int) -> int | None:
    """Until when the centre is known to have listened to this district; None before its first look."""
    return await connection.scalar(select(hearings.c.until_ms).where(hearings.c.district_id == district_id))


async def put_heard_until(connection: AsyncConnection, district_id: int, until_ms: int) -> None:
    statement = dialect.insert(connection, hearings).values(district_id=district_id, until_ms=until_ms)
    fresh = {"until_ms": statement.excluded.until_ms}
    await connection.execute(statement.on_conflict_do_update(index_elements=[hearings.c.district_id], set_=fresh))


async def list_boots(connection: AsyncConnection, district_id: int, station_id: int, stream: str) -> list[Boot]:
    """The boots a station has told of in the newest lines of its stream; a longer past is left as it is."""
    each, mine = events.c, streams.c
    stored = await connection.scalar(
        select(mine.stored).where(mine.district_id == district_id, mine.station_id == station_id, mine.stream == stream)
    )
    statement = select(each.booked_ms, each.line).where(
        each.district_id == district_id,
        each.station_id == station_id,
        each.stream == stream,
        each.seq > (stored or 0) - _LINES,
        each.kind == "host.booted",
    )
    return [Boot(row[0], _last_seen(row[1])) for row in await connection.execute(statement)]


def _select_open(wanted: dialect.Wanted) -> Any:
    each = stretches.c
    statement = select(each.station_id, each.from_ms, each.presence, each.checked)
    return statement.where(each.district_id == wanted["district_id"], each.to_ms.is_(None))


def _close(wanted: dialect.Wanted) -> Any:
    each = stretches.c
    mine = (each.district_id == wanted["district_id"]) & (each.station_id == wanted["station_id"])
    return update(stretches).where(mine, each.to_ms.is_(None)).values(to_ms=wanted["to_ms"])


_ADD = dialect.Append(stretches, ("district_id", *Stretch._fields))
_OPEN = dialect.Find([stretches.c.district_id], _select_open)
_CLOSE = dialect.Change([stretches.c.district_id, stretches.c.station_id, stretches.c.to_ms], _close)


@cache
def _unchecked() -> Any:
    """Built once: an alias costs more than the look."""
    present = stretches.alias("present")
    is_up = and_(
        present.c.district_id == stretches.c.district_id,
        present.c.station_id == stretches.c.station_id,
        present.c.to_ms.is_(None),
        present.c.presence == Presence.UP.value,
    )
    return (
        _stretches(bindparam("district"))
        .join(present, is_up)
        .where(~stretches.c.checked, stretches.c.to_ms.is_not(None), stretches.c.from_ms >= bindparam("since_ms"))
        .order_by(stretches.c.station_id, stretches.c.from_ms)
    )


def _last_seen(line: bytes) -> int | None:
    try:
        seen = json.loads(line)["data"].get("last_seen_ms")
    except (ValueError, KeyError, AttributeError, TypeError):
        return None
    return seen if isinstance(seen, int) else None


def _within(from_ms: int, to_ms: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    each = stretches.c
    return or_(each.to_ms.is_(None), each.to_ms > from_ms), each.from_ms < to_ms


def _open_of(district_id: int, stations: Collection[int]) -> tuple[ColumnElement[bool], ...]:
    each = stretches.c
    return each.district_id == district_id, each.station_id.in_(stations), each.to_ms.is_(None)


def _stretches(district_id: int | BindParameter[int]) -> Any:
    each = stretches.c
    columns = (each.station_id, each.from_ms, each.to_ms, each.presence, each.checked)
    return select(*columns).where(each.district_id == district_id)


def _stretch(row: Any) -> Stretch:
    station_id, from_ms, to_ms, presence, checked = row
    return Stretch(station_id, from_ms, to_ms, Presence(presence), checked)
