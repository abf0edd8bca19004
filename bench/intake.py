"""Durable pushes a second: one heartbeat and five events each, signed, gzipped, answered after the commit.

The server is pinned to one core, the load to the other. The ratio is to a bare ASGI application that only reads the
same bodies, on the same uvicorn in the same run. Usage: `python -m bench.intake [--pushes 20000] [--only sqlite]`.
"""

import argparse
import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from nacl.signing import SigningKey

from bench.load import LoadStation, Outcome, run_load
from bench.report import emit
from collector.db.engine import Database
from collector.migrate import migrate
from collector.stations import queries as stations
from shared.signing import key_id
from tests.districts import LIZHOU, plant_district
from tests.postgres import start_postgres

CONNECTIONS = 64
STATIONS = 256


async def plant_stations(url: str, key: SigningKey) -> None:
    database = Database(url)
    await migrate(database)
    await plant_district(database, {"宝轮镇": [f"{each}村" for each in range(STATIONS)]})
    public = bytes(key.verify_key)
    async with database.write() as connection:
        for each in range(1, STATIONS + 1):
            await stations.add_key(connection, LIZHOU, each, key_id=key_id(public), public_key=public, now_ms=1)
    await database.close()


def build_queues(key: SigningKey, pushes: int, events: int) -> list[list[bytes]]:
    """Requests for each connection; a station's pushes stay on one connection, in order."""
    fleet = [LoadStation(f"{LIZHOU}/{each}", key, os.urandom(16).hex()) for each in range(1, STATIONS + 1)]
    rounds = max(1, pushes // STATIONS)
    return [
        [station.build(events) for _ in range(rounds) for station in fleet[place::CONNECTIONS]]
        for place in range(CONNECTIONS)
    ]


@contextlib.contextmanager
def serve_centre(target: str, url: str) -> Iterator[tuple[int, psutil.Process]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "bench.server", target, str(port)]
    process = subprocess.Popen(command, env=os.environ | {"YUANJIAO_DATABASE": url})
    try:
        _wait(port)
        os.sched_setaffinity(process.pid, {0})
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)


def _wait(port: int) -> None:
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise TimeoutError("the server did not start")


def measure(target: str, url: str, queues: list[list[bytes]]) -> tuple[Outcome, float, float]:
    """Outcome, server CPU in µs a push, and its RSS in MiB."""
    with serve_centre(target, url) as (port, process):
        before = process.cpu_times()
        outcome = asyncio.run(run_load(port, queues))
        after = process.cpu_times()
        spent = after.user + after.system - before.user - before.system
        rss = process.memory_info().rss / 2**20
    return outcome, spent / sum(map(len, queues)) * 1e6, rss


def _bench(name: str, url: str, *, pushes: int, events: int) -> None:
    key = SigningKey.generate()
    asyncio.run(plant_stations(url, key))
    queues = build_queues(key, pushes, events)
    bare, _, _ = measure("bare", url, queues)
    outcome, cpu_us, rss = measure("centre", url, queues)
    notes = {"p50_ms": round(outcome.p50_ms, 1), "p99_ms": round(outcome.p99_ms, 1), "bad": outcome.bad}
    notes |= {"bare": round(bare.rate), "server_cpu_us": round(cpu_us), "rss_mib": round(rss)}
    emit(f"intake.{name}", outcome.rate, "pushes/s", ratio=outcome.rate / bare.rate, **notes)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pushes", type=int, default=20_000)
    parser.add_argument("--only", choices=("sqlite", "postgres"))
    options = parser.parse_args()
    os.sched_setaffinity(0, {1})
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        server = stack.enter_context(start_postgres()) if options.only != "sqlite" else None
        for suffix, events in (("", 5), ("_heartbeat", 0)):
            if options.only != "postgres":
                url = f"sqlite+aiosqlite:///{Path(folder)}/centre{suffix}.db"
                _bench(f"sqlite{suffix}", url, pushes=options.pushes, events=events)
            if server is not None:
                url = server.create(f"bench{suffix}")
                _bench(f"postgres{suffix}", url, pushes=options.pushes, events=events)


if __name__ == "__main__":
    main()
