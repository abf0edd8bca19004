"""Statements of the hot path against what the ordinary ways of the same connection see."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import ColumnElement, literal, literal_column, select, update

from collector.db import dialect
from collector.db.engine import Connection, Database
from collector.stations.models import boots
from tests.districts import LIZHOU, plant_district

KEYS = [boots.c.district_id, boots.c.station_id]


def _select(wanted: dialect.Wanted) -> Any:
    each = boots.c
    same = (each.station_id == wanted["station_id"], each.district_id == wanted["district_id"])
    return select(each.station_id, each.boot, each.mono_ms).where(*same)


def _put(connection: Connection) -> Any:
    fresh = dialect.insert(connection, boots)
    changes = {"mono_ms": fresh.excluded.mono_ms}
    key = [*KEYS, boots.c.boot]
    return fresh.on_conflict_do_update(index_elements=key, set_=changes, where=boots.c.mono_ms < fresh.excluded.mono_ms)


def _move(wanted: dialect.Wanted) -> Any:
    mine = [boots.c[name] == wanted[name] for name in ("district_id", "station_id", "boot")]
    return update(boots).where(*mine).values(mono_ms=wanted["mono_ms"])


MOVE = dialect.Change([boots.c.mono_ms, boots.c.boot, *KEYS], _move)
PUT, FIND = dialect.Hot(_put), dialect.Find(KEYS, _select)
PLACES = ("station_id", "boot", "district_id", "mono_ms", "anchored_ms", "offset_ms")
BY_PLACE, APPEND = dialect.Hot(_put, PLACES), dialect.Append(boots, PLACES)


def row(station_id: int, boot: str, mono_ms: int) -> dict[str, Any]:
    place = {"boot": boot, "station_id": station_id, "district_id": LIZHOU}
    return place | {"offset_ms": -5, "mono_ms": mono_ms, "anchored_ms": 1}


async def _open(database_url: str) -> Database:
    database = Database(database_url)
    await plant_district(database, {"宝轮镇": ["甲村", "乙村", "丙村"]})
    return database


async def _put_and_fail(database: Database) -> None:
    async with database.write() as connection:
        await PUT.run(connection, [row(1, "a", 7)])
        raise RuntimeError("changed my mind")


async def _read_all(connection: Connection) -> list[tuple[int, str, int]]:
    rows = await connection.execute(select(boots.c.station_id, boots.c.boot, boots.c.mono_ms))
    return sorted((each[0], each[1], each[2]) for each in rows)


def test_many_rows_go_in_and_are_found_by_many_keys(database_url: str) -> None:
    async def story() -> None:
        database = await _open(database_url)
        async with database.write() as connection:
            assert await PUT.run(connection, [row(1, "a", 7), row(2, "b", 8), row(2, "c", 9)]) == 3
            assert await PUT.run(connection, [row(1, "a", 6), row(2, "b", 80)]) == 1, "the older one changes nothing"
            assert await PUT.run(connection, []) == 0
            everything = await _read_all(connection)
            found = await FIND.run(connection, [(LIZHOU, 2), (LIZHOU, 3), (LIZHOU + 1, 1)])
            assert await FIND.run(connection, []) == []
        assert everything == [(1, "a", 7), (2, "b", 80), (2, "c", 9)]
        assert sorted(map(tuple, found)) == [(2, "b", 80), (2, "c", 9)]
        async with database.read() as connection:
            assert [tuple(each) for each in await FIND.run(connection, {(LIZHOU, 1)})] == [(1, "a", 7)]
        await database.close()

    asyncio.run(story())


def test_however_many_rows_go_in_none_is_left_out_or_counted_twice(database_url: str) -> None:
    async def story() -> tuple[list[int], list[tuple[int, str, int]]]:
        database = await _open(database_url)
        async with database.write() as connection:
            names = [f"{number:04}" for number in range(2 * dialect.ROUND + 7)]
            touched = [await PUT.run(connection, [row(1, name, 5) for name in names])]
            touched.append(await BY_PLACE.run(connection, [(1, name, LIZHOU, 5, 1, -5) for name in names]))
            touched.append(await BY_PLACE.run(connection, [(1, name, LIZHOU, 6, 1, -5) for name in names]))
            everything = await _read_all(connection)
        await database.close()
        return touched, everything

    touched, everything = asyncio.run(story())
    count = 2 * dialect.ROUND + 7
    assert touched == [count, 0, count]
    assert everything == [(1, f"{number:04}", 6) for number in range(count)]


def test_what_is_appended_by_place_lies_in_its_columns(database_url: str) -> None:
    async def story() -> list[tuple[int, str, int]]:
        database = await _open(database_url)
        async with database.write() as connection:
            await APPEND.run(connection, [(1, "a", LIZHOU, 7, 1, -5), (2, "b", LIZHOU, 8, 1, -5)])
            everything = await _read_all(connection)
        await database.close()
        return everything

    assert asyncio.run(story()) == [(1, "a", 7), (2, "b", 8)]


def test_many_rows_are_changed_each_to_a_value_of_its_own(database_url: str) -> None:
    async def story() -> list[tuple[int, str, int]]:
        database = await _open(database_url)
        async with database.write() as connection:
            await PUT.run(connection, [row(1, "a", 7), row(2, "b", 8), row(2, "c", 9)])
            assert await MOVE.run(connection, [(70, "a", LIZHOU, 1), (90, "c", LIZHOU, 2), (1, "z", LIZHOU, 3)]) == 2
            assert await MOVE.run(connection, []) == 0
            everything = await _read_all(connection)
        await database.close()
        return everything

    assert asyncio.run(story()) == [(1, "a", 70), (2, "b", 8), (2, "c", 90)]


def test_one_member_is_taken_out_of_a_kept_text(database_url: str) -> None:
    async def story() -> list[Any]:
        database = await _open(database_url)
        name: ColumnElement[str] = literal_column("'open_hours'")
        kept = '{"wall": 1, "open_hours": ["08:00-21:00"]}'
        async with database.read() as connection:
            found = [
                await connection.scalar(select(dialect.member(literal(each), name))) for each in (kept, '{"wall": 1}')
            ]
        await database.close()
        return [dialect.read_json(each) for each in found]

    assert asyncio.run(story()) == [["08:00-21:00"], None]


def test_they_belong_to_the_transaction_they_run_in(database_url: str) -> None:
    async def story() -> list[tuple[int, str, int]]:
        database = await _open(database_url)
        with pytest.raises(RuntimeError, match="changed my mind"):
            await _put_and_fail(database)
        async with database.read() as reader:
            async with database.write() as connection:
                await PUT.run(connection, [row(1, "a", 8)])
                unseen = await FIND.run(reader, [(LIZHOU, 1)])
            assert len(unseen) == 0, "not committed when it was read"
        async with database.read() as connection:
            everything = await _read_all(connection)
        await database.close()
        return everything

    assert asyncio.run(story()) == [(1, "a", 8)]


def test_rows_with_other_columns_are_another_statement(database_url: str) -> None:
    async def story() -> list[tuple[int, str, int]]:
        database = await _open(database_url)
        async with database.write() as connection:
            await PUT.run(connection, [row(1, "a", 7)])
            await PUT.run(connection, [dict(reversed(row(1, "b", 8).items()))])
            everything = await _read_all(connection)
        await database.close()
        return everything

    assert asyncio.run(story()) == [(1, "a", 7), (1, "b", 8)]
