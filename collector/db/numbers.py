"""Counts people, stations and tickets inside a district: 1, 2, 3 …, on any database, without sequences."""

from sqlalchemy import Column, String, Table
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.db.dialect import insert
from collector.db.types import district, metadata, number

counters = Table(
    "counters",
    metadata,
    district(),
    Column("name", String(30), primary_key=True),
    number("value", primary=False),
)


async def next_number(connection: AsyncConnection, district_id: int, name: str) -> int:
    """The next free number of a series. Two transactions never get the same one; a rolled-back one is given again."""
    statement = insert(connection, counters).values(district_id=district_id, name=name, value=1)
    statement = statement.on_conflict_do_update(
        index_elements=[counters.c.district_id, counters.c.name],
        set_={"value": counters.c.value + 1},
    ).returning(counters.c.value)
    return int((await connection.execute(statement)).scalar_one())
