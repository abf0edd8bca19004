"""Real processes beside each other: workers on PostgreSQL, and the second one that SQLite must not have."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from collector.db.engine import Database
from collector.db.sqlite_file import held_alone

COLLECTOR = (sys.executable, "-m", "collector")


@contextlib.contextmanager
def started(*command: str, url: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command, env=os.environ | {"YUANJIAO_DATABASE": url, "YUANJIAO_PORT": "0"}, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def finished(*command: str, url: str, **environment: str) -> tuple[int, str]:
    values = os.environ | {"YUANJIAO_DATABASE": url, "YUANJIAO_PORT": "0"} | environment
    done = subprocess.run(command, env=values, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


def ask(url: str, *statements: str) -> list[Any]:
    """Rows of the last of these statements."""

    async def load() -> list[Any]:
        database = Database(url)
        async with database.write() as connection:
            for statement in statements:
                result = await connection.execute(text(statement))
            rows = list(result) if result.returns_rows else []
        await database.close()
        return rows

    return asyncio.run(load())


def wait_for(condition: Callable[[], object], *, limit_s: float = 30) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_three_workers_of_which_one_is_killed_do_every_slot_and_lose_none(postgres_url: str) -> None:
    ask(
        postgres_url,
        "CREATE TABLE begun (slot BIGINT, pid INT)",
        "CREATE TABLE done (slot BIGINT PRIMARY KEY, pid INT)",
    )
    worker = (sys.executable, "-m", "tests.collector.slot_worker", postgres_url)
    undone = "SELECT slot, pid FROM begun WHERE slot NOT IN (SELECT slot FROM done)"
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(started(*worker, url=postgres_url)) for _ in range(3)]
        wait_for(lambda: len(ask(postgres_url, "SELECT slot FROM done")) >= 2)
        wait_for(lambda: ask(postgres_url, undone))
        ((slot, pid),) = ask(postgres_url, undone)
        os.kill(pid, signal.SIGKILL)
        done_before = ask(postgres_url, "SELECT slot FROM done ORDER BY slot")
        wait_for(lambda: len(ask(postgres_url, "SELECT slot FROM done")) >= len(done_before) + 4)
        assert pid in {each.pid for each in workers}
    done = ask(postgres_url, "SELECT slot, pid FROM done ORDER BY slot")
    slots = [row.slot for row in done]
    assert slots == list(range(slots[0], slots[-1] + 1, 1000))
    assert (slot,) not in done_before
    assert next(row.pid for row in done if row.slot == slot) != pid
    begun_twice = ask(postgres_url, "SELECT slot FROM begun GROUP BY slot HAVING count(*) > 1")
    assert begun_twice == [(slot,)]


def test_a_worker_does_the_periodic_work_and_ends_when_asked(postgres_url: str) -> None:
    done = "SELECT job FROM job_runs WHERE lease_until_ms IS NULL AND job IN"
    wanted = "('storage.months', 'usage.fold', 'faults.judge')"
    with started(*COLLECTOR, "worker", url=postgres_url) as worker:
        wait_for(lambda: len(ask(postgres_url, f"{done} {wanted}")) == 3, limit_s=60)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0
    assert ask(postgres_url, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'events'::regclass") >= [(4,)]


def test_sqlite_has_no_workers(sqlite_url: str) -> None:
    status, message = finished(*COLLECTOR, "worker", url=sqlite_url)
    assert status == 2
    assert "请改用 PostgreSQL" in message


@pytest.mark.parametrize("command", [("serve",), ("link",), ("migrate",)], ids=lambda command: command[0])
def test_a_second_process_that_would_write_is_refused_and_told_who_is_there(
    sqlite_url: str, command: tuple[str, ...]
) -> None:
    with held_alone(sqlite_url):
        status, message = finished(*COLLECTOR, *command, url=sqlite_url)
    assert status == 2
    assert f"进程号 {os.getpid()}" in message
    assert "Traceback" not in message


def test_the_lock_goes_with_a_killed_process(sqlite_url: str) -> None:
    with started(*COLLECTOR, "serve", url=sqlite_url) as first:
        wait_for(lambda: "进程号" in lock_of(sqlite_url))
        first.kill()
        first.wait(20)
    assert finished(*COLLECTOR, "migrate", url=sqlite_url) == (0, "")


def test_many_processes_of_one_server_are_refused(sqlite_url: str) -> None:
    status, message = finished(*COLLECTOR, "serve", url=sqlite_url, WEB_CONCURRENCY="4")
    assert status == 2
    assert "WEB_CONCURRENCY=4" in message


def lock_of(url: str) -> str:
    lock = Path(url.removeprefix("sqlite+aiosqlite:///") + ".lock")
    return lock.read_text("utf-8") if lock.exists() else ""
