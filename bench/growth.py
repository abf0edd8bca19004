"""Intake as the event log grows: pushes a second with so many events stored before.

The `ratio` is to the smallest log. Machines are noisy, so all sizes take turns, round by round, and the medians count.
A past of twelve months is loaded by the database itself. Usage:
`python -m bench.growth [--rows 0,10000000,50000000] [--pushes 5000] [--only sqlite]`.
"""

import argparse
import asyncio
import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from nacl.signing import SigningKey
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from bench.intake import STATIONS, build_queues, measure, plant_stations
from bench.report import emit
from collector.db.engine import Database
from collector.db.sqlite_file import sqlite_path
from collector.storage import queries as storage
from shared.months import previous_month
from tests.districts import LIZHOU
from tests.postgres import start_postgres

NEWEST = 202609
ROUNDS = 5
STREAM = bytes(range(16))
LINE = b'{"seq":1,"kind":"playback.progress","at":1780000000000,"boot":"' + b"b" * 32 + b'","mono":1,"data":{"title":"'
LINE += "油橄榄丰产栽培 第1讲".encode() * 6 + b'"}}'


def list_months() -> list[int]:
    """The twelve months the past lies in, oldest first."""
    months = [NEWEST]
    while len(months) < 12:
        months.append(previous_month(months[-1]))
    return months[::-1]


async def _load_postgres(url: str, rows: int) -> None:
    """A month a transaction, each into its own partition."""
    database = Database(url)
    each = rows // STATIONS
    for order, month in enumerate(list_months()):
        async with database.write() as connection:
            await storage.add_month(connection, month)
            await connection.execute(
                text(
                    f"INSERT INTO events SELECT {LIZHOU}, station, :stream, seq, {month}, 'playback.progress',"  # noqa: S608 - our own numbers
                    f" 1780000000000, 1780000000000, {month}, false, 1780000000000, :line, NULL"
                    f" FROM generate_series(1, {STATIONS}) station,"
                    f" generate_series({each * order // 12 + 1}, {each * (order + 1) // 12}) seq"
                ),
                {"stream": STREAM, "line": LINE},
            )
    await database.close()
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        # What the load leaves to be done must not be done while intake is measured.
        await connection.execute(text("VACUUM (FREEZE, ANALYZE) events"))
        await connection.execute(text("CHECKPOINT"))
    await engine.dispose()


def _load_sqlite(path: Path, rows: int) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-400000")
        months = ",".join(f"({order},{month})" for order, month in enumerate(list_months()))
        connection.execute(
            f"WITH RECURSIVE s(station) AS (SELECT 1 UNION ALL SELECT station + 1 FROM s WHERE station < {STATIONS}),"  # noqa: S608 - our own numbers
            f" n(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < {rows // STATIONS}),"
            f" m(place, month) AS (VALUES {months})"
            " INSERT INTO events SELECT ?, station, ?, seq, month, 'playback.progress', 1780000000000, 1780000000000,"
            " month, 0, 1780000000000, ?, NULL"
            f" FROM s CROSS JOIN n JOIN m ON place = (seq - 1) * 12 / {max(1, rows // STATIONS)}",
            (LIZHOU, STREAM, LINE),
        )
        connection.commit()


@dataclass(frozen=True, slots=True)
class Log:
    """A database with so many events, and the rounds of pushes that are yet to come."""

    url: str
    rows: int
    rounds: list[list[list[bytes]]]
    rates: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)

    def take_round(self) -> None:
        outcome, cpu_us, _ = measure("centre", self.url, self.rounds.pop(0))
        assert outcome.bad == 0
        self.rates.append(outcome.rate)
        self.cpu_us.append(cpu_us)


def _prepare(url: str, rows: int, pushes: int) -> Log:
    """Stations, their past, and their next pushes cut into rounds; each station's stay in order."""
    key = SigningKey.generate()
    asyncio.run(plant_stations(url, key))
    path = sqlite_path(url)
    if path is None:
        asyncio.run(_load_postgres(url, rows))
    elif rows:
        _load_sqlite(path, rows)
    queues = build_queues(key, pushes * ROUNDS, 5)
    cuts = [[len(queue) * place // ROUNDS for place in range(ROUNDS + 1)] for queue in queues]
    return Log(
        url,
        rows,
        [
            [queue[cut[place] : cut[place + 1]] for queue, cut in zip(queues, cuts, strict=True)]
            for place in range(ROUNDS)
        ],
    )


def _bench(name: str, logs: Sequence[Log]) -> None:
    for _ in range(ROUNDS):
        for log in logs:
            log.take_round()
    rate, cpu_us = median(logs[0].rates), median(logs[0].cpu_us)
    for log in logs:
        ratio, dearer = median(log.rates) / rate, median(log.cpu_us) / cpu_us
        notes = {"rows": log.rows, "rates": [round(each) for each in log.rates], "limit": 0.8}
        notes |= {"server_cpu_us": round(median(log.cpu_us)), "cpu_ratio": round(dearer, 3)}
        emit(f"growth.{name}", median(log.rates), "pushes/s", ratio=ratio, **notes)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", default="0,10000000,50000000", help="events stored before, separated by commas")
    parser.add_argument("--pushes", type=int, default=5_000, help="a round")
    parser.add_argument("--only", choices=("sqlite", "postgres"))
    options = parser.parse_args()
    os.sched_setaffinity(0, {1})
    sizes = sorted(int(each) for each in options.rows.split(","))
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        urls = {}
        if options.only != "postgres":
            urls["sqlite"] = {rows: f"sqlite+aiosqlite:///{folder}/growth{rows}.db" for rows in sizes}
        if options.only != "sqlite":
            server = stack.enter_context(start_postgres())
            urls["postgres"] = {rows: server.create(f"growth{rows}") for rows in sizes}
        for name, by_size in urls.items():
            _bench(name, [_prepare(url, rows, options.pushes) for rows, url in by_size.items()])


if __name__ == "__main__":
    main()
