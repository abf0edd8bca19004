"""Runs periodic work. APScheduler is a mere clock in every process; claims in the database decide who works.

A firing that finds nothing due costs one look, so every job is looked at each few seconds, however seldom it runs:
that is also the sweep for slots of a process that died.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from collector.centre import Centre
from collector.db import claims
from collector.db.claims import Turn

log = logging.getLogger("yuanjiao.jobs")

LEASE_MS = 120_000
SWEEP_S = 15
MAX_TRIES = 5
RETRY_MS = 60_000


class LeaseLostError(Exception):
    """Another process has taken this slot over; this one stops working on it."""


@dataclass(frozen=True, slots=True)
class Job:
    """`run` does the work of one slot and is safe to repeat; `every_s` seconds between slots.

    `run` gets the slot's beginning, epoch ms. With `catch_up` each slot is done, late if need be, and a failed one is
    tried again; without, a missed slot is covered by the present one. `own` work is done by every process, unclaimed.
    """

    name: str
    every_s: int
    run: Callable[[int], Awaitable[object]]
    catch_up: bool = False
    own: bool = False

    @property
    def every_ms(self) -> int:
        return self.every_s * 1000


class JobRunner:
    """One process's share of the periodic work."""

    def __init__(self, centre: Centre, jobs: Sequence[Job], *, lease_ms: int = LEASE_MS) -> None:
        self._centre = centre
        self._jobs = jobs
        self._lease_ms = lease_ms
        self._holder = uuid.uuid4().hex
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        self._working: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        options = {"max_instances": 1, "coalesce": True, "misfire_grace_time": None}
        for job in self._jobs:
            seconds = min(job.every_s, SWEEP_S)
            first = datetime.now(UTC)
            self._scheduler.add_job(self._fire, "interval", [job], seconds=seconds, next_run_time=first, **options)
        self._scheduler.start()

    async def stop(self) -> None:
        """Cancel what is running, hand its slots back, then return."""
        self._scheduler.shutdown(wait=False)
        tasks = list(self._working.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def run_round(self) -> None:
        """One slot of every job, in order: for whoever drives the clock by hand."""
        for job in self._jobs:
            await self.run_slot(job)

    async def run_slot(self, job: Job) -> bool:
        """Run what is due of a job unless another process has it. A job that raises is logged and comes again."""
        if job.own:
            await job.run(self._centre.now_ms)
            return True
        turn = await self._claim(job)
        if turn is None:
            return False
        try:
            await self._work(job, turn)
        except asyncio.CancelledError:
            await self._give_back(turn, wait_ms=-1)
            raise
        except BaseExceptionGroup as error:
            log.exception("job.failed job=%s attempt=%d", job.name, turn.attempt, exc_info=error)
            if job.catch_up and turn.attempt < MAX_TRIES:
                await self._give_back(turn, wait_ms=RETRY_MS)
                return True
        async with self._centre.database.write() as connection:
            await claims.finish(connection, turn)
        return True

    async def _fire(self, job: Job) -> None:
        """One firing of the clock. Returns at once: the work goes on in a task of its own, one a job."""
        if job.name not in self._working:
            task = self._working[job.name] = asyncio.create_task(self._drain(job), name=job.name)
            task.add_done_callback(lambda _: self._working.pop(job.name))

    async def _drain(self, job: Job) -> None:
        """The slot that is due and, where each counts, all that were missed."""
        try:
            while await self.run_slot(job) and job.catch_up:
                pass
        except Exception as error:  # noqa: BLE001 - the database is away or full: the next firing tries again
            log.warning("job.not_run job=%s error=%s: %s", job.name, type(error).__name__, error)

    async def _work(self, job: Job, turn: Turn) -> None:
        """The job, beside it the renewal of its lease. Whichever fails takes the other down."""
        async with asyncio.TaskGroup() as group:
            renewal = group.create_task(self._keep(turn))
            try:
                await job.run(turn.slot_ms)
            finally:
                renewal.cancel()

    async def _keep(self, turn: Turn) -> None:
        while True:
            await asyncio.sleep(self._lease_ms / 3000)
            async with self._centre.database.write() as connection:
                kept = await claims.renew(connection, turn, lease_ms=self._lease_ms, now_ms=self._centre.now_ms)
            if not kept:
                raise LeaseLostError(f"{turn.job} slot {turn.slot_ms}")

    async def _claim(self, job: Job) -> Turn | None:
        async with self._centre.database.write() as connection:
            return await claims.claim(
                connection,
                job.name,
                every_ms=job.every_ms,
                holder=self._holder,
                lease_ms=self._lease_ms,
                now_ms=self._centre.now_ms,
                catch_up=job.catch_up,
            )

    async def _give_back(self, turn: Turn, *, wait_ms: int) -> None:
        async with self._centre.database.write() as connection:
            await claims.give_back(connection, turn, not_before_ms=self._centre.now_ms + wait_ms)
