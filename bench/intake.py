"""Durable pushes a second: one heartbeat and five events each, tagged, gzipped, answered after the commit.

The server is pinned to one core, the load to the other. The ratio is to a bare ASGI application that only reads the
same bodies, on the same uvicorn in the same run. Usage: `python -m bench.intake [--pushes 32000] [--only sqlite]`.
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
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import psutil
from nacl.signing import SigningKey

from bench.load import LoadStation, Outcome, run_load
from bench.report import emit
from bench.stages import measure_stages
from collector.db.engine import Database
from collector.migrate import migrate
from collector.stations import queries as stations
from shared.signing import key_id
from tests.districts import LIZHOU, plant_district
from tests.postgres import start_postgres

CONNECTIONS = 64
STATIONS = 256
ROUNDS = 7


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
    with serve_centre(target, url) as server:
        outcome, cpu_us = take_turn(server, queues)
        rss = server[1].memory_info().rss / 2**20
    return outcome, cpu_us, rss


def _bench(name: str, url: str, *, pushes: int, events: int) -> None:
    """Bare and centre take turns, so that both meet the same noise; the medians count. The first round only warms."""
    key = SigningKey.generate()
    asyncio.run(plant_stations(url, key))
    rounds = cut_rounds(build_queues(key, pushes, events), ROUNDS + 2)
    first = [request for each in zip(*rounds.pop(0), strict=True) for request in each]
    stages = asyncio.run(measure_stages(url, first))
    with serve_centre("bare", url) as bare, serve_centre("centre", url) as centre:
        turns = [(take_turn(bare, queues), take_turn(centre, queues)) for queues in rounds][1:]
        rss = centre[1].memory_info().rss / 2**20
    waits = sorted(wait for _, turn in turns for wait in turn.outcome.waits)
    rate, ratio = _median(turns, 1), median(turn.outcome.rate / bare.outcome.rate for bare, turn in turns)
    notes: dict[str, Any] = {"p50_ms": _percentile(waits, 0.5), "p99_ms": _percentile(waits, 0.99), "limit": 0.1}
    notes |= {"bad": sum(turn.outcome.bad for _, turn in turns), "bare": round(_median(turns, 0))}
    notes |= {"server_cpu_us": round(median(turn.cpu_us for _, turn in turns))}
    notes |= {"bare_cpu_us": round(median(turn.cpu_us for turn, _ in turns)), "rss_mib": round(rss)}
    notes |= {"stages_us": stages}
    emit(
        f"intake.{name}", rate, "pushes/s", ratio=ratio, rates=[round(turn.outcome.rate) for _, turn in turns], **notes
    )


class Turn(NamedTuple):
    """One server's turn of a round: what came of it and the server's CPU in µs a push."""

    outcome: Outcome
    cpu_us: float


def take_turn(server: tuple[int, psutil.Process], queues: list[list[bytes]]) -> Turn:
    port, process = server
    before = process.cpu_times()
    outcome = asyncio.run(run_load(port, queues))
    after = process.cpu_times()
    spent = after.user + after.system - before.user - before.system
    return Turn(outcome, spent / sum(map(len, queues)) * 1e6)


def cut_rounds(queues: list[list[bytes]], rounds: int) -> list[list[list[bytes]]]:
    """The pushes of every connection cut into so many rounds; each station's stay in order."""
    cuts = [[len(queue) * place // rounds for place in range(rounds + 1)] for queue in queues]
    return [
        [queue[cut[place] : cut[place + 1]] for queue, cut in zip(queues, cuts, strict=True)] for place in range(rounds)
    ]


def _median(turns: Sequence[tuple[Turn, Turn]], side: int) -> float:
    return median(pair[side].outcome.rate for pair in turns)


def _percentile(waits: Sequence[float], share: float) -> float:
    return round(waits[int(len(waits) * share)] * 1000, 1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pushes", type=int, default=32_000)
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
