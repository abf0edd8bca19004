"""SQL of the stock: moves of files, inventories that end what they do not name, and what a station holds now.

Every statement serves a whole batch of one station, or a whole district.
"""

import json
from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select, true, update

from collector.db.dialect import built_once, insert
from collector.intake.models import streams
from collector.stations.models import station_states
from collector.usage.facts import Inventory, StockMove
from collector.usage.fold_queries import row_of
from collector.usage.models import inventories, stock
from collector.usage.queries import Connection
from collector.usage.records import StockItem

_COPY = ("district_id", "station_id", "sha256", "copy")


async def put_moves(
    connection: Connection,
    district_id: int,
    station_id: int,
    moves: Iterable[StockMove],
    listed: Collection[Inventory],
) -> None:
    """Add moves of files and whole inventories, and say of each move until when it held.

    On a tie of time the file is there.
    """
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for each in sorted(moves, key=lambda move: (move.present, move.title, move.name)):
        key = (each.sha256, each.copy, each.at_ms)
        rows[key] = {"district_id": district_id, "station_id": station_id, **row_of(each)}
    if rows:
        await connection.execute(_put_moves(connection), list(rows.values()))
    if listed:
        await _add_inventories(connection, district_id, station_id, listed)
    if rows or listed:
        files = true() if listed else stock.c.sha256.in_({key[0] for key in rows})
        await connection.execute(
            update(stock)
            .where(stock.c.district_id == district_id, stock.c.station_id == station_id, files)
            .values(until_ms=_UNTIL_MS)
        )


async def list_stock(connection: Connection, district_id: int, station_id: int, limit: int) -> list[StockItem]:
    """Courseware on the disk now, newest first. Told again, a file is still there since it came."""
    came, before = stock.alias("came"), stock.alias("before")
    told_again = exists().where(*_same_copy(before, came), before.c.present, before.c.until_ms == came.c.at_ms)
    since_ms = (
        select(func.max(came.c.at_ms))
        .where(*_same_copy(came, stock), came.c.present, came.c.at_ms <= stock.c.at_ms, ~told_again)
        .scalar_subquery()
    )
    statement = (
        select(stock.c.sha256, stock.c.title, stock.c.name, since_ms)
        .where(stock.c.station_id == station_id, *_is_held(district_id))
        .order_by(since_ms.desc(), stock.c.title)
        .limit(limit)
    )
    return [StockItem(*row) for row in await connection.execute(statement)]


async def count_stock(connection: Connection, district_id: int, station_id: int) -> int:
    """How many files of courseware lie on the disk now."""
    statement = select(func.count()).select_from(stock)
    return int(await connection.scalar(statement.where(stock.c.station_id == station_id, *_is_held(district_id))) or 0)


async def list_held(connection: Connection, district_id: int) -> dict[int, list[str]]:
    """What we believe each station holds now, by the SHA-256 of the files."""
    statement = select(stock.c.station_id, stock.c.sha256).where(*_is_held(district_id))
    held: dict[int, list[str]] = {}
    for station_id, sha256 in await connection.execute(statement):
        held.setdefault(station_id, []).append(sha256)
    return held


async def list_told(connection: Connection, district_id: int, *, since_ms: int) -> dict[int, str]:
    """The digest of the inventory by each station's newest heartbeat since then.

    Stations are missing of which we have not folded all they have recorded, or which could not look through all.
    """
    state, each = station_states.c, streams.c
    same = and_(
        each.district_id == state.district_id, each.station_id == state.station_id, each.stream == state.spool_stream
    )
    statement = (
        select(state.station_id, state.heartbeat)
        .join_from(station_states, streams, same)
        .where(state.district_id == district_id, state.received_ms >= since_ms, state.spool_last == each.folded)
    )
    found = {row.station_id: _digest_in(row.heartbeat) for row in await connection.execute(statement)}
    return {station_id: digest for station_id, digest in found.items() if digest}


def _digest_in(heartbeat: str) -> str:
    told = json.loads(heartbeat).get("probes", {}).get("courseware", {}).get("state", {})
    is_whole = told.get("readable", True) is True and told.get("capped", False) is False
    return str(told.get("digest", "")) if is_whole else ""


async def _add_inventories(
    connection: Connection, district_id: int, station_id: int, listed: Iterable[Inventory]
) -> None:
    """Of two that ended at the same moment, the one that took longer claims less."""
    begun: dict[int, int] = {}
    for each in listed:
        begun[each.at_ms] = min(each.since_ms, begun.get(each.at_ms, each.since_ms))
    whose = {"district_id": district_id, "station_id": station_id}
    rows = [{**whose, "at_ms": at_ms, "since_ms": begun[at_ms]} for at_ms in sorted(begun)]
    await connection.execute(_put_inventories(connection), rows)


@built_once
def _put_moves(connection: Connection) -> Any:
    fresh = insert(connection, stock)
    return fresh.on_conflict_do_update(
        index_elements=list(stock.primary_key),
        set_={name: fresh.excluded[name] for name in ("present", "title", "name")},
        where=or_(
            fresh.excluded.present & ~stock.c.present,
            and_(fresh.excluded.present == stock.c.present, fresh.excluded.title > stock.c.title),
        ),
    )


@built_once
def _put_inventories(connection: Connection) -> Any:
    fresh = insert(connection, inventories)
    return fresh.on_conflict_do_update(
        index_elements=list(inventories.primary_key),
        set_={"since_ms": fresh.excluded.since_ms},
        where=fresh.excluded.since_ms < inventories.c.since_ms,
    )


def _until_ms() -> ColumnElement[Any]:
    """The copy's next move, or before that the end of an inventory begun after this move, in which it was missing."""
    later = stock.alias("later")
    moved = select(func.min(later.c.at_ms)).where(*_same_copy(later, stock), later.c.at_ms > stock.c.at_ms)
    missed = select(func.min(inventories.c.at_ms)).where(
        inventories.c.district_id == stock.c.district_id,
        inventories.c.station_id == stock.c.station_id,
        inventories.c.since_ms > stock.c.at_ms,
    )
    next_ms, end_ms = moved.scalar_subquery(), missed.scalar_subquery()
    is_missed = stock.c.present & (end_ms < func.coalesce(next_ms, end_ms + 1))
    return case((is_missed, end_ms), else_=next_ms)


def _same_copy(one: Any, other: Any) -> list[ColumnElement[bool]]:
    return [one.c[name] == other.c[name] for name in _COPY]


def _is_held(district_id: int) -> list[ColumnElement[bool]]:
    return [stock.c.district_id == district_id, stock.c.present, stock.c.until_ms.is_(None)]


_UNTIL_MS = _until_ms()
