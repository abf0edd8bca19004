"""The runner of periodic work: failures, renewals, shutdown."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from collector.centre import Centre
from collector.db.claims import job_runs
from collector.db.engine import Database
from collector.job_runner import MAX_TRIES, RETRY_MS, Job, JobRunner
from collector.settings import Settings
from shared.clock import SystemClock
from tests.clocks import ManualClock

Story = Callable[[Centre], Awaitable[None]]


def play(url: str, story: Story, clock: ManualClock | None = None) -> None:
    async def run() -> None:
        database = Database(url)
        await story(Centre(Settings(database=url), database, clock or SystemClock()))
        await database.close()

    asyncio.run(run())


async def read_row(centre: Centre) -> tuple[int, int | None]:
    """Attempt and lease of the only job."""
    async with centre.database.read() as connection:
        row = (await connection.execute(job_runs.select())).one()
    return row.attempt, row.lease_until_ms


def test_a_job_that_raises_is_logged_and_comes_again_in_the_next_slot(
    sqlite_url: str, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    slots: list[int] = []

    async def fail(slot_ms: int) -> None:
        slots.append(slot_ms)
        raise ValueError("broken")

    async def story(centre: Centre) -> None:
        runner = JobRunner(centre, [Job("job", 60, fail)])
        await runner.run_round()
        await runner.run_round()
        clock.advance(seconds=60)
        await runner.run_round()

    play(sqlite_url, story, clock)
    assert len(slots) == 2
    assert slots[1] - slots[0] == 60_000
    assert "job.failed job=job" in caplog.text


def test_a_slot_that_counts_is_tried_again_and_given_up_in_the_end(sqlite_url: str, clock: ManualClock) -> None:
    slots: list[int] = []

    async def fail(slot_ms: int) -> None:
        slots.append(slot_ms)
        raise ValueError("broken")

    async def story(centre: Centre) -> None:
        runner = JobRunner(centre, [Job("job", 3600, fail, catch_up=True)])
        for _ in range(MAX_TRIES + 2):
            await runner.run_round()
            clock.advance(seconds=RETRY_MS / 1000 + 1)
        assert await read_row(centre) == (MAX_TRIES, None)

    play(sqlite_url, story, clock)
    assert len(slots) == MAX_TRIES
    assert len(set(slots)) == 1


def test_a_long_job_keeps_its_lease(postgres_url: str) -> None:
    async def story(centre: Centre) -> None:
        began = asyncio.Event()

        async def work(_slot_ms: int) -> None:
            began.set()
            await asyncio.sleep(1.2)

        job = Job("job", 3600, work)
        first = asyncio.create_task(JobRunner(centre, [job], lease_ms=300).run_slot(job))
        await began.wait()
        other = JobRunner(centre, [job], lease_ms=300)
        stolen = []
        while not first.done():
            stolen.append(await other.run_slot(job))
            await asyncio.sleep(0.1)
        assert await first
        assert len(stolen) > 5
        assert not any(stolen)
        assert await read_row(centre) == (1, None)

    play(postgres_url, story)


def test_a_holder_that_lost_its_slot_stops_working_and_leaves_the_row_alone(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(centre: Centre) -> None:
        finished = asyncio.Event()

        async def work(_slot_ms: int) -> None:
            async with centre.database.write() as connection:
                await connection.execute(job_runs.update().values(holder="another", attempt=2))
            await asyncio.sleep(10)
            finished.set()

        runner = JobRunner(centre, [Job("job", 3600, work)], lease_ms=300)
        await asyncio.wait_for(runner.run_round(), 5)
        assert not finished.is_set()
        attempt, lease_until_ms = await read_row(centre)
        assert attempt == 2
        assert lease_until_ms is not None

    play(postgres_url, story)
    assert "LeaseLostError" in caplog.text


def test_a_stopped_runner_hands_its_slots_back_at_once(sqlite_url: str) -> None:
    async def story(centre: Centre) -> None:
        began = asyncio.Event()

        async def work(_slot_ms: int) -> None:
            began.set()
            await asyncio.sleep(60)

        runner = JobRunner(centre, [Job("job", 3600, work, catch_up=True)])
        runner.start()
        await asyncio.wait_for(began.wait(), 5)
        await runner.stop()
        done: list[int] = []

        async def note(slot_ms: int) -> None:
            done.append(slot_ms)

        await JobRunner(centre, [Job("job", 3600, note, catch_up=True)]).run_round()
        assert len(done) == 1
        assert await read_row(centre) == (2, None)

    play(sqlite_url, story)


def test_work_of_every_process_is_claimed_by_none(sqlite_url: str, clock: ManualClock) -> None:
    rounds: list[int] = []

    async def story(centre: Centre) -> None:
        async def work(now_ms: int) -> None:
            rounds.append(now_ms)

        for _ in range(2):
            await JobRunner(centre, [Job("job", 3600, work, own=True)]).run_round()
        async with centre.database.read() as connection:
            assert (await connection.execute(job_runs.select())).all() == []

    play(sqlite_url, story, clock)
    assert len(rounds) == 2
