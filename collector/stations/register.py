"""Turns a register of townships and villages into areas and stations."""

from uuid import UUID

from collector.areas import queries as area_queries
from collector.areas.queries import AreaKind
from collector.areas.register import Township
from collector.areas.service import plant_area
from collector.db.engine import Connection
from collector.stations import queries

_SITES = {"街道": "街道站点", "乡": "乡级站点"}
_TOWN_SITE = "镇级站点"


async def plant_register(
    connection: Connection,
    district_id: int,
    *,
    district_name: str,
    townships: list[Township],
    total: int | None,
    now_ms: int,
) -> dict[str, UUID]:
    """Add the district, its areas and a station in every village; returns the townships' areas by short name.

    With `total`, the largest townships get a site of their own until there are so many stations.
    """
    await area_queries.add_district(connection, district_id, name=district_name, now_ms=now_ms)
    root = await plant_area(
        connection,
        district_id,
        parent_id=None,
        kind=AreaKind.DISTRICT,
        name=district_name,
        short=district_name,
        sort=0,
        code=str(district_id),
    )
    with_site = _with_own_site(townships, total)
    planted: dict[str, UUID] = {}
    for order, township in enumerate(townships):
        area_id = await plant_area(
            connection,
            district_id,
            parent_id=root,
            kind=AreaKind.TOWNSHIP,
            name=township.name,
            short=township.short,
            sort=order,
            code=township.code,
        )
        planted[township.short] = area_id
        if township.code in with_site:
            await queries.add_station(
                connection, district_id, area_id=area_id, name=name_site(township.name), kind="township", now_ms=now_ms
            )
        await _plant_villages(connection, district_id, area_id, township, now_ms)
    return planted


def name_site(township: str) -> str:
    """What the own station of a town, a township or a street (街道) is called."""
    short = township.removesuffix("办事处")
    return next((name for ending, name in _SITES.items() if short.endswith(ending)), _TOWN_SITE)


async def _plant_villages(
    connection: Connection, district_id: int, township_id: UUID, township: Township, now_ms: int
) -> None:
    for order, village in enumerate(township.villages):
        area_id = await plant_area(
            connection,
            district_id,
            parent_id=township_id,
            kind=AreaKind.VILLAGE,
            name=village.name,
            short=village.short,
            sort=order,
            code=village.code,
        )
        await queries.add_station(
            connection, district_id, area_id=area_id, name=village.short, kind="village", now_ms=now_ms
        )


def _with_own_site(townships: list[Township], total: int | None) -> set[str]:
    missing = 0 if total is None else max(0, total - sum(len(each.villages) for each in townships))
    largest = sorted(townships, key=lambda each: (-len(each.villages), each.code))
    return {each.code for each in largest[:missing]}
