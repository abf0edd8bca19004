"""Every SQL statement of releases and offers."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import LargeBinary, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.db import dialect
from collector.releases.models import EVERY_STATION, release_offers, releases


@dataclass(frozen=True, slots=True)
class Offer:
    """What is offered to a station, or to all (`station_id` EVERY_STATION)."""

    station_id: int
    version: str
    offer: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A release without its payload."""

    version: str
    header: str
    added_ms: int


async def list_versions(connection: AsyncConnection, district_id: int) -> list[str]:
    rows = await connection.execute(select(releases.c.version).where(releases.c.district_id == district_id))
    return list(rows.scalars())


async def list_headers(connection: AsyncConnection, district_id: int) -> list[Kept]:
    each = releases.c
    statement = select(each.version, each.header, each.added_ms).where(each.district_id == district_id)
    return [Kept(*row) for row in await connection.execute(statement)]


async def add_release(
    connection: AsyncConnection,
    district_id: int,
    *,
    version: str,
    sha256: str,
    header: str,
    payload: bytes,
    now_ms: int,
) -> None:
    values = {"version": version, "sha256": sha256, "header": header, "payload": payload, "added_ms": now_ms}
    await connection.execute(insert(releases).values(district_id=district_id, **values))


async def put_offers(
    connection: AsyncConnection,
    district_id: int,
    station_ids: Sequence[int],
    *,
    version: str,
    offer: int,
    now_ms: int,
) -> None:
    """Offer a version to these stations, in place of what was offered to them before."""
    values = {"version": version, "offer": offer, "offered_ms": now_ms}
    keys = [release_offers.c.district_id, release_offers.c.station_id]
    for station_id in station_ids:
        statement = dialect.insert(connection, release_offers)
        statement = statement.values(district_id=district_id, station_id=station_id, **values)
        await connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values))


async def drop_offers(connection: AsyncConnection, district_id: int, version: str) -> int:
    """Offer a version to nobody any more. Returns how many offers there were."""
    each = release_offers.c
    statement = delete(release_offers).where(each.district_id == district_id, each.version == version)
    return (await connection.execute(statement)).rowcount


async def list_offers(connection: AsyncConnection, district_id: int) -> list[Offer]:
    each = release_offers.c
    statement = select(each.station_id, each.version, each.offer).where(each.district_id == district_id)
    return [Offer(*row) for row in await connection.execute(statement.order_by(each.station_id))]


async def get_offer(connection: AsyncConnection, district_id: int, station_id: int) -> tuple[Offer, str] | None:
    """The newest offer to this station or to all, with the release's header; None without any."""
    each = release_offers.c
    statement = (
        select(each.station_id, each.version, each.offer, releases.c.header)
        .join(releases, (releases.c.district_id == each.district_id) & (releases.c.version == each.version))
        .where(each.district_id == district_id, each.station_id.in_([EVERY_STATION, station_id]))
        .order_by(each.offer.desc())
        .limit(1)
    )
    row = (await connection.execute(statement)).first()
    return None if row is None else (Offer(*row[:3]), row[3])


async def get_piece(
    connection: AsyncConnection, district_id: int, sha256: str, *, first: int, count: int
) -> tuple[bytes, int] | None:
    """Bytes of a payload from `first` on, and how many it has in all; None for one that is not here."""
    piece = func.substr(releases.c.payload, first + 1, count, type_=LargeBinary)
    statement = select(piece, func.length(releases.c.payload)).where(
        releases.c.district_id == district_id, releases.c.sha256 == sha256
    )
    row = (await connection.execute(statement)).first()
    return None if row is None else (bytes(row[0]), int(row[1]))
