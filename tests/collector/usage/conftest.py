"""An open database per test, closed behind it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from collector.db.engine import Database

Story = Callable[[Database], Coroutine[Any, Any, Any]]
Tell = Callable[[Story], Any]


@pytest.fixture
def tell(database_url: str) -> Tell:
    """Run a story on a database of its own, SQLite and PostgreSQL in turn."""
    return lambda story: asyncio.run(_tell(database_url, story))


async def _tell(url: str, story: Story) -> Any:
    database = Database(url)
    try:
        return await story(database)
    finally:
        await database.close()
