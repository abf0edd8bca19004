"""Every SQL statement of the operators' archive."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.db.dialect import insert as upsert
from collector.db.numbers import next_number
from collector.operators.models import qualifications, training_reminders, trainings
from collector.people.models import people


@dataclass(frozen=True, slots=True)
class Qualification:
    """`expires_day` None: it holds for good."""

    person_id: int
    qualification_id: int
    title: str
    number: str
    issued_day: str
    expires_day: str | None


@dataclass(frozen=True, slots=True)
class Training:
    person_id: int
    training_id: int
    day: str
    topic: str
    hours: int


@dataclass(frozen=True, slots=True)
class File:
    """What the office keeps of a person beside the account: duties laid down in writing, and the version of it all."""

    duties: str
    version: int
    left_ms: int | None


async def get_file(connection: AsyncConnection, district_id: int, person_id: int) -> File | None:
    each = people.c
    statement = select(each.duties, each.version, each.disabled_ms)
    row = (
        await connection.execute(statement.where(each.district_id == district_id, each.person_id == person_id))
    ).first()
    return None if row is None else File(*row)


async def add_qualification(
    connection: AsyncConnection,
    district_id: int,
    person_id: int,
    *,
    title: str,
    number: str,
    issued_day: str,
    expires_day: str | None,
) -> None:
    await connection.execute(
        insert(qualifications).values(
            district_id=district_id,
            person_id=person_id,
            qualification_id=await next_number(connection, district_id, "qualification"),
            title=title,
            number=number,
            issued_day=issued_day,
            expires_day=expires_day,
        )
    )


async def list_qualifications(
    connection: AsyncConnection, district_id: int, *, person_id: int | None = None
) -> list[Qualification]:
    """The newest first."""
    each = qualifications.c
    statement = select(*(each[name] for name in Qualification.__slots__)).where(each.district_id == district_id)
    if person_id is not None:
        statement = statement.where(each.person_id == person_id)
    rows = await connection.execute(statement.order_by(each.issued_day.desc(), each.qualification_id.desc()))
    return [Qualification(*row) for row in rows]


async def add_training(
    connection: AsyncConnection, district_id: int, person_id: int, *, day: str, topic: str, hours: int
) -> None:
    await connection.execute(
        insert(trainings).values(
            district_id=district_id,
            person_id=person_id,
            training_id=await next_number(connection, district_id, "training"),
            day=day,
            topic=topic,
            hours=hours,
        )
    )


async def list_trainings(connection: AsyncConnection, district_id: int, person_id: int) -> list[Training]:
    """The newest first."""
    each = trainings.c
    statement = select(*(each[name] for name in Training.__slots__)).where(
        each.district_id == district_id, each.person_id == person_id
    )
    rows = await connection.execute(statement.order_by(each.day.desc(), each.training_id.desc()))
    return [Training(*row) for row in rows]


async def count_trainings(
    connection: AsyncConnection, district_id: int, *, from_day: str, to_day: str
) -> dict[int, int]:
    """How often each person has been trained within these days, both included."""
    each: Any = trainings.c
    statement = (
        select(each.person_id, func.count())
        .where(each.district_id == district_id, each.day >= from_day, each.day <= to_day)
        .group_by(each.person_id)
    )
    return {row[0]: row[1] for row in await connection.execute(statement)}


async def mark_reminded(connection: AsyncConnection, district_id: int, month: str, *, now_ms: int) -> bool:
    """Whether it was this call that reminded in this month."""
    statement = upsert(connection, training_reminders).values(district_id=district_id, month=month, at_ms=now_ms)
    return (await connection.execute(statement.on_conflict_do_nothing())).rowcount == 1
