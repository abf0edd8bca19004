"""The rules SQLite is run by: who may write, what a commit means, which file is refused."""

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from collector.db.engine import Database
from collector.db.sqlite_file import check_pages, held_alone, sqlite_path
from collector.errors import SetupError
from collector.serving import serve
from collector.settings import Settings

FULL = 2


@pytest.fixture
def path(sqlite_url: str) -> Path:
    found = sqlite_path(sqlite_url)
    assert found is not None
    return found


def play(url: str, story: Callable[[Database], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        database = Database(url)
        answer = await story(database)
        await database.close()
        return answer

    return asyncio.run(run())


async def pragmas(database: Database, *names: str) -> list[Any]:
    async with database.write() as connection:
        return [(await connection.execute(text(f"PRAGMA {name}"))).scalar_one() for name in names]


def test_a_commit_is_on_the_disk_and_keys_are_kept(sqlite_url: str) -> None:
    names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    assert play(sqlite_url, lambda database: pragmas(database, *names)) == ["wal", FULL, 1, 10_000]


def test_the_writer_has_room_for_the_pages_that_grow(sqlite_url: str) -> None:
    names = ("cache_size", "wal_autocheckpoint", "mmap_size")
    assert play(sqlite_url, lambda database: pragmas(database, *names)) == [-32_768, 4_000, 0]


def test_a_reader_cannot_write_even_if_it_tries(sqlite_url: str) -> None:
    async def story(database: Database) -> None:
        async with database.read() as connection:
            with pytest.raises(DBAPIError, match="readonly"):
                await connection.execute(text("DELETE FROM stations"))
            await connection.rollback()

    play(sqlite_url, story)


def test_a_reader_cannot_checkpoint(sqlite_url: str, path: Path) -> None:
    async def story(database: Database) -> list[int]:
        async with database.write() as connection:
            await connection.execute(text("CREATE TABLE big AS SELECT randomblob(100000) AS x"))
        sizes = list_sizes(path)
        reader = await database._reader.raw_connection()
        driver: Any = reader.driver_connection
        with pytest.raises(sqlite3.OperationalError):
            await driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        reader.close()
        assert list_sizes(path) == sizes
        return sizes

    assert play(sqlite_url, story)[1] > 100_000


def test_writers_of_one_process_take_turns_and_none_meets_a_locked_database(sqlite_url: str) -> None:
    async def story(database: Database) -> int:
        async with database.write() as connection:
            await connection.execute(text("CREATE TABLE counts (value INTEGER)"))
            await connection.execute(text("INSERT INTO counts VALUES (0)"))

        async def add() -> None:
            async with database.write() as connection:
                value = (await connection.execute(text("SELECT value FROM counts"))).scalar_one()
                await asyncio.sleep(0)
                await connection.execute(text(f"UPDATE counts SET value = {value + 1}"))

        await asyncio.gather(*(add() for _ in range(50)))
        async with database.read() as connection:
            return int((await connection.execute(text("SELECT value FROM counts"))).scalar_one())

    assert play(sqlite_url, story) == 50


def test_the_lock_is_free_again_afterwards_and_says_nothing_stale(sqlite_url: str, path: Path) -> None:
    lock = path.with_name(path.name + ".lock")
    for _ in range(2):
        with held_alone(sqlite_url):
            assert str(os.getpid()) in lock.read_text("utf-8")
        assert lock.read_text("utf-8") == ""


def test_a_second_holder_is_refused_even_in_the_same_process(sqlite_url: str) -> None:
    with held_alone(sqlite_url), pytest.raises(SetupError, match="只允许一个进程写入"), held_alone(sqlite_url):
        pytest.fail("held twice")


def test_postgresql_needs_no_lock() -> None:
    url = "postgresql+asyncpg://nobody@127.0.0.1/none"
    with held_alone(url), held_alone(url):
        assert sqlite_path(url) is None


def test_a_sound_file_is_read_through_quickly(path: Path) -> None:
    assert 0 <= check_pages(path) < 5


def test_a_check_leaves_nothing_beside_a_file_nobody_has_open(path: Path) -> None:
    before = set(path.parent.iterdir())
    check_pages(path, immutable=True)
    assert set(path.parent.iterdir()) == before


def list_sizes(path: Path) -> list[int]:
    """Bytes of the database and of its WAL."""
    return [each.stat().st_size for each in (path, path.with_name(path.name + "-wal"))]


def overwrite_pages(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(8 * 4096)
        file.write(os.urandom(40 * 4096))


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 // 4096 * 4096)


def write_other(path: Path) -> None:
    path.write_bytes(b"this was a database once " * 1000)


@pytest.mark.parametrize("damage", [overwrite_pages, truncate, write_other], ids=lambda each: each.__name__)
def test_a_damaged_database_is_not_served_and_the_sentence_says_how_to_restore(
    path: Path, sqlite_url: str, damage: Callable[[Path], None]
) -> None:
    damage(path)
    content = path.read_bytes()
    with pytest.raises(SetupError, match=r"已损坏.*yuanjiao-collector restore"):
        serve(Settings(database=sqlite_url, port=0))
    assert path.read_bytes() == content


def test_a_database_that_is_not_there_is_not_made_by_serving(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="首次使用请先运行"):
        serve(Settings(database=f"sqlite+aiosqlite:///{tmp_path}/none.db", port=0))
    assert not (tmp_path / "none.db").exists()


def test_an_emptied_file_is_refused_too(path: Path, sqlite_url: str) -> None:
    os.truncate(path, 0)
    with pytest.raises(SetupError):
        serve(Settings(database=sqlite_url, port=0))


def test_a_check_runs_beside_a_writer(path: Path) -> None:
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("CREATE TABLE half (x)")
    assert check_pages(path) >= 0
    writer.execute("ROLLBACK")
    writer.close()
