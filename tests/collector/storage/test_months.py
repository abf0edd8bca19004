"""Monthly partitions of the event log on PostgreSQL, and their absence on SQLite."""

import asyncio
import time

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from collector.storage import queries
from tests.collector.storage.conftest import NOW_MS, Log, Tell, play

AHEAD = [202609, 202610, 202611, 202612]
PARTITIONS = "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' ORDER BY relname"
DAY_MS = 86_400_000


def test_this_month_and_the_next_three_are_made_ahead_once(tell_postgres: Tell) -> None:
    async def story(log: Log) -> None:
        assert await log.make_months() == AHEAD
        assert await log.make_months() == []
        assert await log.make_months(NOW_MS + 30 * DAY_MS) == [202701]
        names = [f"events_{month}" for month in (*AHEAD, 202701)]
        assert await log.ask(PARTITIONS) == [*names, "events_other"]

    tell_postgres(story)


def test_sqlite_has_no_months_to_make(sqlite_url: str) -> None:
    async def story(log: Log) -> None:
        assert await log.make_months() == []

    play(sqlite_url, story)


def test_an_event_lies_in_its_month_and_one_of_a_broken_clock_with_the_others(tell_postgres: Tell) -> None:
    async def story(log: Log) -> None:
        await log.make_months()
        await log.append("2026-09-03 10:00", "2026-12-31 23:00", "1970-01-01 10:00", "2038-01-19 10:00")
        places = await log.ask("SELECT tableoid::regclass::text FROM events ORDER BY seq")
        assert places == ["events_202609", "events_202612", "events_other", "events_other"]

    tell_postgres(story)


def test_events_that_came_before_their_month_was_made_move_into_it(tell_postgres: Tell) -> None:
    async def story(log: Log) -> None:
        await log.append("2026-09-01 10:00", "2026-09-02 10:00", "1970-01-01 10:00")
        before = await log.ask("SELECT line FROM events ORDER BY seq")
        await log.make_months()
        assert await log.ask("SELECT line FROM events ORDER BY seq") == before
        assert await log.ask("SELECT seq FROM events_202609 ORDER BY seq") == [1, 2]
        assert await log.ask("SELECT seq FROM events_other") == [3]
        await log.append("2026-09-03 10:00", "1971-01-01 10:00")
        assert await log.ask("SELECT count(*) FROM events_other") == [2]

    tell_postgres(story)


def test_the_past_that_stations_bring_gets_its_months_and_nonsense_does_not(tell_postgres: Tell) -> None:
    async def story(log: Log) -> None:
        await log.append("2026-06-01 10:00", "2025-08-01 10:00", "2025-07-31 10:00", "2031-01-01 10:00")
        assert await log.make_months() == [202508, 202606, *AHEAD]
        assert await log.ask("SELECT month FROM events_other ORDER BY month") == [202507, 203101]

    tell_postgres(story)


def test_pushes_go_on_while_months_are_made(tell_postgres: Tell) -> None:
    async def story(log: Log) -> None:
        await log.append("2026-09-01 10:00")

        async def push() -> None:
            for number in range(60):
                await log.append("2026-09-05 10:00", stream=f"{number % 3}" * 32)

        await asyncio.gather(push(), log.make_months(), log.make_months())
        assert len(await log.months()) == 61
        assert await log.ask("SELECT count(*) FROM events_other") == [0]

    tell_postgres(story)


def test_a_log_that_is_in_use_is_not_waited_for_long(tell_postgres: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "_LOCK_WAIT", "200ms")

    async def story(log: Log) -> None:
        async with log.database.read() as connection:
            await connection.execute(text("SELECT count(*) FROM events"))
            began = time.monotonic()
            with pytest.raises(DBAPIError, match="lock timeout"):
                await log.make_months()
            assert time.monotonic() - began < 5
        assert await log.make_months() == AHEAD

    tell_postgres(story)
