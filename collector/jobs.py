"""Periodic work, as one ordered list. The database hands each slot of a job to one process (`collector.db.claims`)."""

import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from collector.alerts import service as alerts
from collector.alerts.channels.base import Keys
from collector.areas import queries as areas
from collector.centre import Centre
from collector.db import claims
from collector.faults import service as faults
from collector.intake.writer import Writer
from collector.people import queries as people
from collector.tickets import settling as tickets
from collector.usage import service as usage

log = logging.getLogger("yuanjiao.jobs")

LEASE_MS = 120_000


@dataclass(frozen=True, slots=True)
class Job:
    """`run` does the work of one slot and is safe to repeat; `every_s` seconds between slots."""

    name: str
    every_s: int
    run: Callable[[], Awaitable[object]]


def list_jobs(centre: Centre, writer: Writer) -> list[Job]:
    """All periodic work, in the order of the pipeline."""
    settings = centre.settings
    return [
        Job("usage.fold", settings.fold_every_s, lambda: fold_usage(centre)),
        Job("faults.judge", settings.judge_every_s, lambda: judge_faults(centre, writer)),
        Job("alerts.send", 2, lambda: send_alerts(centre)),
        Job("people.tidy", 3600, lambda: tidy_people(centre)),
    ]


async def fold_usage(centre: Centre) -> None:
    """Turn new events into playbacks, stock, sessions and daily figures."""
    await usage.fold(centre.database, zone=centre.settings.zone, now_ms=centre.now_ms)


async def judge_faults(centre: Centre, writer: Writer) -> None:
    """Find faults, bring tickets into line and write the messages about it: one transaction a district."""
    settings = centre.settings
    channels = alerts.open_channels(_keys(centre))
    async with centre.database.read() as connection:
        districts = await areas.list_districts(connection)
    for each in districts:
        now_ms = centre.now_ms
        async with centre.database.write() as connection:
            await faults.judge(
                connection,
                each.district_id,
                period_s=settings.heartbeat_s,
                grace_s=settings.grace_s,
                ready_since_ms=writer.ready_since_ms,
                now_ms=now_ms,
                patience=settings.patience,
            )
            await tickets.settle(connection, each.district_id, period_s=settings.heartbeat_s, now_ms=now_ms)
            await alerts.tell(
                connection,
                each.district_id,
                channels=channels,
                public_url=settings.public_url,
                now_ms=now_ms,
                zone=settings.zone,
            )


async def send_alerts(centre: Centre) -> None:
    """Send what is due, district by district, until nothing is."""
    channels = alerts.open_channels(_keys(centre))
    async with centre.database.read() as connection:
        districts = await areas.list_districts(connection)
    for each in districts:
        while await alerts.send(centre.database, each.district_id, channels=channels, now_ms=centre.now_ms):
            pass


async def tidy_people(centre: Centre) -> None:
    """Forget sign-in sessions and links that are over."""
    async with centre.database.write() as connection:
        await people.end_sessions_before(connection, centre.now_ms)


class JobRunner:
    """APScheduler as a mere clock; what runs is decided by claims in the database."""

    def __init__(self, centre: Centre, writer: Writer) -> None:
        self._centre = centre
        self._jobs = list_jobs(centre, writer)
        self._holder = uuid.uuid4().hex
        self._scheduler = AsyncIOScheduler(timezone="UTC")

    def start(self) -> None:
        options = {"max_instances": 1, "coalesce": True, "misfire_grace_time": 60}
        for job in self._jobs:
            self._scheduler.add_job(self.run_slot, "interval", [job], seconds=job.every_s, **options)
        self._scheduler.start()

    def stop(self) -> None:
        self._scheduler.shutdown(wait=False)

    async def run_round(self) -> None:
        """One slot of every job, in order: for whoever drives the clock by hand."""
        for job in self._jobs:
            await self.run_slot(job)

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
            await job.run()
        except Exception:
            log.exception("job.failed job=%s", job.name)
        finally:
            async with self._centre.database.write() as connection:
                await claims.finish(connection, job=job.name, slot_ms=slot_ms, holder=self._holder)
        return True


def _keys(centre: Centre) -> Keys:
    return Keys(mail_url=centre.settings.mail_url, webhook_secret=centre.settings.webhook_secret)
