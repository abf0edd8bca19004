"""Backups: taken beside a running centre, checked, rotated, and refused when they are not sound."""

import asyncio
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from collector import recovery
from collector.db.engine import Database
from collector.db.sqlite_file import held_alone
from collector.errors import SetupError
from collector.migrate import SchemaAge, compare_schema
from collector.storage import backup as backups
from collector.storage.backup import Manifest
from tests.districts import LIZHOU, NOW_MS, plant_district


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """The centre's own keys."""
    made = tmp_path / "tls"
    made.mkdir(mode=0o700)
    (made / "authority.pem").write_text("secret", "ascii")
    return made


def plant(url: str) -> None:
    async def act() -> None:
        database = Database(url)
        await plant_district(database, {"宝轮镇": ["爱国社区"]})
        await database.close()

    asyncio.run(act())


def execute(url: str, statement: str) -> None:
    async def act() -> None:
        database = Database(url)
        async with database.write() as connection:
            await connection.execute(text(statement))
        await database.close()

    asyncio.run(act())


def ask(url: str, query: str) -> int:
    async def load() -> int:
        database = Database(url)
        async with database.read() as connection:
            value = int((await connection.execute(text(query))).scalar_one())
        await database.close()
        return value

    return asyncio.run(load())


def back_up(url: str, folder: Path, keys: Path, *, keep: int = 3, after_s: int = 0) -> Manifest:
    return backups.make_backup(url, folder, keys=keys, revision="0001", keep=keep, now_ms=NOW_MS + after_s * 1000)


def restore(url: str, file: Path, keys: Path) -> Path | None:
    return asyncio.run(recovery.restore(url, file, keys=keys))[1]


def test_what_was_backed_up_is_what_is_restored(database_url: str, folder: Path, keys: Path) -> None:
    plant(database_url)
    made = asyncio.run(recovery.backup(database_url, folder, keys=keys, keep=3))
    execute(database_url, "UPDATE stations SET name = 'changed'")
    execute(database_url, "CREATE TABLE made_since (id INTEGER)")
    restore(database_url, folder / made.file, keys)
    assert ask(database_url, "SELECT count(*) FROM stations WHERE name = '爱国社区'") == 1

    async def compare() -> SchemaAge:
        database = Database(database_url)
        answer = await compare_schema(database)
        await database.close()
        return answer

    assert asyncio.run(compare()) is SchemaAge.CURRENT


def test_what_was_made_after_the_backup_is_gone_and_the_database_works(
    database_url: str, folder: Path, keys: Path
) -> None:
    plant(database_url)
    made = asyncio.run(recovery.backup(database_url, folder, keys=keys, keep=3))
    execute(database_url, "DELETE FROM stations")
    restore(database_url, folder / made.file, keys)
    execute(database_url, f"UPDATE stations SET retired_ms = 1 WHERE district_id = {LIZHOU}")
    assert ask(database_url, "SELECT count(*) FROM stations WHERE retired_ms = 1") == 1


def test_a_backup_is_one_moment_while_others_write(database_url: str, folder: Path, keys: Path) -> None:
    """Two tables are always written together; a backup must never hold one without the other."""
    execute(database_url, "CREATE TABLE a (id INTEGER)")
    execute(database_url, "CREATE TABLE b (id INTEGER)")
    ended = threading.Event()

    async def write() -> None:
        database = Database(database_url)
        while not ended.is_set():
            async with database.write() as connection:
                await connection.execute(text("INSERT INTO a VALUES (1)"))
                await connection.execute(text("INSERT INTO b VALUES (1)"))
        await database.close()

    writer = threading.Thread(target=lambda: asyncio.run(write()))
    writer.start()
    made = [back_up(database_url, folder, keys, keep=9, after_s=number) for number in range(3)]
    ended.set()
    writer.join()
    counts = []
    for each in made:
        backups.put_back(database_url, folder / each.file, each, keys=keys, now_ms=NOW_MS)
        counts.append((ask(database_url, "SELECT count(*) FROM a"), ask(database_url, "SELECT count(*) FROM b")))
    assert all(a == b for a, b in counts)
    assert counts[-1] > counts[0]


def test_the_old_database_is_moved_aside_not_deleted(sqlite_url: str, folder: Path, keys: Path) -> None:
    plant(sqlite_url)
    made = back_up(sqlite_url, folder, keys)
    execute(sqlite_url, "UPDATE stations SET name = 'changed'")
    old = restore(sqlite_url, folder / made.file, keys)
    assert old is not None
    assert ask(f"sqlite+aiosqlite:///{old}", "SELECT count(*) FROM stations WHERE name = 'changed'") == 1


def test_a_lost_machine_gets_its_database_and_its_keys_back(
    sqlite_url: str, folder: Path, keys: Path, tmp_path: Path
) -> None:
    plant(sqlite_url)
    made = back_up(sqlite_url, folder, keys)
    new = tmp_path / "new machine"
    assert restore(f"sqlite+aiosqlite:///{new}/centre.db", folder / made.file, new / "tls") is None
    assert (new / "tls" / "authority.pem").read_text("ascii") == "secret"
    assert stat.S_IMODE((new / "tls").stat().st_mode) == 0o700
    assert ask(f"sqlite+aiosqlite:///{new}/centre.db", "SELECT count(*) FROM stations") == 1


def test_keys_that_are_there_stay(sqlite_url: str, folder: Path, keys: Path) -> None:
    made = back_up(sqlite_url, folder, keys)
    (keys / "authority.pem").write_text("newer", "ascii")
    restore(sqlite_url, folder / made.file, keys)
    assert (keys / "authority.pem").read_text("ascii") == "newer"


def test_only_the_newest_backups_are_kept_and_nothing_else_is_touched(
    sqlite_url: str, folder: Path, keys: Path
) -> None:
    folder.mkdir()
    (folder / "holiday.jpg").write_bytes(b"x")
    made = [back_up(sqlite_url, folder, keys, keep=2, after_s=number) for number in range(4)]
    kept = sorted(name for each in made[-2:] for name in (*each.sha256, f"{each.stem}.json"))
    assert sorted(path.name for path in folder.iterdir()) == ["holiday.jpg", *kept]


def test_every_file_is_on_the_disk_before_it_gets_its_name(database_url: str, folder: Path, tmp_path: Path) -> None:
    plant(database_url)
    trace = tmp_path / "calls"
    watched = ["strace", "-f", "-y", "-o", str(trace), "-e", "trace=fsync,rename"]
    environment = os.environ | {"YUANJIAO_DATABASE": database_url}
    subprocess.run([*watched, sys.executable, "-m", "collector", "backup", folder], env=environment, check=True)
    calls = re.findall(r"(fsync|rename)\((?:\d+<|\")([^>\"]+)", trace.read_text("utf-8"))
    ours = [(call, Path(name).name) for call, name in calls if Path(name).is_relative_to(folder)]
    renamed = [name for call, name in ours if call == "rename"]
    assert len(renamed) == len(list(folder.iterdir())) >= 2
    assert all(ours.index(("fsync", name)) < ours.index(("rename", name)) for name in renamed)
    assert ours[-1] == ("fsync", folder.name)


def test_a_backup_is_readable_for_its_owner_alone(sqlite_url: str, folder: Path, keys: Path) -> None:
    back_up(sqlite_url, folder, keys)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("ending", [".sqlite", ".keys.tar"])
def test_a_backup_with_one_changed_byte_is_refused_and_nothing_is_touched(
    sqlite_url: str, folder: Path, keys: Path, ending: str
) -> None:
    plant(sqlite_url)
    made = back_up(sqlite_url, folder, keys)
    damaged = folder / f"{made.stem}{ending}"
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(SetupError, match="已损坏"):
        restore(sqlite_url, folder / made.file, keys)
    assert ask(sqlite_url, "SELECT count(*) FROM stations") == 1


def test_a_file_without_its_manifest_is_refused(sqlite_url: str, folder: Path, keys: Path) -> None:
    made = back_up(sqlite_url, folder, keys)
    (folder / f"{made.stem}.json").unlink()
    with pytest.raises(SetupError, match="没有完整的说明文件"):
        restore(sqlite_url, folder / made.file, keys)


def test_a_backup_of_a_newer_version_is_refused(sqlite_url: str, folder: Path, keys: Path) -> None:
    made = backups.make_backup(sqlite_url, folder, keys=keys, revision="9999", keep=3, now_ms=NOW_MS)
    with pytest.raises(SetupError, match="请先升级程序"):
        restore(sqlite_url, folder / made.file, keys)


def test_a_backup_of_the_other_database_is_refused(
    sqlite_url: str, postgres_url: str, folder: Path, keys: Path
) -> None:
    made = back_up(sqlite_url, folder, keys)
    with pytest.raises(SetupError, match="不是同一种数据库"):
        restore(postgres_url, folder / made.file, keys)


def test_a_damaged_database_makes_no_backup_and_costs_none(sqlite_url: str, folder: Path, keys: Path) -> None:
    plant(sqlite_url)
    before = back_up(sqlite_url, folder, keys, keep=1)
    path = Path(sqlite_url.removeprefix("sqlite+aiosqlite:///"))
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(8192))
    with pytest.raises(SetupError, match=r"备份没有完成|已损坏"):
        back_up(sqlite_url, folder, keys, keep=1, after_s=60)
    assert [path.name for path in backups.list_backups(folder)] == [f"{before.stem}.json"]
    assert {path.name for path in folder.iterdir()} == {*before.sha256, f"{before.stem}.json"}


@pytest.mark.parametrize("size", ["16k", "2m"], ids=["no room for the database", "no room for the keys"])
def test_a_full_disk_leaves_no_half_backup(database_url: str, keys: Path, tmp_path: Path, size: str) -> None:
    (keys / "large.pem").write_bytes(os.urandom(3 << 20))
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], check=True)
    try:
        with pytest.raises(SetupError, match="没有完成"):
            back_up(database_url, disk / "backups", keys)
        left = list((disk / "backups").iterdir())
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)
    assert left == []


def test_what_a_killed_centre_left_in_its_wal_does_not_get_into_the_restored_database(
    sqlite_url: str, folder: Path, keys: Path
) -> None:
    plant(sqlite_url)
    made = back_up(sqlite_url, folder, keys)
    path = Path(sqlite_url.removeprefix("sqlite+aiosqlite:///"))
    killed = sqlite3.connect(path)
    killed.execute("PRAGMA journal_mode=WAL")
    killed.execute("UPDATE stations SET name = 'changed'")
    killed.commit()
    old = restore(sqlite_url, folder / made.file, keys)
    assert old is not None
    assert ask(sqlite_url, "SELECT count(*) FROM stations WHERE name = '爱国社区'") == 1
    assert ask(f"sqlite+aiosqlite:///{old}", "SELECT count(*) FROM stations WHERE name = 'changed'") == 1
    killed.close()


def test_nothing_is_restored_under_a_running_centre(sqlite_url: str, folder: Path, keys: Path) -> None:
    made = back_up(sqlite_url, folder, keys)
    program = [sys.executable, "-m", "collector", "restore", str(folder / made.file)]
    environment = os.environ | {"YUANJIAO_DATABASE": sqlite_url}
    with held_alone(sqlite_url):
        done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"进程号 {os.getpid()}" in done.stderr


def test_nothing_is_restored_while_somebody_is_connected(postgres_url: str, folder: Path, keys: Path) -> None:
    plant(postgres_url)
    made = back_up(postgres_url, folder, keys)

    async def attempt() -> None:
        database = Database(postgres_url)
        async with database.read() as connection:
            await connection.execute(text("SELECT 1"))
            with pytest.raises(SetupError, match="还有 1 个连接"):
                backups.put_back(postgres_url, folder / made.file, made, keys=keys, now_ms=NOW_MS)
        await database.close()

    asyncio.run(attempt())
    assert ask(postgres_url, "SELECT count(*) FROM stations") == 1


def test_without_the_tools_of_postgresql_a_sentence_says_what_to_install(
    postgres_url: str, folder: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _program: None)
    with pytest.raises(SetupError, match="apt install postgresql-client"):
        back_up(postgres_url, folder, keys)


def test_the_commands_back_up_beside_a_running_centre_and_restore(sqlite_url: str, folder: Path) -> None:
    plant(sqlite_url)
    environment = os.environ | {"YUANJIAO_DATABASE": sqlite_url}
    program = (sys.executable, "-m", "collector")
    with held_alone(sqlite_url):
        subprocess.run([*program, "backup", str(folder), "--keep", "2"], env=environment, check=True)
    execute(sqlite_url, "UPDATE stations SET name = 'changed'")
    (manifest,) = backups.list_backups(folder)
    subprocess.run([*program, "restore", str(manifest)], env=environment, check=True)
    assert ask(sqlite_url, "SELECT count(*) FROM stations WHERE name = '爱国社区'") == 1
