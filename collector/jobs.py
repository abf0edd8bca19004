"""Periodic work, as one ordered list. The database hands each slot of a job to one process (`collector.db.claims`)."""

import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from collector.centre import Centre
from collector.db import claims
from collector.usage import service as usage

log = logging.getLogger("yuanjiao.jobs")

LEASE_MS = 120_000


@dataclass(frozen=True, slots=True)
class Job:
    """`run` does the work of one slot and is safe to repeat; `every_s` seconds between slots."""

    name: str
    every_s: int
    run: Callable[[Centre], Awaitable[object]]


def list_jobs(centre: Centre) -> list[Job]:
    """All periodic work, in the order of the pipeline."""
    settings = centre.settings
    return [
        Job("usage.fold", settings.fold_every_s, fold_usage),
    ]


async def fold_usage(centre: Centre) -> int:
    """Turn new events into playbacks, stock, sessions and daily figures."""
    return await usage.fold(centre.database, zone=centre.settings.zone, now_ms=centre.now_ms)


class JobRunner:
    """APScheduler as a mere clock; what runs is decided by claims in the database."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        self._holder = uuid.uuid4().hex
        self._scheduler = AsyncIOScheduler(timezone="UTC")

    def start(self) -> None:
        for job in list_jobs(self._centre):
            self._scheduler.add_job(
                self.run_slot,
                "interval",
                [job],
                seconds=job.every_s,
                max_instances=1,
                coalesce=True,
                misfire_grace_time=60,
            )
        self._scheduler.start()

    def stop(self) -> None:
        self._scheduler.shutdown(wait=False)

    async def run_slot(self, job: Job) -> bool:
        """Run the present slot of a job unless another process has it. A job that raises is logged and comes again."""
        now_ms = self._centre.now_ms
        slot_ms = now_ms - now_ms % (job.every_s * 1000)
        async with self._centre.database.write() as connection:
            mine = await claims.claim(
                connection, job=job.name, slot_ms=slot_ms, holder=self._holder, lease_ms=LEASE_MS, now_ms=now_ms
            )
        if not mine:
            return False
        try:
            await job.run(self._centre)
        except Exception:
            log.exception("job.failed job=%s", job.name)
        finally:
            async with self._centre.database.write() as connection:
                await claims.finish(connection, job=job.name, slot_ms=slot_ms, holder=self._holder)
        return True
