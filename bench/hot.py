"""What a heartbeat costs PostgreSQL: the share of updates that touch no index (HOT), and bytes of WAL.

Signed heartbeats of real size go through the real server, round after round over the same stations; the first rounds,
which write whole pages after the checkpoint, are not counted. Usage: `python -m bench.hot [--rounds 40]`.
"""

import argparse
import asyncio
import os
from typing import Any

from nacl.signing import SigningKey
from sqlalchemy import text

from bench.intake import STATIONS, build_queues, measure, plant_stations
from bench.report import emit
from collector.db.engine import Database
from tests.postgres import start_postgres

TABLES = ("station_states", "streams")


async def _ask(url: str, query: str) -> Any:
    """The first row of the answer."""
    database = Database(url)
    async with database.read() as connection:
        row = (await connection.execute(text(query))).first()
    await database.close()
    return row


def _counts(url: str, table: str) -> tuple[int, int]:
    """Updates, and how many of them touched no index. Waits until the server has told."""
    asyncio.run(_ask(url, "SELECT pg_stat_force_next_flush()"))
    counts = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables"
    row = asyncio.run(_ask(url, f"{counts} WHERE relname = '{table}'"))
    return int(row[0]), int(row[1])


def _wal(url: str) -> int:
    """Bytes of WAL written since the beginning."""
    return int(asyncio.run(_ask(url, "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"))[0])


def _bench(name: str, url: str, *, rounds: int, events: int) -> None:
    key = SigningKey.generate()
    asyncio.run(plant_stations(url, key))
    first, *rest = _rounds(key, rounds, events)
    measure("centre", url, first)
    before, wal = {table: _counts(url, table) for table in TABLES}, _wal(url)
    pushes = 0
    for queues in rest:
        outcome, _, _ = measure("centre", url, queues)
        assert outcome.bad == 0
        pushes += sum(map(len, queues))
    wal = _wal(url) - wal
    for table in TABLES:
        updates, hot = (new - old for new, old in zip(_counts(url, table), before[table], strict=True))
        share = hot / updates if updates else 1.0
        emit(f"hot.{name}.{table}", share, "of updates are HOT", ratio=share, updates=updates, limit=0.95)
    emit(f"hot.{name}.wal", wal / pushes, "B of WAL a push", pushes=pushes)


def _rounds(key: SigningKey, rounds: int, events: int) -> list[list[list[bytes]]]:
    """All pushes, cut into a part to warm up with and the rest, each station's in order."""
    queues = build_queues(key, rounds * STATIONS, events)
    cuts = [len(queue) // 4 for queue in queues]
    return [
        [queue[:cut] for queue, cut in zip(queues, cuts, strict=True)],
        [queue[cut:] for queue, cut in zip(queues, cuts, strict=True)],
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    os.sched_setaffinity(0, {1})
    with start_postgres() as server:
        _bench("heartbeat", server.create("hot_heartbeat"), rounds=options.rounds, events=0)
        _bench("push", server.create("hot_push"), rounds=options.rounds, events=5)


if __name__ == "__main__":
    main()
