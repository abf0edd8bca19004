"""Reported power cuts and maintenance: while one lasts, its stations are not expected to speak and nobody is paged.

State is kept all the same; what still stands when the outage is over becomes a ticket then.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from uuid import UUID

from collector.areas import queries as areas
from collector.db.engine import Connection
from collector.errors import BadInputError, NotFoundError
from collector.faults import queries
from collector.faults.queries import Outage, OutageKind
from collector.faults.rules.base import View
from collector.stations import queries as stations
from collector.stations.queries import Station

_DAY_MS = 86_400_000


async def report_outage(
    connection: Connection,
    district_id: int,
    *,
    kind: OutageKind,
    from_ms: int,
    to_ms: int,
    station_id: int | None = None,
    area_id: UUID | None = None,
    every_days: int | None = None,
    note: str = "",
    person_id: int | None = None,
    now_ms: int,
) -> int:
    """Announce an outage of one station or of an area, and return its number.

    Raises BadInputError when it ends before it begins, names no single place, or repeats before it is over.
    """
    if to_ms <= from_ms:
        raise BadInputError("结束时间必须晚于开始时间。请重新选择。")
    if (station_id is None) == (area_id is None):
        raise BadInputError("请选择一个站点或一个区域。")
    if every_days is not None and every_days * _DAY_MS < to_ms - from_ms:
        raise BadInputError("重复的间隔必须长于每次持续的时间。请重新选择。")
    return await queries.add_outage(
        connection,
        district_id,
        kind=kind,
        from_ms=from_ms,
        to_ms=to_ms,
        station_id=station_id,
        area_id=area_id,
        every_days=every_days,
        note=note.strip(),
        person_id=person_id,
        now_ms=now_ms,
    )


async def end_outage(connection: Connection, district_id: int, outage_id: int, *, now_ms: int) -> None:
    """Take an outage back: from now on its stations are expected again."""
    if not await queries.cancel_outage(connection, district_id, outage_id, now_ms=now_ms):
        raise NotFoundError("没有这条停电或检修记录，或者已经取消。请刷新页面。")


async def list_excused(connection: Connection, district_id: int, *, now_ms: int) -> frozenset[int]:
    """Stations that lie within an outage now."""
    found = await queries.list_outages(connection, district_id, now_ms=now_ms)
    current = [each for each in found if is_current(each, now_ms)]
    if not current:
        return frozenset()
    parents = {each.area_id: each.parent_id for each in await areas.list_areas(connection, district_id)}
    register = await stations.list_stations(connection, district_id)
    return frozenset(each.station_id for each in register if _lies_in(each, current, parents))


def excuse(views: Iterable[View], excused: frozenset[int]) -> Sequence[View]:
    """The views, those of excused stations not expected on."""
    return [replace(view, expected_on=False) if view.station_id in excused else view for view in views]


def is_current(outage: Outage, now_ms: int) -> bool:
    """Whether it lasts at this moment, this time or, if it repeats, another time."""
    passed_ms = now_ms - outage.from_ms
    if outage.every_days is not None:
        passed_ms %= outage.every_days * _DAY_MS
    return 0 <= passed_ms < outage.to_ms - outage.from_ms and now_ms >= outage.from_ms


def _lies_in(station: Station, current: Sequence[Outage], parents: dict[UUID, UUID | None]) -> bool:
    around: set[UUID] = set()
    area_id: UUID | None = station.area_id
    while area_id is not None and area_id not in around:
        around.add(area_id)
        area_id = parents.get(area_id)
    return any(each.station_id == station.station_id or each.area_id in around for each in current)
