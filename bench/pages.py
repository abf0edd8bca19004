"""Server time of the overview in ms: `.overview_245` and `.overview_5000`, median of 30 after a warm-up.

The page is asked for as a signed-in director asks for it, through the whole application, without a network.
"""

import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path

import httpx

from bench.report import emit
from collector.app import create_app
from collector.db.engine import Database
from collector.intake import queries as intake
from collector.migrate import migrate
from collector.people import service as accounts
from collector.settings import Settings
from shared.clock import wall_ms
from tests.districts import LIZHOU, SmallDistrict, plant_district

ROUNDS = 30
SIZES = {245: 18, 5000: 366}
_STATES = {
    "courseware": {"status": "ok", "mono": 1, "state": {"files": 140, "bytes": 64_000_000_000}},
    "projector": {"status": "ok", "mono": 1, "state": {"reachable": True, "power": "off", "lamp_hours": 1200}},
    "audio": {"status": "ok", "mono": 1, "state": {"server": True, "sink": True, "muted": False, "volume": 0.8}},
    "host": {"status": "ok", "mono": 1, "state": {"disk_free": 10**11, "disk_total": 5 * 10**11}},
}


async def _plant(database: Database, stations: int, townships: int) -> tuple[SmallDistrict, str]:
    """A district where every station has just been heard, but for one in twenty; and a sign-in link's token."""
    plan: dict[str, list[str]] = {f"{number}号镇": [] for number in range(townships)}
    for number in range(stations):
        plan[f"{number % townships}号镇"].append(f"{number}村")
    now_ms = wall_ms()
    district = await plant_district(database, plan, now_ms=now_ms)
    async with database.write() as connection:
        await intake.put_states(connection, [_state(each, now_ms) for each in district.stations.values() if each % 20])
        token = await accounts.make_link(connection, LIZHOU, district.people["主任"], now_ms=now_ms)
    return district, token


def _state(station_id: int, now_ms: int) -> dict[str, object]:
    spool = {"last": 9, "waiting": 0, "bytes": 9}
    heartbeat = {"wall": now_ms, "mono": 1, "boot": "b", "agent": "0.1.0", "spool": spool, "probes": _STATES}
    row: dict[str, object] = {"district_id": LIZHOU, "station_id": station_id, "stream": bytes(16), "boot": "b"}
    row |= {"spool_stream": bytes(16), "spool_last": 9, "lease": None, "lease_before": None, "held_ms": None}
    row |= {"mono_ms": 1, "wall_ms": now_ms, "received_ms": now_ms, "first_received_ms": now_ms}
    return row | {"heartbeat": json.dumps(heartbeat)}


async def _bench(folder: Path, stations: int, townships: int) -> None:
    url = f"sqlite+aiosqlite:///{folder}/{stations}.db"
    database = Database(url)
    await migrate(database)
    _, token = await _plant(database, stations, townships)
    await database.close()
    app = create_app(Settings(database=url, public_url="http://bench.test"), with_jobs=False)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://bench.test") as client,
    ):
        await client.post(f"/signin/link/{token}", headers={"Origin": "http://bench.test"})
        times, cpu, size = [], [], 0
        for _ in range(ROUNDS + 5):
            began, spent = time.perf_counter(), time.process_time()
            page = await client.get("/")
            times.append((time.perf_counter() - began) * 1000)
            cpu.append((time.process_time() - spent) * 1000)
            page.raise_for_status()
            size = len(page.content)
    notes = {"p90_ms": round(statistics.quantiles(times[5:], n=10)[-1], 1), "html_kib": round(size / 1024)}
    notes |= {"cpu_ms": round(statistics.median(cpu[5:]), 1)}
    emit(f"pages.overview_{stations}", statistics.median(times[5:]), "ms", **notes)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for stations, townships in SIZES.items():
            asyncio.run(_bench(Path(folder), stations, townships))


if __name__ == "__main__":
    main()
