"""How fast a county that was cut off comes back: a 90-day backlog of 245 stations, drained by the agents' own code.

Every station has its own spool and key; all of them push over a few connections to one server on one core. The time
runs from the first push until the centre has the last line. Usage: `python -m bench.backlog [--stations 245]
[--days 90] [--only sqlite]`.
"""

import argparse
import asyncio
import contextlib
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import text

from agent.fleet import WORKERS, Berth, Plan, VirtualStation, join_station
from agent.transport import HttpTransport
from bench.intake import serve_centre
from bench.report import emit
from collector import setup
from collector.db.engine import Database
from collector.settings import Settings
from shared.clock import SystemClock
from tests.postgres import start_postgres

DISTRICT = 510802
LIMIT_S = 600


def _berths(url: str, count: int) -> list[Berth]:
    settings = Settings(database=url)
    asyncio.run(setup.init(settings, district_id=DISTRICT, name="利州区", register=None, total=max(count, 245)))
    codes = asyncio.run(setup.make_codes(settings, district_id=DISTRICT, township=None))
    return [Berth(*row) for row in codes[:count]]


def _count_stored(url: str) -> int:
    async def load() -> int:
        database = Database(url)
        async with database.read() as connection:
            count = (await connection.execute(text("SELECT count(*) FROM events"))).scalar_one()
        await database.close()
        return int(count)

    return asyncio.run(load())


def _drain(station: VirtualStation, clock: SystemClock) -> int:
    """Push until nothing waits, as often as the centre's pace allows. Returns how many lines were recorded."""
    end = time.monotonic() + LIMIT_S
    while station.agent.spool.depth().waiting:
        station.tick(clock.now())
        assert time.monotonic() < end, f"{station.berth.title} was not drained"
        time.sleep(0.002)
    return station.agent.spool.depth().last


def _bench(name: str, url: str, folder: Path, *, stations: int, days: int) -> None:
    clock, berths = SystemClock(), _berths(url, stations)
    with serve_centre("centre", url) as (port, process), ThreadPoolExecutor(WORKERS) as pool:
        centre = f"http://127.0.0.1:{port}"
        plan = Plan(centre, folder / name, days=days, seed=1, heartbeat_s=300, dark="")
        transport = HttpTransport(centre, connections=WORKERS)
        fleet = list(pool.map(lambda each: join_station(plan, each, clock.now(), transport, {}), berths))
        waiting = sum(each.agent.spool.depth().waiting for each in fleet)
        cpu, began = process.cpu_times(), time.monotonic()
        recorded = sum(pool.map(lambda each: _drain(each, clock), fleet))
        passed, spent = time.monotonic() - began, process.cpu_times()
        server_s = spent.user + spent.system - cpu.user - cpu.system
        for each in fleet:
            each.agent.close()
    stored = _count_stored(url)
    notes: dict[str, float] = {
        "events": waiting,
        "stations": stations,
        "days": days,
        "events_per_s": round(waiting / passed),
    }
    notes |= {"server_cpu_s": round(server_s, 1), "server_cpu_us_an_event": round(server_s / waiting * 1e6)}
    emit(f"backlog.{name}", passed, "s to drain", recorded=recorded, stored=stored, lost=recorded - stored, **notes)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stations", type=int, default=245)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--only", choices=("sqlite", "postgres"))
    options = parser.parse_args()
    os.sched_setaffinity(0, {1})
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        urls = {"sqlite": f"sqlite+aiosqlite:///{folder}/centre.db"}
        if options.only != "sqlite":
            urls["postgres"] = stack.enter_context(start_postgres()).create("backlog")
        for database, url in urls.items():
            if options.only in {None, database}:
                _bench(database, url, folder, stations=options.stations, days=options.days)


if __name__ == "__main__":
    main()
