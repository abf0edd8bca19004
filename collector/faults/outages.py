"""Reported power cuts and maintenance: while one lasts, its stations are not expected to speak and nobody is paged.

State is kept all the same; what still stands when the outage is over becomes a ticket then. One told of only afterwards
is written into the time line as if it had been known; what becomes of its tickets is `collector.tickets.settling`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from collector.areas import queries as areas
from collector.db.engine import Connection
from collector.errors import BadInputError, NotFoundError
from collector.faults import queries
from collector.faults.queries import Outage, OutageKind
from collector.stations import queries as stations
from collector.stations.queries import Station
from collector.timeline import service as timeline

_DAY_MS = 86_400_000
_OLDEST_MS = 366 * _DAY_MS


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

    It may be over already. Raises BadInputError when it ends before it begins, began over a year ago, names no single
    place, or repeats before it is over.
    """
    if to_ms <= from_ms:
        raise BadInputError("结束时间必须晚于开始时间。请重新选择。")
    if from_ms < now_ms - _OLDEST_MS:
        raise BadInputError("开始时间不能早于一年前。请重新选择。")
    if (station_id is None) == (area_id is None):
        raise BadInputError("请选择一个站点或一个区域。")
    if every_days is not None and every_days * _DAY_MS < to_ms - from_ms:
        raise BadInputError("重复的间隔必须长于每次持续的时间。请重新选择。")
    outage_id = await queries.add_outage(
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
    if from_ms < now_ms:
        told = Outage(outage_id, kind, station_id, area_id, from_ms, to_ms, every_days, note, person_id)
        concerned = {each.station_id for each in await list_concerned(connection, district_id, told)}
        await timeline.excuse(connection, district_id, concerned, list_times(told, now_ms), now_ms=now_ms)
    return outage_id


async def end_outage(connection: Connection, district_id: int, outage_id: int, *, now_ms: int) -> None:
    """Take an outage back: from now on its stations are expected again."""
    if not await queries.cancel_outage(connection, district_id, outage_id, now_ms=now_ms):
        raise NotFoundError("没有这条停电或检修记录，或者已经取消。请刷新页面。")


async def list_concerned(connection: Connection, district_id: int, outage: Outage) -> list[Station]:
    """The stations an outage is about."""
    parents = {each.area_id: each.parent_id for each in await areas.list_areas(connection, district_id)}
    register = await stations.list_stations(connection, district_id)
    return [each for each in register if _concerns(outage, each, _list_around(each, parents))]


def list_times(outage: Outage, now_ms: int) -> list[tuple[int, int]]:
    """From when to when it lasted or lasts, each time that has begun."""
    turn_ms = (outage.every_days or 0) * _DAY_MS
    count = (now_ms - outage.from_ms) // turn_ms + 1 if turn_ms else 1
    begun = [(outage.from_ms + turn * turn_ms, outage.to_ms + turn * turn_ms) for turn in range(count)]
    return [each for each in begun if each[0] < now_ms]


@dataclass(frozen=True, slots=True)
class Excuses:
    """Stations within an outage `now`, and those whose outage ended lately, with when it did."""

    now: frozenset[int] = frozenset()
    ended: Mapping[int, int] = field(default_factory=dict)


async def list_excused(connection: Connection, district_id: int, *, now_ms: int) -> frozenset[int]:
    """Stations that lie within an outage now."""
    return (await load_excuses(connection, district_id, now_ms=now_ms)).now


async def load_excuses(connection: Connection, district_id: int, *, now_ms: int) -> Excuses:
    """Who lies within an outage, or did in the last day: then it has its period and grace from the end of it."""
    found = await queries.list_outages(connection, district_id, now_ms=now_ms, since_ms=now_ms - _DAY_MS)
    if not found:
        return Excuses()
    current = [each for each in found if is_current(each, now_ms)]
    over = [(each, end_ms) for each in found if (end_ms := last_end(each, now_ms)) is not None]
    parents = {each.area_id: each.parent_id for each in await areas.list_areas(connection, district_id)}
    now: set[int] = set()
    ended: dict[int, int] = {}
    for station in await stations.list_stations(connection, district_id):
        around = _list_around(station, parents)
        if any(_concerns(each, station, around) for each in current):
            now.add(station.station_id)
        ends = [end_ms for each, end_ms in over if _concerns(each, station, around)]
        if ends:
            ended[station.station_id] = max(ends)
    return Excuses(frozenset(now), ended)


def is_current(outage: Outage, now_ms: int) -> bool:
    """Whether it lasts at this moment, this time or, if it repeats, another time."""
    if outage.cancelled_ms is not None and outage.cancelled_ms <= now_ms:
        return False
    passed_ms = now_ms - outage.from_ms
    if outage.every_days is not None:
        passed_ms %= outage.every_days * _DAY_MS
    return 0 <= passed_ms < outage.to_ms - outage.from_ms and now_ms >= outage.from_ms


def last_end(outage: Outage, now_ms: int) -> int | None:
    """When it was over last, up to now; None when it has not been yet."""
    if now_ms < outage.from_ms:
        return None
    lasts_ms, turn_ms = outage.to_ms - outage.from_ms, (outage.every_days or 0) * _DAY_MS
    turns = (now_ms - outage.from_ms - lasts_ms) // turn_ms if turn_ms else 0
    end_ms = outage.to_ms + max(turns, 0) * turn_ms
    cancelled_ms = outage.cancelled_ms
    if (
        cancelled_ms is not None
        and cancelled_ms <= now_ms
        and is_current(replace(outage, cancelled_ms=None), cancelled_ms)
    ):
        return cancelled_ms
    return end_ms if end_ms <= now_ms and (cancelled_ms is None or end_ms <= cancelled_ms) else None


def _list_around(station: Station, parents: Mapping[UUID, UUID | None]) -> frozenset[UUID]:
    """The areas a station lies in."""
    around: set[UUID] = set()
    area_id: UUID | None = station.area_id
    while area_id is not None and area_id not in around:
        around.add(area_id)
        area_id = parents.get(area_id)
    return frozenset(around)


def _concerns(outage: Outage, station: Station, around: frozenset[UUID]) -> bool:
    return outage.station_id == station.station_id or outage.area_id in around
