"""Inventories end what a station no longer holds; a digest that differs makes the centre ask. Both databases."""

from typing import Any

import pytest
from sqlalchemy import select, update

from collector.db.engine import Database
from collector.directions.models import commands
from collector.stations.models import station_states
from collector.usage import reconciling, stock_queries
from collector.usage.records import StockItem
from shared.inventory import digest_of
from tests.collector.usage.conftest import Tell
from tests.collector.usage.events import NOW_MS, append, at, fold, found, hear, listed, plant, received, removed, sha
from tests.districts import LIZHOU

HOUR_MS = 3_600_000
HELD = {"digest": digest_of([sha("黄羊饲养")]), "readable": True, "capped": False}


def test_what_an_inventory_does_not_name_is_no_longer_held(tell: Tell) -> None:
    async def story(database: Database) -> None:
        station = await _receive_two(database)
        await append(database, station, [found("黄羊饲养", "2026-10-01 08:00"), listed("2026-10-01 08:01")])
        await fold(database)

        assert [each.title for each in await _stock(database, station)] == ["黄羊饲养"]

    tell(story)


def test_a_file_told_again_is_there_since_it_came_and_not_since_it_was_told(tell: Tell) -> None:
    async def story(database: Database) -> None:
        station = await _receive_two(database)
        again = [found("黄羊饲养", "2026-10-01 08:00"), found("油橄榄", "2026-10-01 08:00"), listed("2026-10-01 08:01")]
        await append(database, station, again)
        await append(database, station, [found("黄羊饲养", "2026-10-02 08:00")])
        await fold(database)

        since = {each.title: each.since_ms for each in await _stock(database, station)}
        assert since == {"油橄榄": at("2026-09-03 02:00"), "黄羊饲养": at("2026-09-02 02:00")}

    tell(story)


def test_a_file_that_came_back_is_there_since_it_came_back(tell: Tell) -> None:
    async def story(database: Database) -> None:
        station = await _receive_two(database)
        back = [removed("黄羊饲养", "2026-09-10 08:00"), received("黄羊饲养", "2026-09-20 08:00")]
        await append(database, station, [*back, found("黄羊饲养", "2026-10-01 08:00")])
        await fold(database)

        since = {each.title: each.since_ms for each in await _stock(database, station)}
        assert since["黄羊饲养"] == at("2026-09-20 08:00")

    tell(story)


def test_a_station_that_holds_something_else_is_asked_once_a_day_by_the_centre_itself(tell: Tell) -> None:
    async def story(database: Database) -> None:
        await _receive_two(database, heard=HELD)

        first = await _reconcile(database)
        soon = await _reconcile(database, now_ms=NOW_MS + HOUR_MS // 2)
        await _hear_again(database, NOW_MS + 25 * HOUR_MS)
        later = await _reconcile(database, now_ms=NOW_MS + 25 * HOUR_MS)

        assert (first, soon, later) == (1, 0, 1)
        async with database.read() as connection:
            rows = (await connection.execute(select(commands.c.verb, commands.c.person_id))).all()
        assert [tuple(row) for row in rows] == [("send_inventory", None)] * 2

    tell(story)


@pytest.mark.parametrize(
    "state",
    [
        HELD | {"digest": digest_of([sha("油橄榄"), sha("黄羊饲养"), sha("油橄榄")])},
        HELD | {"digest": ""},
        HELD | {"readable": False},
        HELD | {"capped": True},
    ],
    ids=["the same files", "no inventory", "the drive is away", "too many files"],
)
def test_a_station_that_holds_the_same_or_cannot_say_is_left_alone(tell: Tell, state: dict[str, Any]) -> None:
    async def story(database: Database) -> None:
        await _receive_two(database, heard=state)
        assert await _reconcile(database) == 0

    tell(story)


@pytest.mark.parametrize(("last", "heard_ms"), [(3, NOW_MS), (2, NOW_MS - 2 * HOUR_MS)], ids=["waiting", "away"])
def test_nobody_is_asked_before_all_that_is_recorded_has_come_nor_while_away(
    tell: Tell, last: int, heard_ms: int
) -> None:
    async def story(database: Database) -> None:
        await _receive_two(database, heard=HELD, last=last, heard_ms=heard_ms)
        assert await _reconcile(database) == 0

    tell(story)


async def _receive_two(
    database: Database, *, heard: dict[str, Any] | None = None, last: int = 2, heard_ms: int = NOW_MS
) -> int:
    """A station that has received two films, and how its newest heartbeat describes its folder."""
    station = (await plant(database)).stations["宝轮镇 爱国社区"]
    await append(database, station, [received("黄羊饲养", "2026-09-02 02:00"), received("油橄榄", "2026-09-03 02:00")])
    await fold(database)
    probes = {"courseware": {"status": "ok", "mono": 1, "state": heard or {}}}
    await hear(database, station, at_ms=heard_ms, last=last, probes=probes)
    return station


async def _hear_again(database: Database, at_ms: int) -> None:
    async with database.write() as connection:
        await connection.execute(update(station_states).values(received_ms=at_ms))


async def _stock(database: Database, station: int) -> list[StockItem]:
    async with database.read() as connection:
        return await stock_queries.list_stock(connection, LIZHOU, station, 10)


async def _reconcile(database: Database, *, now_ms: int = NOW_MS) -> int:
    async with database.write() as connection:
        return await reconciling.reconcile(connection, LIZHOU, now_ms=now_ms)
