"""How long stations have been away, off or without a link, since something last happened there."""

from sqlalchemy import ColumnElement, Function, Over, Table, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.faults.models import arrivals, pasts
from collector.timeline.models import stretches
from collector.timeline.presence import Presence


async def sum_absent(connection: AsyncConnection, district_id: int, *, now_ms: int) -> dict[int, int]:
    """For how many ms each station was away since its newest courseware; who never was is missing."""
    return await _sum_away(connection, district_id, arrivals, arrivals.c.last_ms, now_ms=now_ms)


async def sum_unused_absent(
    connection: AsyncConnection, district_id: int, *, unknown_ms: int, now_ms: int
) -> dict[int, int]:
    """The same since its last use, as the last look knew it; since `unknown_ms` where that knew of none."""
    return await _sum_away(connection, district_id, pasts, func.coalesce(pasts.c.used_ms, unknown_ms), now_ms=now_ms)


async def _sum_away(
    connection: AsyncConnection, district_id: int, table: Table, since_ms: ColumnElement[int], *, now_ms: int
) -> dict[int, int]:
    """For how many ms each station of `table` was down or unheard since its moment; who never was is missing.

    Closed hours before or after such a time count with it: who is switched off at closing time is so all the night.
    Only the stretches since then are read, however long the time line is: `distinct` has the moments looked up first.
    """
    each, near = stretches.c, stretches.alias("near").c
    first_ms = select(func.max(near.from_ms)).where(
        near.district_id == table.c.district_id, near.station_id == table.c.station_id, near.from_ms <= since_ms
    )
    start = (
        select(
            table.c.station_id,
            since_ms.label("since_ms"),
            func.coalesce(first_ms.scalar_subquery(), since_ms).label("first_ms"),
        )
        .where(table.c.district_id == district_id)
        .distinct()
        .subquery()
    )
    since = start.c.since_ms
    is_away = each.presence.in_((Presence.DOWN.value, Presence.UNKNOWN.value))
    here = (each.district_id == district_id) & (each.station_id == start.c.station_id)
    lately = (
        select(
            each.station_id,
            case((each.from_ms > since, each.from_ms), else_=since).label("begin_ms"),
            func.coalesce(each.to_ms, now_ms).label("end_ms"),
            is_away.label("is_away"),
            (each.presence == Presence.OFF.value).label("is_off"),
            (_beside(func.lag(case((is_away, each.to_ms)))) == each.from_ms).label("after_away"),
            (_beside(func.lead(case((is_away, each.from_ms)))) == each.to_ms).label("before_away"),
        )
        .join_from(start, stretches, here & (each.from_ms >= start.c.first_ms))
        .subquery()
    ).c
    statement = (
        select(lately.station_id, func.sum(lately.end_ms - lately.begin_ms))
        .where(lately.is_away | (lately.is_off & (lately.after_away | lately.before_away)))
        .where(lately.begin_ms < lately.end_ms)
        .group_by(lately.station_id)
    )
    return {station_id: int(ms) for station_id, ms in await connection.execute(statement)}


def _beside(value: Function[int]) -> Over[int]:
    """A value of the stretch before or after, in the same station's line."""
    return value.over(partition_by=stretches.c.station_id, order_by=stretches.c.from_ms)
