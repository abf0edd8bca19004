"""Every SQL statement of the area tree."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.areas.models import area_codes, areas, districts


class AreaKind(StrEnum):
    PROVINCE = "province"
    CITY = "city"
    DISTRICT = "district"
    TOWNSHIP = "township"
    VILLAGE = "village"


@dataclass(frozen=True, slots=True)
class Area:
    district_id: int
    area_id: UUID
    parent_id: UUID | None
    kind: AreaKind
    name: str
    short: str
    pinyin: str
    initials: str
    sort: int


@dataclass(frozen=True, slots=True)
class District:
    district_id: int
    name: str
    settings: dict[str, object]


async def add_district(connection: AsyncConnection, district_id: int, *, name: str, now_ms: int) -> None:
    await connection.execute(
        insert(districts).values(district_id=district_id, name=name, created_ms=now_ms, settings={})
    )


async def list_districts(connection: AsyncConnection) -> list[District]:
    statement = select(districts.c.district_id, districts.c.name, districts.c.settings).order_by(
        districts.c.district_id
    )
    return [District(*row) for row in await connection.execute(statement)]


async def get_district(connection: AsyncConnection, district_id: int) -> District | None:
    statement = select(districts.c.district_id, districts.c.name, districts.c.settings)
    row = (await connection.execute(statement.where(districts.c.district_id == district_id))).first()
    return None if row is None else District(*row)


async def get_district_settings(connection: AsyncConnection, district_id: int) -> dict[str, object]:
    """What a district has set for itself; empty for one that is unknown."""
    found = await connection.scalar(select(districts.c.settings).where(districts.c.district_id == district_id))
    return found or {}


async def change_district_settings(connection: AsyncConnection, district_id: int, settings: dict[str, object]) -> None:
    await connection.execute(update(districts).where(districts.c.district_id == district_id).values(settings=settings))


async def add_area(
    connection: AsyncConnection,
    district_id: int,
    *,
    parent_id: UUID | None,
    kind: AreaKind,
    name: str,
    short: str,
    pinyin: str,
    initials: str,
    sort: int,
    code: str | None = None,
    valid_from: int = 0,
) -> UUID:
    """Add one area and return its id. `valid_from` is the day (20161231) its official code begins to hold."""
    area_id = uuid4()
    await connection.execute(
        insert(areas).values(
            district_id=district_id,
            area_id=area_id,
            parent_id=parent_id,
            kind=kind,
            name=name,
            short=short,
            pinyin=pinyin,
            initials=initials,
            sort=sort,
        )
    )
    if code is not None:
        await connection.execute(
            insert(area_codes).values(
                district_id=district_id, area_id=area_id, valid_from=valid_from, valid_to=None, code=code
            )
        )
    return area_id


async def list_areas(connection: AsyncConnection, district_id: int, *, kind: AreaKind | None = None) -> list[Area]:
    """Areas of a district in their official order."""
    statement = select(*(areas.c[name] for name in Area.__slots__)).where(areas.c.district_id == district_id)
    statement = statement.order_by(areas.c.sort, areas.c.name)
    if kind is not None:
        statement = statement.where(areas.c.kind == kind)
    return [_area(*row) for row in await connection.execute(statement)]


def _area(district_id: int, area_id: UUID, parent_id: UUID | None, kind: str, *rest: Any) -> Area:
    return Area(district_id, area_id, parent_id, AreaKind(kind), *rest)
