"""What the overview reads: counts by township and status, and the cells of a page. Sums are made by the database."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, or_, select

from collector.areas.models import areas
from collector.db.engine import Connection
from collector.stations.models import station_states, stations
from collector.stations.words import Limits, Status

_parent = areas.alias("parent")
_IS_TOWNSHIP = areas.c.kind == "township"
_TOWNSHIP_ID = case((_IS_TOWNSHIP, areas.c.area_id), else_=_parent.c.area_id)
_TOWNSHIP = case((_IS_TOWNSHIP, areas.c.short), else_=_parent.c.short)
_TOWNSHIP_SORT = case((_IS_TOWNSHIP, areas.c.sort), else_=_parent.c.sort)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which stations are asked for; None and "" ask for all."""

    district_id: int
    township_id: UUID | None = None
    status: Status | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """So many stations of a township have this status."""

    township_id: UUID
    township: str
    sort: int
    status: Status
    stations: int


@dataclass(frozen=True, slots=True)
class Cell:
    """One station of the matrix. `received_ms` is None when it was never heard."""

    station_id: int
    township_id: UUID
    township: str
    name: str
    status: Status
    received_ms: int | None

    @property
    def title(self) -> str:
        return f"{self.township} {self.name}"


async def count_stations(connection: Connection, wanted: Wanted, limits: Limits) -> list[Count]:
    status = _status(limits)
    statement = (
        _from(select(_TOWNSHIP_ID, _TOWNSHIP, _TOWNSHIP_SORT, status, func.count()), wanted, limits)
        .group_by(_TOWNSHIP_ID, _TOWNSHIP, _TOWNSHIP_SORT, status)
        .order_by(_TOWNSHIP_SORT, _TOWNSHIP)
    )
    rows = await connection.execute(statement)
    return [Count(row[0], row[1], row[2], Status(row[3]), row[4]) for row in rows]


async def list_cells(
    connection: Connection, wanted: Wanted, limits: Limits, *, townships: list[UUID], limit: int
) -> list[Cell]:
    """Cells of these townships in official order, at most `limit` of each of them together."""
    columns = (stations.c.station_id, _TOWNSHIP_ID, _TOWNSHIP, stations.c.name, _status(limits))
    statement = (
        _from(select(*columns, station_states.c.received_ms), wanted, limits)
        .where(or_(areas.c.area_id.in_(townships), areas.c.parent_id.in_(townships)))
        .order_by(_TOWNSHIP_SORT, areas.c.sort, stations.c.station_id)
        .limit(limit)
    )
    rows = await connection.execute(statement)
    return [Cell(row[0], row[1], row[2], row[3], Status(row[4]), row[5]) for row in rows]


async def last_heard_before(connection: Connection, district_id: int, moment_ms: int) -> int:
    """When anybody of the district was last heard before this moment; the moment itself when nobody was."""
    received = station_states.c.received_ms
    statement = select(func.max(received)).where(station_states.c.district_id == district_id, received < moment_ms)
    return (await connection.execute(statement)).scalar() or moment_ms


def _status(limits: Limits) -> ColumnElement[str]:
    """`collector.stations.words.status_of` as the database works it out; a test holds the two together."""
    received = station_states.c.received_ms
    return case(
        (received.is_(None), literal(Status.UNSEEN.value)),
        (received >= limits.online_from_ms, literal(Status.ONLINE.value)),
        (received >= limits.late_from_ms, literal(Status.LATE.value)),
        else_=literal(Status.OFFLINE.value),
    )


def _from(statement: Select[Any], wanted: Wanted, limits: Limits) -> Select[Any]:
    statement = (
        statement.select_from(stations)
        .join(areas, and_(areas.c.district_id == stations.c.district_id, areas.c.area_id == stations.c.area_id))
        .join(
            _parent,
            and_(_parent.c.district_id == areas.c.district_id, _parent.c.area_id == areas.c.parent_id),
            isouter=True,
        )
        .join(
            station_states,
            and_(
                station_states.c.district_id == stations.c.district_id,
                station_states.c.station_id == stations.c.station_id,
            ),
            isouter=True,
        )
        .where(stations.c.district_id == wanted.district_id, stations.c.retired_ms.is_(None))
    )
    if wanted.township_id is not None:
        statement = statement.where(or_(areas.c.area_id == wanted.township_id, areas.c.parent_id == wanted.township_id))
    if wanted.status is not None:
        statement = statement.where(_status(limits) == wanted.status.value)
    for word in wanted.text.split():
        statement = statement.where(_matches(word))
    return statement


def _matches(word: str) -> ColumnElement[bool]:
    """Characters of the village or its township, or the beginning of their pinyin or initials."""
    typed = word.lower()
    return or_(
        stations.c.name.contains(word, autoescape=True),
        areas.c.pinyin.startswith(typed, autoescape=True),
        areas.c.initials.startswith(typed, autoescape=True),
        _parent.c.short.contains(word, autoescape=True),
        _parent.c.pinyin.startswith(typed, autoescape=True),
        _parent.c.initials.startswith(typed, autoescape=True),
    )
