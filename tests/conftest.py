"""Fixtures of the whole suite: databases to test on, and a clock that moves only when told."""

import asyncio
import shutil
import uuid
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from collector.db.engine import Database
from collector.migrate import migrate
from tests.clocks import ManualClock
from tests.postgres import PostgresServer, start_postgres

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, T]], T]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real server of this worker's own. Fails, never skips, where there is none."""
    with start_postgres() as server:
        asyncio.run(_migrate(server.create("yuanjiao_template")))
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "centre.db"
    asyncio.run(_migrate(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite database of this test's own."""
    path = tmp_path / "centre.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture
def postgres_url(postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A migrated PostgreSQL database of this test's own; its centre keeps no keys where a real one would."""
    monkeypatch.setenv("YUANJIAO_TLS_DIR", str(tmp_path / "tls"))
    return postgres.create(f"t{uuid.uuid4().hex}", template="yuanjiao_template")


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The same test on both databases."""
    return str(request.getfixturevalue(f"{request.param}_url"))


async def _migrate(url: str) -> None:
    database = Database(url)
    await migrate(database)
    await database.close()
