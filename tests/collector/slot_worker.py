"""A process that does one job of the test: `python -m tests.collector.slot_worker DATABASE_URL`. Ends when killed.

Each slot is noted when it is begun and, a little later, when it is done; a slot done twice is one row.
"""

import asyncio
import os
import sys

from sqlalchemy import text

from collector.centre import Centre
from collector.db.engine import Database
from collector.job_runner import Job, JobRunner
from collector.settings import Settings
from shared.clock import SystemClock

LEASE_MS = 1500
WORK_S = 0.4


async def main(url: str) -> None:
    centre = Centre(Settings(database=url), Database(url), SystemClock())

    async def note(table: str, slot_ms: int) -> None:
        statement = f"INSERT INTO {table} VALUES (:slot, :pid) ON CONFLICT DO NOTHING"
        async with centre.database.write() as connection:
            await connection.execute(text(statement), {"slot": slot_ms, "pid": os.getpid()})

    async def work(slot_ms: int) -> None:
        await note("begun", slot_ms)
        await asyncio.sleep(WORK_S)
        await note("done", slot_ms)

    runner = JobRunner(centre, [Job("count", 1, work, catch_up=True)], lease_ms=LEASE_MS)
    runner.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
