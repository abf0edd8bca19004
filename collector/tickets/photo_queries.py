"""Every SQL statement of the photos of tickets. Lists never read the pictures themselves."""

from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.db.numbers import next_number
from collector.tickets.models import photos
from collector.tickets.photos import Picture


@dataclass(frozen=True, slots=True)
class Photo:
    ticket_id: int
    photo_id: int
    person_id: int
    at_ms: int
    width: int
    height: int


async def add_photo(
    connection: AsyncConnection, district_id: int, ticket_id: int, picture: Picture, *, person_id: int, now_ms: int
) -> int:
    """Keep a picture and return its number."""
    photo_id = await next_number(connection, district_id, "photo")
    await connection.execute(
        insert(photos).values(
            district_id=district_id,
            ticket_id=ticket_id,
            photo_id=photo_id,
            person_id=person_id,
            at_ms=now_ms,
            width=picture.width,
            height=picture.height,
            body=picture.body,
            thumb=picture.thumb,
        )
    )
    return photo_id


async def list_photos(connection: AsyncConnection, district_id: int, ticket_id: int) -> list[Photo]:
    """Oldest first."""
    each = photos.c
    statement = (
        select(each.ticket_id, each.photo_id, each.person_id, each.at_ms, each.width, each.height)
        .where(each.district_id == district_id, each.ticket_id == ticket_id)
        .order_by(each.photo_id)
    )
    return [Photo(*row) for row in await connection.execute(statement)]


async def count_photos(connection: AsyncConnection, district_id: int, ticket_id: int) -> int:
    statement = select(func.count()).where(photos.c.district_id == district_id, photos.c.ticket_id == ticket_id)
    return int(await connection.scalar(statement) or 0)


async def get_picture(
    connection: AsyncConnection, district_id: int, ticket_id: int, photo_id: int, *, small: bool
) -> bytes | None:
    """The JPEG, or its small one."""
    each = photos.c
    statement = select(each.thumb if small else each.body).where(
        each.district_id == district_id, each.ticket_id == ticket_id, each.photo_id == photo_id
    )
    found: bytes | None = await connection.scalar(statement)
    return found


async def drop_photo(connection: AsyncConnection, district_id: int, ticket_id: int, photo_id: int) -> bool:
    each = photos.c
    statement = delete(photos).where(
        each.district_id == district_id, each.ticket_id == ticket_id, each.photo_id == photo_id
    )
    return (await connection.execute(statement)).rowcount == 1
