"""Since when a station's computer was out of our hands. Beside its keys: lost until the last of them was revoked."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.stations.models import enrolment_codes, station_keys, stations


class Loss(NamedTuple):
    """What came from this station and was booked from `lost_ms` on, before `until_ms`, may be of a stranger's hand."""

    station_id: int
    lost_ms: int
    until_ms: int


async def get_installed_ms(connection: AsyncConnection, district_id: int, station_id: int) -> int | None:
    """When the computer a station has now was enrolled, by its code; None: there never was one."""
    code, station = enrolment_codes.c, stations.c
    used = select(func.max(code.used_ms)).where(code.district_id == district_id, code.station_id == station_id)
    first = select(station.enrolled_ms).where(station.district_id == district_id, station.station_id == station_id)
    statement = select(func.coalesce(used.scalar_subquery(), first.scalar_subquery()))
    installed_ms: int | None = (await connection.execute(statement)).scalar()
    return installed_ms


async def mark_lost(
    connection: AsyncConnection, district_id: int, station_id: int, *, lost_ms: int, installed_ms: int
) -> None:
    """Note the loss at every key of the computer enrolled at that moment: a thief's successors of a key are its too."""
    each = station_keys.c
    await connection.execute(
        update(station_keys)
        .where(each.district_id == district_id, each.station_id == station_id, each.created_ms >= installed_ms)
        .values(lost_ms=lost_ms)
    )


async def list_losses(connection: AsyncConnection, district_id: int, ids: Sequence[int] | None) -> list[Loss]:
    """Of these stations, or of the district, in order of time."""
    each = station_keys.c
    statement = (
        select(each.station_id, each.lost_ms, func.max(each.revoked_ms))
        .where(each.district_id == district_id, each.lost_ms.is_not(None), each.revoked_ms.is_not(None))
        .group_by(each.station_id, each.lost_ms)
        .order_by(each.lost_ms, each.station_id)
    )
    if ids is not None:
        statement = statement.where(each.station_id.in_(ids))
    return [Loss(*row) for row in await connection.execute(statement)]
