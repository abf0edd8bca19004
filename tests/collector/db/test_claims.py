"""Slots of a job: handed out once, taken over from the dead, caught up where each counts."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from collector.db import claims, presence
from collector.db.claims import Turn
from collector.db.engine import Database

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
START_MS = 1_788_000_000_000 - 1_788_000_000_000 % HOUR_MS
LEASE_MS = 20_000

Story = Callable[["Board"], Awaitable[None]]


@dataclass(slots=True)
class Board:
    """One job with a slot a minute, asked for by anybody."""

    database: Database
    now_ms: int = START_MS

    async def claim(self, holder: str, *, catch_up: bool = False) -> Turn | None:
        async with self.database.write() as connection:
            return await claims.claim(
                connection,
                "job",
                every_ms=MINUTE_MS,
                holder=holder,
                lease_ms=LEASE_MS,
                now_ms=self.now_ms,
                catch_up=catch_up,
            )

    async def require(self, holder: str, *, catch_up: bool = False) -> Turn:
        turn = await self.claim(holder, catch_up=catch_up)
        assert turn is not None
        return turn

    async def finish(self, turn: Turn) -> bool:
        async with self.database.write() as connection:
            return await claims.finish(connection, turn)

    async def renew(self, turn: Turn) -> bool:
        async with self.database.write() as connection:
            return await claims.renew(connection, turn, lease_ms=LEASE_MS, now_ms=self.now_ms)


@pytest.fixture
def tell(database_url: str) -> Callable[[Story], None]:
    """Runs a story on both databases."""

    def run(story: Story) -> None:
        async def play() -> None:
            database = Database(database_url)
            await story(Board(database))
            await database.close()

        asyncio.run(play())

    return run


Tell = Callable[[Story], None]


def test_a_slot_is_given_once(tell: Tell) -> None:
    async def story(board: Board) -> None:
        first = await board.require("a")
        assert first == Turn("job", START_MS, "a", 1)
        assert await board.claim("b") is None
        assert await board.finish(first)
        assert await board.claim("b") is None
        board.now_ms += MINUTE_MS
        assert (await board.require("b")).slot_ms == START_MS + MINUTE_MS

    tell(story)


def test_of_many_who_ask_at_once_one_gets_the_slot(postgres_url: str) -> None:
    async def story() -> list[Turn | None]:
        board = Board(Database(postgres_url))
        turns = await asyncio.gather(*(board.claim(str(number)) for number in range(15)))
        await board.database.close()
        return turns

    assert sum(turn is not None for turn in asyncio.run(story())) == 1


def test_a_slot_whose_holder_died_goes_to_another_and_the_dead_cannot_finish_it(tell: Tell) -> None:
    async def story(board: Board) -> None:
        dead = await board.require("a")
        board.now_ms += LEASE_MS
        assert await board.claim("b") is None
        board.now_ms += 1
        heir = await board.require("b")
        assert heir == Turn("job", START_MS, "b", 2)
        assert not await board.finish(dead)
        assert not await board.renew(dead)
        assert await board.finish(heir)

    tell(story)


def test_a_holder_that_renews_keeps_its_slot(tell: Tell) -> None:
    async def story(board: Board) -> None:
        turn = await board.require("a")
        for _ in range(5):
            board.now_ms += LEASE_MS - 1
            assert await board.renew(turn)
            assert await board.claim("b") is None
        assert await board.finish(turn)

    tell(story)


def test_a_finished_slot_cannot_be_renewed_or_finished_again(tell: Tell) -> None:
    async def story(board: Board) -> None:
        turn = await board.require("a")
        assert await board.finish(turn)
        assert not await board.renew(turn)
        assert not await board.finish(turn)

    tell(story)


def test_missed_slots_are_skipped_unless_each_counts(tell: Tell) -> None:
    async def story(board: Board) -> None:
        await board.finish(await board.require("a"))
        board.now_ms += 3 * MINUTE_MS
        caught_up = [await board.require("a", catch_up=True)]
        await board.finish(caught_up[-1])
        caught_up.append(await board.require("b", catch_up=True))
        await board.finish(caught_up[-1])
        assert [each.slot_ms for each in caught_up] == [START_MS + MINUTE_MS, START_MS + 2 * MINUTE_MS]
        assert (await board.require("c")).slot_ms == START_MS + 3 * MINUTE_MS

    tell(story)


def test_a_crashed_slot_that_counts_is_done_before_later_ones(tell: Tell) -> None:
    async def story(board: Board) -> None:
        await board.require("a", catch_up=True)
        board.now_ms += 2 * MINUTE_MS
        assert await board.require("b", catch_up=True) == Turn("job", START_MS, "b", 2)

    tell(story)


def test_a_crashed_slot_that_does_not_count_is_covered_by_the_present_one(tell: Tell) -> None:
    async def story(board: Board) -> None:
        await board.require("a")
        board.now_ms += 2 * MINUTE_MS
        assert await board.require("b") == Turn("job", START_MS + 2 * MINUTE_MS, "b", 1)

    tell(story)


def test_a_slot_handed_back_waits_for_its_moment(tell: Tell) -> None:
    async def story(board: Board) -> None:
        turn = await board.require("a", catch_up=True)
        async with board.database.write() as connection:
            assert await claims.give_back(connection, turn, not_before_ms=board.now_ms + 5_000)
        assert await board.claim("b", catch_up=True) is None
        board.now_ms += 5_001
        assert await board.require("b", catch_up=True) == Turn("job", START_MS, "b", 2)

    tell(story)


def test_a_clock_put_right_does_not_stop_a_job_for_years(tell: Tell) -> None:
    async def story(board: Board) -> None:
        board.now_ms += 365 * 24 * HOUR_MS
        await board.finish(await board.require("a"))
        board.now_ms = START_MS
        assert (await board.require("a")).slot_ms == START_MS

    tell(story)


def test_whoever_took_a_slot_under_a_wrong_clock_cannot_finish_it_for_its_heir(tell: Tell) -> None:
    async def story(board: Board) -> None:
        odd = await board.require("a")
        async with board.database.write() as connection:
            await connection.execute(claims.job_runs.update().values(lease_until_ms=START_MS + 365 * 24 * HOUR_MS))
        heir = await board.require("b")
        assert (heir.slot_ms, heir.attempt) == (odd.slot_ms, odd.attempt)
        assert not await board.finish(odd)
        assert await board.finish(heir)

    tell(story)


def test_clocks_a_little_apart_do_not_run_a_slot_twice(tell: Tell) -> None:
    async def story(board: Board) -> None:
        board.now_ms += MINUTE_MS
        await board.finish(await board.require("ahead"))
        board.now_ms -= 5_000
        assert await board.claim("behind") is None

    tell(story)


def test_a_part_is_served_since_its_first_word_until_nobody_speaks(tell: Tell) -> None:
    async def story(board: Board) -> None:
        async def speak() -> None:
            async with board.database.write() as connection:
                await presence.attend(connection, "intake", lease_ms=LEASE_MS, now_ms=board.now_ms)

        async def since() -> int | None:
            async with board.database.read() as connection:
                return await presence.served_since(connection, "intake", now_ms=board.now_ms)

        assert await since() is None
        await speak()
        board.now_ms += 15_000
        await speak()
        assert await since() == START_MS
        board.now_ms += LEASE_MS + 1
        assert await since() is None
        await speak()
        assert await since() == board.now_ms

    tell(story)
