"""An event log with a past, on both databases."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text

from collector.db.engine import Database
from collector.storage import service
from shared.months import BEIJING
from tests.collector.usage.events import Fact, append, at, fold
from tests.districts import plant_district

NOW_MS = int(datetime(2026, 9, 10, 9, tzinfo=BEIJING).timestamp() * 1000)


@dataclass(slots=True)
class Log:
    """One station's events, named by the moment its clock showed; `booked` is when they truly happened."""

    database: Database

    async def append(self, *moments: str, booked: str = "", stream: str = "1" * 32) -> None:
        facts = [Fact("note", at(each), {}, late_ms=at(booked) - at(each) if booked else 0) for each in moments]
        await append(self.database, 1, facts, stream=stream)

    async def fold(self) -> None:
        await fold(self.database, now_ms=NOW_MS)

    async def make_months(self, now_ms: int = NOW_MS) -> list[int]:
        return await service.make_months(self.database, keep_months=13, now_ms=now_ms, zone=BEIJING)

    async def drop_old(self, now_ms: int = NOW_MS) -> int:
        return await service.drop_old_events(self.database, keep_months=13, now_ms=now_ms, zone=BEIJING)

    async def ask(self, statement: str) -> list[Any]:
        async with self.database.write() as connection:
            result = await connection.execute(text(statement))
            return list(result.scalars()) if result.returns_rows else []

    async def months(self) -> list[int]:
        """Months of the events that are left, in order of seq."""
        return await self.ask("SELECT month FROM events ORDER BY stream, seq")


Story = Callable[[Log], Awaitable[None]]
Tell = Callable[[Story], None]


def play(url: str, story: Story) -> None:
    async def run() -> None:
        database = Database(url)
        await plant_district(database, {"宝轮镇": ["爱国社区"]})
        await story(Log(database))
        await database.close()

    asyncio.run(run())


@pytest.fixture
def tell(database_url: str) -> Tell:
    return lambda story: play(database_url, story)


@pytest.fixture
def tell_postgres(postgres_url: str) -> Tell:
    return lambda story: play(postgres_url, story)
