"""A database of an older program under a newer one, and the other way round."""

import asyncio
import hashlib
import shutil
import uuid
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Connection, MetaData, Table, text, types
from sqlalchemy.exc import DBAPIError
from starlette.testclient import TestClient

from collector import migrate as migrations
from collector.app import create_app
from collector.db.engine import Database
from collector.errors import SetupError
from collector.migrate import SchemaAge, compare_schema, get_revision, list_revisions, migrate, require_current
from collector.settings import Settings
from tests.architecture.test_schema import differences
from tests.collector.test_processes import COLLECTOR, finished
from tests.postgres import PostgresServer

ROOT = Path(__file__).parents[3]
VERSIONS = ROOT / "collector" / "db" / "migrations" / "versions"
SUMS = ROOT / "tests" / "samples" / "migrations.sha256"
"""Digests of the migrations that were released. A release adds a line for each that is new."""
OLD_ROWS, NEW_ROWS = range(1, 4), range(4, 7)
Rows = dict[str, list[Mapping[str, Any]]]
Story = Callable[[Database], Awaitable[None]]


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/old.db"


@pytest.fixture
def empty_postgres_url(postgres: PostgresServer) -> str:
    return postgres.create(f"t{uuid.uuid4().hex}")


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest) -> str:
    """A database without any table, on both."""
    return str(request.getfixturevalue(f"empty_{request.param}_url"))


def tell(url: str, story: Story) -> None:
    async def run() -> None:
        database = Database(url)
        await story(database)
        await database.close()

    asyncio.run(run())


def reflect(connection: Connection) -> list[Table]:
    """The tables as the database has them, those that are referred to first; partitions belong to their table."""
    found = MetaData()
    found.reflect(connection)
    return [each for each in found.sorted_tables if each.name != "alembic_version" and "events_" not in each.name]


def value(column: Column[Any], number: int) -> Any:
    """What the row with this number has in a column: equal numbers agree, so that they may refer to each other."""
    made: dict[type[Any], Any] = {
        types.Boolean: bool(number % 2),
        types.Integer: number,
        types.Float: float(number),
        types.Uuid: uuid.UUID(int=number),
        types.CHAR: uuid.UUID(int=number).hex,
        types.String: f"x{number}",
        types.LargeBinary: bytes([number]) * 16,
        types.JSON: {"a": number},
    }
    kind = next(each for each in made if isinstance(column.type, each))
    return made[kind]


def fill(connection: Connection, tables: list[Table], numbers: range) -> None:
    """A row of each number in every table. The last one has nothing where nothing is allowed."""
    for table in tables:
        for number in numbers:
            left_out = {each.name for each in table.columns if each.nullable} if number == numbers[-1] else set()
            row = {each.name: value(each, number) for each in table.columns if each.name not in left_out}
            connection.execute(table.insert().values(row))


def read(connection: Connection, tables: list[Table]) -> Rows:
    return {
        table.name: sorted((dict(row) for row in connection.execute(table.select()).mappings()), key=str)
        for table in tables
    }


@pytest.mark.parametrize("revision", sorted(list_revisions()))
def test_an_older_database_comes_to_the_newest_schema_with_every_row(empty_url: str, revision: str) -> None:
    async def story(database: Database) -> None:
        await migrate(database, to=revision)
        async with database.write() as connection:
            tables = await connection.run_sync(reflect)
            await connection.run_sync(fill, tables, OLD_ROWS)
            before = await connection.run_sync(read, tables)
        await migrate(database)
        async with database.read() as connection:
            assert await connection.run_sync(read, tables) == before
            assert await connection.run_sync(differences) == []
        assert {len(rows) for rows in before.values()} == {len(OLD_ROWS)}
        assert await compare_schema(database) is SchemaAge.CURRENT

    tell(empty_url, story)


@pytest.mark.parametrize("revision", sorted(list_revisions()))
def test_a_process_of_the_old_version_goes_on_writing_beside_the_newest_schema(empty_url: str, revision: str) -> None:
    """It knows no column that came later, so each of these must do without being named."""

    async def story(database: Database) -> None:
        await migrate(database, to=revision)
        async with database.read() as connection:
            tables = await connection.run_sync(reflect)
        await migrate(database)
        async with database.write() as connection:
            await connection.run_sync(fill, tables, NEW_ROWS)
            found = await connection.run_sync(read, tables)
        assert {len(rows) for rows in found.values()} == {len(NEW_ROWS)}

    tell(empty_url, story)


def test_an_older_schema_is_neither_served_nor_called_ready_and_the_sentence_says_what_to_run(empty_url: str) -> None:
    async def story(database: Database) -> None:
        await migrate(database, to="0001")
        assert await compare_schema(database) is SchemaAge.OLDER
        with pytest.raises(SetupError, match="yuanjiao-collector migrate"):
            await require_current(database)

    tell(empty_url, story)
    with TestClient(create_app(Settings(database=empty_url), with_jobs=False)) as client:
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["the schema is not the newest: run yuanjiao-collector migrate"]


BROKEN = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "9000", "{newest}"


def upgrade() -> None:
    op.create_table("half", sa.Column("id", sa.Integer()))
    op.execute("SELECT nothing FROM nowhere")
"""


def test_a_migration_that_fails_leaves_the_database_as_it_was(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = tmp_path / "migrations"
    shutil.copytree(VERSIONS.parent, scripts)
    (scripts / "versions" / "9000_broken.py").write_text(BROKEN.format(newest=max(list_revisions())), "utf-8")

    async def story(database: Database) -> None:
        await migrate(database, to="0001")
        async with database.read() as connection:
            before = await connection.run_sync(reflect)
        monkeypatch.setattr(migrations, "_SCRIPTS", scripts)
        with pytest.raises(DBAPIError):
            await migrate(database)
        assert await get_revision(database) == "0001"
        async with database.read() as connection:
            assert [each.name for each in await connection.run_sync(reflect)] == [each.name for each in before]

    tell(empty_url, story)


def test_a_migration_does_not_make_everybody_wait_behind_a_backup(
    empty_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "_LOCK_WAIT", "100ms")

    async def story(database: Database) -> None:
        await migrate(database, to="0001")
        async with database.read() as backup:
            await backup.execute(text("SELECT count(*) FROM daily"))
            with pytest.raises(SetupError, match="请过几分钟再运行"):
                await migrate(database)
        assert await get_revision(database) == "0001"
        await migrate(database)
        assert await compare_schema(database) is SchemaAge.CURRENT

    tell(empty_postgres_url, story)


def test_a_released_migration_is_never_edited() -> None:
    rows = [line.split(maxsplit=1) for line in SUMS.read_text("ascii").splitlines()]
    now = {name: hashlib.sha256((VERSIONS / name).read_bytes()).hexdigest() for _, name in rows}
    assert now == {name: digest for digest, name in rows}, "restore it and write a new migration instead"


def set_revision(url: str, revision: str) -> None:
    async def story(database: Database) -> None:
        async with database.write() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})

    tell(url, story)


def test_what_a_newer_program_upgraded_is_neither_served_nor_migrated_by_an_older_one(database_url: str) -> None:
    set_revision(database_url, "9999")
    for command in ("serve", "migrate"):
        status, message = finished(*COLLECTOR, command, url=database_url)
        assert status == 2
        assert "更新的版本升级过（9999）" in message
        assert "Traceback" not in message


def test_a_worker_does_not_start_beside_a_newer_schema_either(postgres_url: str) -> None:
    set_revision(postgres_url, "9999")
    status, message = finished(*COLLECTOR, "worker", url=postgres_url)
    assert (status, "更新的版本升级过" in message) == (2, True)


def test_a_process_that_runs_while_the_schema_is_upgraded_stays_ready(database_url: str) -> None:
    with TestClient(create_app(Settings(database=database_url), with_jobs=False)) as client:
        set_revision(database_url, "9999")
        assert client.get("/readyz").json()["reasons"] == []


def test_a_database_without_tables_says_what_to_run(empty_postgres_url: str) -> None:
    async def story(database: Database) -> None:
        with pytest.raises(SetupError, match="yuanjiao-collector init"):
            await require_current(database)

    tell(empty_postgres_url, story)
