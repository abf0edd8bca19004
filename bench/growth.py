"""Intake as the event log grows: pushes a second with so many events stored before.

The `ratio` is to the smallest log in the same round: machines are noisy, so all sizes take turns and the medians
count. A past of twelve months is loaded by the database itself. Fifty million events take minutes and 20 GB: a
`--folder` keeps them for the next run, and `--load` only loads. Usage:
`python -m bench.growth [--rows 0,10000000,50000000] [--pushes 5000] [--only sqlite] [--folder kept [--load]]`.
"""

import argparse
import asyncio
import contextlib
import hashlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

from nacl.signing import SigningKey
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from bench.intake import STATIONS, build_queues, cut_rounds, plant_stations, serve_centre, take_turn
from bench.report import emit
from collector.db.engine import Database
from collector.db.sqlite_file import sqlite_path
from collector.storage import queries as storage
from shared.months import previous_month
from tests.districts import LIZHOU
from tests.postgres import PostgresServer, start_postgres

NEWEST = 202609
ROUNDS = 7
KEY = SigningKey(hashlib.sha256(b"stations of a growing log").digest())
"""All stations' key, the same in every run, so that a kept database knows them."""
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
        connection.execute("PRAGMA journal_mode=OFF")  # a journal would be as large as what is loaded
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
        connection.execute("PRAGMA journal_mode=WAL")


def _load(url: str, rows: int) -> None:
    """Stations and their past."""
    asyncio.run(plant_stations(url, KEY))
    path = sqlite_path(url)
    if path is None:
        asyncio.run(_load_postgres(url, rows))
    elif rows:
        _load_sqlite(path, rows)


async def _forget_states(url: str) -> None:
    """Let the stations be heard as if for the first time: the pushes of an earlier run count the same uptime."""
    database = Database(url)
    async with database.write() as connection:
        for table in ("station_states", "boots"):
            await connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - our own names
    await database.close()


def _bench(name: str, logs: Mapping[int, str], *, pushes: int, events: int) -> None:
    """The first round only warms. Every other goes from the largest to the smallest, so that neither always follows."""
    for url in logs.values():
        asyncio.run(_forget_states(url))
    rounds = cut_rounds(build_queues(KEY, pushes * (ROUNDS + 1), events), ROUNDS + 1)
    with contextlib.ExitStack() as stack:
        servers = {rows: stack.enter_context(serve_centre("centre", url)) for rows, url in logs.items()}
        turns = [
            {rows: take_turn(servers[rows], queues) for rows in sorted(servers, reverse=bool(order % 2))}
            for order, queues in enumerate(rounds)
        ][1:]
    smallest = min(logs)
    for rows in logs:
        assert not any(turn[rows].outcome.bad for turn in turns)
        rates = [turn[rows].outcome.rate for turn in turns]
        ratio = median(turn[rows].outcome.rate / turn[smallest].outcome.rate for turn in turns)
        dearer = median(turn[rows].cpu_us / turn[smallest].cpu_us for turn in turns)
        notes = {"rows": rows, "limit": 0.8, "rates": [round(each) for each in rates]}
        notes |= {"server_cpu_us": round(median(turn[rows].cpu_us for turn in turns)), "cpu_ratio": round(dearer, 3)}
        emit(f"growth.{name}", median(rates), "pushes/s", ratio=ratio, **notes)


@contextlib.contextmanager
def _open_folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _open_sqlite(folder: Path, sizes: Sequence[int]) -> dict[int, str]:
    """Where the databases are; those that are missing are loaded under another name first."""
    for rows in sizes:
        path, part = folder / f"growth{rows}.db", folder / f"growth{rows}.part"
        if not path.exists():
            part.unlink(missing_ok=True)
            _load(f"sqlite+aiosqlite:///{part}", rows)
            part.rename(path)
    return {rows: f"sqlite+aiosqlite:///{folder}/growth{rows}.db" for rows in sizes}


def _open_postgres(server: PostgresServer, sizes: Sequence[int]) -> dict[int, str]:
    """As above."""
    there = server.admin("SELECT datname FROM pg_database").split()
    for rows in sizes:
        if f"growth{rows}" not in there:
            server.admin("DROP DATABASE IF EXISTS part")
            _load(server.create("part"), rows)
            server.admin(f"ALTER DATABASE part RENAME TO growth{rows}")
    return {rows: f"{server.base}/growth{rows}" for rows in sizes}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", default="0,10000000,50000000", help="events stored before, separated by commas")
    parser.add_argument("--pushes", type=int, default=5_000, help="a round")
    parser.add_argument("--only", choices=("sqlite", "postgres"))
    parser.add_argument("--folder", type=Path, help="where loaded databases are kept")
    parser.add_argument("--load", action="store_true", help="load, measure nothing")
    options = parser.parse_args()
    os.sched_setaffinity(0, {1})
    sizes = sorted(int(each) for each in options.rows.split(","))
    with _open_folder(options.folder) as folder, contextlib.ExitStack() as stack:
        logs = {}
        if options.only != "postgres":
            logs["sqlite"] = _open_sqlite(folder, sizes)
        if options.only != "sqlite":
            server = stack.enter_context(start_postgres(folder / "postgres" if options.folder else None))
            logs["postgres"] = _open_postgres(server, sizes)
        if options.load:
            return
        for name, by_size in logs.items():
            for suffix, events in (("", 5), ("_heartbeat", 0)):
                _bench(f"{name}{suffix}", by_size, pushes=options.pushes, events=events)


if __name__ == "__main__":
    main()
