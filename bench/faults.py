"""Judging: one station in passing, a whole province falling silent at once, and the look for what is overdue.

`.judge` is CPU for one evaluation of a station whose heartbeat is new: read, judged by every rule. `.dark_…` is from
the first silent heartbeat to every station marked and every area ticket open: the round that finds the silence and
the one that ends its hold, a transaction a district, on SQLite. `.overdue_600000` is the look through all stations
for those that have just fallen silent, on PostgreSQL on all cores: `station_states` carries no index on what every
heartbeat changes. The states lie in the server's memory, where 2,000 heartbeats a second keep them. One station in a
hundred has fallen silent and one in twenty was known to be; `one_core` is the same without parallel workers.
Usage: `python -m bench.faults [--only judge,dark,overdue]`.
"""

import argparse
import asyncio
import gc
import json
import os
import tempfile
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import create_async_engine

from bench.report import emit
from collector.areas import queries as areas
from collector.areas.models import areas as area_table
from collector.areas.opening import Expected
from collector.db.engine import Database
from collector.faults import service
from collector.faults.areas import Place
from collector.faults.judging import Scene, judge_district
from collector.faults.reading import read_told
from collector.faults.views import Centre, Known, make_view
from collector.migrate import migrate
from collector.stations.models import station_states
from collector.stations.models import stations as station_table
from collector.stations.queries import Pulse
from collector.tickets import queries as tickets
from collector.tickets.settling import settle
from collector.timeline.queries import list_fallen_silent
from tests.districts import NOW_MS
from tests.postgres import start_postgres

PERIOD_S, GRACE_S = 300, 600
STATIONS_A_TOWNSHIP, STATIONS_A_DISTRICT = 14, 5_000
"""A township as in Lizhou, a district as large as they get."""
ROUNDS = 5
_SILENT_MS = (PERIOD_S + GRACE_S) * 1000
_HOLD_MS = (PERIOD_S + 30) * 1000
_JUDGED_MS = NOW_MS - 6 * 3_600_000
"""Twenty to one in Beijing: everybody is expected on."""


def make_heartbeat(at_ms: int) -> str:
    """What a station with every sensor says."""
    states: dict[str, object] = {
        "courseware": {"files": 120, "bytes": 10**11, "last_received_ms": at_ms - 3_600_000, "digest": "ab" * 32},
        "playback": {"playing": [], "source": "journal"},
        "projector": {"reachable": True, "power": "on", "lamp_hours": 1200, "maker": "EPSON", "on_s": 100},
        "audio": {"server": True, "sink": True, "muted": False, "volume": 0.6, "sounding": True},
        "host": {"disk_free": 10**11, "disk_total": 5 * 10**11, "uptime_s": 10_000, "disk_passed": True},
        "clock": {"offset_ms": 20, "jumps": 0},
        "display": {"outputs": 2, "screens": 1, "connector": "HDMI-A-1", "vendor": "EPS", "product": "0a1b"},
        "alsa": {"cards": ["PCH", "HDMI"], "running": []},
        "textfile": {"sensors": {"ups": {"age_s": 20, "title": "UPS", "state": {"charge": 90}}}},
    }
    probes = {name: {"status": "ok", "mono": 1, "state": each} for name, each in states.items()}
    spool = {"last": 100, "waiting": 0, "bytes": 1000, "full": False, "stream": "ab" * 16}
    body = {"wall": at_ms, "mono": 1, "boot": "b" * 32, "agent": "0.1.0", "spool": spool, "starts": 1}
    return json.dumps(body | {"probes": probes, "open_hours": ["08:00-21:00"]}, separators=(",", ":"))


def bench_judge(count: int = 2_000) -> None:
    """Views and verdicts in memory: what each station costs, whatever the database."""
    heartbeat = make_heartbeat(_JUDGED_MS)
    pulses = [Pulse(each, bytes(16), 10**6, _JUDGED_MS, _JUDGED_MS - 1000, 1, heartbeat) for each in range(count)]
    places = {each: Place(f"station/{each}", f"area/{each // STATIONS_A_TOWNSHIP}", "") for each in range(count)}
    known, rules = Known(Expected(True, _JUDGED_MS - 3_600_000)), service.list_rules()
    centre = Centre(ready_since_ms=0, period_s=PERIOD_S, grace_s=GRACE_S)
    costs: list[float] = []
    for _ in range(ROUNDS):
        gc.collect()
        began = time.process_time()
        views = [make_view(each, read_told(heartbeat), known, centre) for each in pulses]
        scene = Scene(views, places, {}, "area/0", {}, PERIOD_S, GRACE_S, _JUDGED_MS)
        assert judge_district(scene, rules) == {}
        costs.append((time.process_time() - began) / count * 1e6)
    emit("faults.judge", min(costs), "us/station", limit=100, rounds=[round(each, 1) for each in costs])


async def plant(database: Database, count: int) -> list[int]:
    """So many stations, all heard at the same moment, in districts as large as they get. Returns the districts."""
    heartbeat = make_heartbeat(_JUDGED_MS)
    districts = [510_000 + number for number in range(-(-count // STATIONS_A_DISTRICT))]
    for order, district_id in enumerate(districts):
        size = min(STATIONS_A_DISTRICT, count - order * STATIONS_A_DISTRICT)
        async with database.write() as connection:
            await areas.add_district(connection, district_id, name=f"第 {order} 区", now_ms=0)
            root = uuid4()
            towns = [uuid4() for _ in range(-(-size // STATIONS_A_TOWNSHIP))]
            rows = [_area(district_id, root, None, "district", "区")]
            rows += [_area(district_id, town, root, "township", f"镇{number}") for number, town in enumerate(towns)]
            villages = [uuid4() for _ in range(size)]
            rows += [
                _area(district_id, village, towns[number // STATIONS_A_TOWNSHIP], "village", f"村{number}")
                for number, village in enumerate(villages)
            ]
            await connection.execute(insert(area_table), rows)
            keys = [{"district_id": district_id, "station_id": number + 1} for number in range(size)]
            kept = {"name": "村", "kind": "village", "created_ms": 0, "enrolled_ms": 1}
            register = [{**key, **kept, "area_id": villages[number]} for number, key in enumerate(keys)]
            await connection.execute(insert(station_table), register)
            state = {"stream": "ab" * 16, "boot": "b" * 32, "mono_ms": 10**6, "wall_ms": _JUDGED_MS, "spool_last": 0}
            state |= {"received_ms": _JUDGED_MS, "first_received_ms": 1, "spool_stream": "ab" * 16}
            await connection.execute(insert(station_states), [{**key, **state, "heartbeat": heartbeat} for key in keys])
    return districts


def _area(district_id: int, area_id: UUID, parent: UUID | None, kind: str, name: str) -> dict[str, object]:
    words = {"name": name, "short": name, "pinyin": "", "initials": "", "sort": 0}
    return {"district_id": district_id, "area_id": area_id, "parent_id": parent, "kind": kind, **words}


async def _round(database: Database, districts: Sequence[int], now_ms: int) -> None:
    for district_id in districts:
        async with database.write() as connection:
            await service.judge(
                connection, district_id, period_s=PERIOD_S, grace_s=GRACE_S, ready_since_ms=0, now_ms=now_ms
            )
            await settle(connection, district_id, period_s=PERIOD_S, now_ms=now_ms)


async def bench_dark(count: int, limit_s: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite+aiosqlite:///{folder}/centre.db")
        await migrate(database)
        districts = await plant(database, count)
        await _round(database, districts, _JUDGED_MS + 15_000)
        began, worked = time.perf_counter(), time.process_time()
        await _round(database, districts, _JUDGED_MS + _SILENT_MS)
        marked = time.perf_counter()
        await _round(database, districts, _JUDGED_MS + _SILENT_MS + _HOLD_MS)
        done, cpu_s = time.perf_counter(), time.process_time() - worked
        async with database.read() as connection:
            told = [each for district in districts for each in await tickets.list_tickets(connection, district)]
        assert {each.rule for each in told} == {"collector_isolated"}
        assert len(told) == len(districts)
        await database.close()
    notes = {"limit": limit_s, "marked_s": round(marked - began, 3), "opened_s": round(done - marked, 3)}
    notes["cpu_s"] = round(cpu_s, 3)
    emit(f"faults.dark_{count}", done - began, "s", tickets=len(told), districts=len(districts), **notes)


_PLANT = (
    "INSERT INTO station_states (district_id, station_id, stream, boot, mono_ms, wall_ms, received_ms,"
    " first_received_ms, spool_stream, spool_last, heartbeat)"
    " SELECT 510000 + n % 120, n, CAST(:stream AS bytea), :boot, 1, CAST(:at AS bigint),"
    " CASE WHEN n % 100 < 6 THEN 1 ELSE CAST(:at AS bigint) END, 1, CAST(:stream AS bytea), 1, :heartbeat"
    " FROM generate_series(1, CAST(:count AS integer)) n"
)
_STAND = (
    "INSERT INTO stretches (district_id, station_id, from_ms, to_ms, presence, checked)"
    " SELECT 510000 + n % 120, n, 1, NULL, CASE WHEN n % 100 BETWEEN 1 AND 5 THEN 'down' ELSE 'up' END, true"
    " FROM generate_series(1, CAST(:count AS integer)) n"
)


async def _plant_states(url: str, count: int) -> None:
    """Newest states and time lines alone, written by the database itself and settled as autovacuum would."""
    database = Database(url)
    await migrate(database)
    values = {"stream": bytes(16), "boot": "b" * 32, "at": _JUDGED_MS, "heartbeat": make_heartbeat(_JUDGED_MS)}
    async with database.write() as connection:
        for table in ("station_states", "stretches"):
            key = f"fk_{table}_district_id_station_id"
            await connection.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT {key}"))
        await connection.execute(text(_PLANT), {**values, "count": count})
        await connection.execute(text(_STAND), {"count": count})
    await database.close()
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text("VACUUM ANALYZE station_states, stretches"))
        await connection.execute(text("CREATE EXTENSION pg_prewarm"))
        await connection.execute(text("SELECT pg_prewarm('station_states')"))
    await engine.dispose()


async def _time_overdue(url: str) -> list[float]:
    database, times = Database(url), list[float]()
    for _ in range(ROUNDS):
        began = time.perf_counter()
        async with database.read() as connection:
            found = await list_fallen_silent(connection, before_ms=_JUDGED_MS - _SILENT_MS)
        times.append(time.perf_counter() - began)
        assert found == {510_000 + each for each in range(0, 120, 20)}
    await database.close()
    return sorted(times)


def bench_overdue(count: int) -> None:
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    with start_postgres(options="-c shared_buffers=3GB") as server:
        url = server.create("overdue")
        asyncio.run(_plant_states(url, count))
        times = asyncio.run(_time_overdue(url))
        server.admin("ALTER SYSTEM SET max_parallel_workers_per_gather = 0")
        server.admin("SELECT pg_reload_conf()")
        alone = asyncio.run(_time_overdue(url))
    notes: dict[str, Any] = {
        "limit": 1,
        "rounds": [round(each, 3) for each in times],
        "one_core": round(alone[ROUNDS // 2], 3),
    }
    emit(f"faults.overdue_{count}", times[ROUNDS // 2], "s", **notes)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="judge,dark,overdue")
    wanted = set(parser.parse_args().only.split(","))
    os.sched_setaffinity(0, {1})
    if "judge" in wanted:
        bench_judge()
    if "dark" in wanted:
        asyncio.run(bench_dark(245, 0.1))
        asyncio.run(bench_dark(60_000, 5))
    if "overdue" in wanted:
        bench_overdue(600_000)


if __name__ == "__main__":
    main()
