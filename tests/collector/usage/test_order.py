"""Whatever the order, the streams and the batches facts come in: the month is the same (guarantee G7)."""

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from collector.db.engine import Database
from collector.usage import folding, service
from collector.usage.models import daily, downloads, inventories, playbacks, stock, study_sessions
from shared.months import BEIJING
from tests.collector.usage.conftest import Tell
from tests.collector.usage.events import (
    NOW_MS,
    Fact,
    append,
    at,
    claim,
    fold,
    found,
    listed,
    plant,
    plays,
    received,
    removed,
)

TABLES = (daily, downloads, inventories, playbacks, stock, study_sessions)
FACTS: tuple[Fact, ...] = (
    *plays("黄羊饲养", "2026-09-10 19:00", minutes=40),
    *plays("油橄榄", "2026-09-10 19:50", minutes=20, playback="p1"),
    *plays("油橄榄", "2026-09-10 19:50", minutes=12, playback="p1", reason="abandoned", level="E2")[1:],
    *plays("换届纪律", "2026-08-31 23:50", minutes=30, playback="p2"),
    *plays("挂机", "2026-09-12 00:30", minutes=900),
    *plays("挂机", "2026-09-12 08:00", minutes=900),
    *plays("疑", "2026-09-20 10:00", minutes=20, playback="p3", uncertain=True),
    *plays("疑", "2026-09-21 10:00", minutes=20, playback="p3")[1:2],
    claim("2026-09-10 19:00", "2026-09-10 19:45", people=30, visits=40, session="s1"),
    claim("2026-09-10 19:00", "2026-09-10 19:40", people=33, visits=40, session="s1", entered="2026-09-11 08:00"),
    claim("2026-09-01 00:10", "2026-09-01 01:00", people=12, session="s2"),
    received("黄羊饲养", "2026-09-02 02:00"),
    received("黄羊饲养", "2026-09-03 02:00"),
    removed("黄羊饲养", "2026-09-15 02:00"),
    found("黄羊饲养", "2026-09-20 02:00"),
    found("油橄榄", "2026-09-01 02:00", name="a"),
    found("油橄榄", "2026-09-01 02:00", name="b"),
    removed("油橄榄", "2026-09-05 02:00", name="a"),
    found("换届纪律", "2026-09-06 02:00"),
    found("油橄榄", "2026-09-25 01:59", name="b"),
    listed("2026-09-25 02:00"),
    found("换届纪律", "2026-09-26 02:00"),
)


@st.composite
def deliveries(draw: st.DrawFn) -> list[tuple[str, list[Fact]]]:
    """The facts shuffled, over two streams, in pieces."""
    shuffled = draw(st.permutations(FACTS))
    cuts = sorted(draw(st.lists(st.integers(1, len(FACTS) - 1), max_size=5, unique=True)))
    pieces = [shuffled[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(FACTS)], strict=True)]
    streams = draw(st.lists(st.sampled_from(("1" * 32, "2" * 32)), min_size=len(pieces), max_size=len(pieces)))
    return list(zip(streams, map(list, pieces), strict=True))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(delivery=deliveries())
def test_the_tables_are_the_same_in_whatever_order_facts_arrive(
    sqlite_template: Path, delivery: Sequence[tuple[str, list[Fact]]]
) -> None:
    expected = asyncio.run(_deliver(sqlite_template, [("1" * 32, list(FACTS))]))
    assert asyncio.run(_deliver(sqlite_template, delivery)) == expected


def test_the_facts_of_the_order_test_touch_everything(sqlite_template: Path) -> None:
    tables = asyncio.run(_deliver(sqlite_template, [("1" * 32, list(FACTS))]))
    assert all(tables.values())
    september = [row for row in tables["daily"] if row.month == 202609]
    assert sum(row.sessions for row in september) == 2
    assert sum(row.people for row in september) == 33 + 12
    assert sum(row.impossible for row in september) == 1
    assert sum(row.proposed for row in september) == 3
    ended = [row.title for row in tables["stock"] if row.until_ms == at("2026-09-25 02:00")]
    assert ended == ["换届纪律", "黄羊饲养"]


def test_reverse_order_on_both_databases_gives_the_same_report(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        first, second, _ = district.stations.values()
        await append(database, first, FACTS)
        await fold(database)
        for fact in reversed(FACTS):
            await append(database, second, [fact])
            await fold(database)
        async with database.read() as connection:
            report = await service.monthly_report(connection, 510802, 202609, now_ms=NOW_MS, zone=BEIJING)
        assert report.rows[0].figures == report.rows[1].figures
        assert report.rows[0].played_names == report.rows[1].played_names
        assert report.rows[0].figures.people == 45

    tell(story)


def test_folding_twice_changes_nothing(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        await append(database, district.stations["宝轮镇 红星村"], FACTS)
        assert await fold(database, now_ms=1) == len(FACTS)
        once = await _dump(database)
        assert await fold(database, now_ms=2) == 0
        async with database.write() as connection:
            await connection.execute(text("UPDATE streams SET folded = 0"))
        assert await fold(database, now_ms=3) == len(FACTS)
        assert await _dump(database) == once
        async with database.read() as connection:
            assert set((await connection.execute(text("SELECT folded_ms FROM daily"))).scalars()) == {1}
            assert (await connection.execute(text("SELECT sum(stored) FROM tallies"))).scalar() == len(FACTS)

    tell(story)


def test_a_batch_may_end_anywhere(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        first, second, _ = district.stations.values()
        await append(database, first, FACTS)
        await fold(database)
        monkeypatch.setattr(service, "BATCH", 3)
        await append(database, second, FACTS[:15])
        await append(database, second, FACTS[15:], stream="2" * 32)
        assert await fold(database) == len(FACTS)
        async with database.read() as connection:
            report = await service.monthly_report(connection, 510802, 202609, now_ms=NOW_MS, zone=BEIJING)
        assert report.rows[0].figures == report.rows[1].figures

    tell(story)


def test_one_station_that_cannot_be_folded_holds_up_nobody(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        sick, well, _ = district.stations.values()
        await append(database, sick, plays("甲", "2026-09-10 19:00", minutes=40))
        await append(database, well, plays("甲", "2026-09-10 19:00", minutes=40))
        monkeypatch.setattr(service, "fold_station", _refuse(sick))
        assert await fold(database) == 3
        monkeypatch.undo()
        assert await fold(database) == 3

    tell(story)


def test_the_limit_ends_a_call_and_the_next_goes_on(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        for station in district.stations.values():
            await append(database, station, plays("甲", "2026-09-10 19:00", minutes=40))
        assert await service.fold(database, zone=BEIJING, now_ms=NOW_MS, limit=4) == 6
        assert await service.fold(database, zone=BEIJING, now_ms=NOW_MS, limit=4) == 3

    tell(story)


def _refuse(station_id: int) -> Any:
    real = folding.fold_station

    async def fold_station(books: Any, streams: Any, *, limit: int) -> int:
        assert books.station_id != station_id
        return await real(books, streams, limit=limit)

    return fold_station


async def _deliver(template: Path, delivery: Sequence[tuple[str, list[Fact]]]) -> dict[str, list[Any]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "centre.db"
        shutil.copy(template, path)
        database = Database(f"sqlite+aiosqlite:///{path}")
        district = await plant(database)
        for stream, facts in delivery:
            await append(database, district.stations["宝轮镇 红星村"], facts, stream=stream)
            await fold(database, now_ms=at("2026-10-02 09:00"))
        tables = await _dump(database)
        await database.close()
        return tables


async def _dump(database: Database) -> dict[str, list[Any]]:
    """Every row of usage but for when it was folded; days without anything count as no row."""
    async with database.read() as connection:
        tables = {}
        for table in TABLES:
            columns = [each for each in table.c if each.name != "folded_ms"]
            rows = (await connection.execute(select(*columns).order_by(*table.primary_key))).all()
            tables[table.name] = [row for row in rows if table is not daily or any(row[4:])]
    return tables
