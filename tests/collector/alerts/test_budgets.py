"""What a destination, a person and a purse can bear; what goes beyond is summed up, never dropped."""

import asyncio
from dataclasses import replace

import pytest

from collector.alerts.budgets import PERSON, Level, block, full, next_ms, refill, take
from collector.alerts.channels.base import Budget, Problem, TemporaryError
from tests.collector.alerts.posts import Post, put, states
from tests.watching import BASE_URL, MINUTE_MS, Watch, watch

HOUR_MS = 60 * MINUTE_MS
ROBOT = Budget(most=3, every_ms=4_000)


def test_a_bucket_gives_what_it_holds_and_then_one_every_so_often() -> None:
    level: Level | None = full(ROBOT, 0)
    for _ in range(3):
        assert level is not None
        level = take(level)
    assert level is not None
    assert take(level) is None
    assert next_ms(level, ROBOT) == 4_000
    assert take(refill(level, ROBOT, 3_900)) is None
    assert take(refill(level, ROBOT, 4_000)) is not None
    assert refill(level, ROBOT, 10**9).tokens == 3


def test_a_clock_set_back_neither_fills_nor_locks_a_bucket() -> None:
    level = Level(1, at_ms=10**12)
    back = refill(level, ROBOT, 10**11)
    assert back == Level(1, 10**11)
    assert refill(back, ROBOT, 10**11 + 4_000).tokens == 2
    assert refill(block(level, 10**12 + 60_000), ROBOT, 10**11).blocked_until_ms == 0


def test_a_blocked_bucket_holds_nothing_until_its_time() -> None:
    blocked = block(full(ROBOT, 0), 600_000)
    assert refill(blocked, ROBOT, 599_999).tokens == 0
    assert next_ms(refill(blocked, ROBOT, 1_000), ROBOT) >= 600_000
    assert take(refill(refill(blocked, ROBOT, 300_000), ROBOT, 604_000)) is not None


def test_what_costs_more_than_a_bucket_holds_waits_until_it_is_full() -> None:
    assert next_ms(Level(0, 0), ROBOT, cost=100) == 12_000


async def _drain(district: Watch) -> None:
    while await district.send():
        pass


def test_over_the_budget_of_a_person_the_rest_is_one_message(database_url: str) -> None:
    async def story() -> tuple[list[str], str, list[tuple[str, str]]]:
        async with watch(database_url) as district:
            post = Post()
            district.channels = {"post": post.opened()}
            await put(district, 200)
            await _drain(district)
            return [each.subject for each in post.taken], post.taken[-1].body, await states(district)

    subjects, body, written = asyncio.run(story())
    single = PERSON.most - 1
    assert subjects[:single] == [f"第 {number} 条" for number in range(1, single + 1)]
    assert subjects[single:] == [f"{200 - single} 条消息汇总：第 {single + 1} 条 等"]
    lines = body.splitlines()
    assert lines[1] == f"1. 第 {single + 1} 条 {BASE_URL}/tickets/{single + 1}"
    assert lines[-1] == f"另有 {200 - single - 10} 条，全部工单：{BASE_URL}/tickets"
    assert written.count(("post", "folded")) == 200 - single
    assert written.count(("post", "sent")) == single + 1


def test_an_empty_budget_waits_for_its_next_token_and_then_sums_up(database_url: str) -> None:
    async def story() -> tuple[int, int, list[str]]:
        async with watch(database_url) as district:
            post = Post()
            district.channels = {"post": post.opened()}
            await put(district, PERSON.most)
            await _drain(district)
            await put(district, 4)
            early = await district.send()
            district.now_ms += PERSON.every_ms
            late = await district.send()
            return early, late, [each.subject for each in post.taken[PERSON.most :]]

    assert asyncio.run(story()) == (0, 1, ["4 条消息汇总：第 1 条 等"])


def test_critical_news_does_not_wait_for_a_persons_budget(database_url: str) -> None:
    async def story() -> list[str]:
        async with watch(database_url) as district:
            post = Post()
            district.channels = {"post": post.opened()}
            await put(district, PERSON.most)
            await _drain(district)
            await put(district, 2, wakes=True)
            await _drain(district)
            return [each.subject for each in post.taken[PERSON.most :]]

    assert asyncio.run(story()) == ["第 1 条", "第 2 条"]


def test_a_robot_gets_no_more_than_it_bears_however_many_people_are_called_upon(database_url: str) -> None:
    async def story() -> tuple[int, list[str]]:
        async with watch(database_url) as district:
            robot = Post()
            opened = robot.opened(budget=ROBOT, destination=lambda address: address.partition("@")[0])
            district.channels = {"robot": opened}
            for number in range(10):
                await put(district, ways=[("robot", f"宝轮镇@1380000000{number}")], wakes=True)
            await _drain(district)
            first = len(robot.taken)
            for _ in range(7):
                district.now_ms += ROBOT.every_ms
                await _drain(district)
            return first, [each.address[-1] for each in robot.taken]

    first, addresses = asyncio.run(story())
    assert first == ROBOT.most
    assert addresses == [str(number) for number in range(10)]


def test_a_robot_that_has_had_enough_is_left_alone_as_long_as_it_asks(database_url: str) -> None:
    async def story() -> tuple[int, int, int]:
        async with watch(database_url) as district:
            robot = Post(lambda: TemporaryError(Problem.BUSY, 130101, wait_s=600))
            district.channels = {"robot": robot.opened(budget=ROBOT)}
            await put(district, ways=[("robot", "宝轮镇")], wakes=True)
            await _drain(district)
            robot.problem = None
            await put(district, 2, ways=[("robot", "宝轮镇")], wakes=True)
            district.now_ms += 599_000
            early = await district.send()
            district.now_ms += 1_000 + ROBOT.every_ms * 3
            return early, await district.send(), len(robot.taken)

    assert asyncio.run(story()) == (0, 3, 3)


def test_a_message_the_purse_is_too_small_for_waits_for_the_next_day(database_url: str) -> None:
    async def story() -> tuple[int, int]:
        async with watch(database_url) as district:
            sms = Post()
            purse = Budget(most=6, every_ms=4 * HOUR_MS)
            district.channels = {"sms": sms.opened(bill=lambda _keys: purse, cost=lambda _keys, _message: 3)}
            for number in range(3):
                await put(district, ways=[("sms", f"1380000000{number}")], wakes=True)
            await _drain(district)
            first = len(sms.taken)
            district.now_ms += 12 * HOUR_MS
            await _drain(district)
            return first, len(sms.taken)

    assert asyncio.run(story()) == (2, 3)


def test_what_was_due_by_day_is_held_when_night_has_come(database_url: str) -> None:
    """A message put off by a failing channel, or by a clock that leapt, must not wake anybody either."""

    async def story() -> tuple[list[str], int, list[str]]:
        async with watch(database_url) as district:
            post = Post()
            district.channels = {"post": post.opened()}
            await put(district, 1)
            await put(district, 1, wakes=True)
            district.now_ms += 5 * HOUR_MS
            await _drain(district)
            woke = [each.subject for each in post.taken]
            district.now_ms += 7 * HOUR_MS
            night = await district.send()
            district.now_ms += HOUR_MS
            await _drain(district)
            return woke, night, [each.subject for each in post.taken]

    woke, night, taken = asyncio.run(story())
    assert len(woke) == 1
    assert night == 0
    assert len(taken) == 2


def test_a_digest_that_fails_for_good_goes_to_the_next_channel(database_url: str) -> None:
    async def story() -> tuple[list[str], list[tuple[str, str]]]:
        async with watch(database_url) as district:
            first, second = Post(), Post()
            district.channels = {"first": first.opened(waits_s=()), "second": second.opened()}
            ways = [("first", "a"), ("second", "b")]
            await put(district, PERSON.most, ways=ways)
            await _drain(district)
            first.problem = lambda: TemporaryError(Problem.UNREACHABLE)
            await put(district, 3, ways=ways)
            district.now_ms += PERSON.every_ms
            await _drain(district)
            return [each.subject for each in second.taken], (await states(district))[-2:]

    subjects, written = asyncio.run(story())
    assert subjects == ["3 条消息汇总：第 1 条 等"]
    assert written == [("first", "moved"), ("second", "sent")]


@pytest.mark.parametrize("count", [2, 50])
def test_however_often_it_is_asked_nothing_is_lost(database_url: str, count: int) -> None:
    async def story() -> tuple[set[str], int]:
        async with watch(database_url) as district:
            post = Post()
            district.channels = {"post": post.opened(budget=replace(ROBOT, every_ms=60_000))}
            await put(district, count)
            for _ in range(60):
                await asyncio.gather(district.send(), district.send())
                district.now_ms += MINUTE_MS
            told = {state for _, state in await states(district)}
            numbers = [number for each in post.taken for number in each.data.get("messages", [each.message_id])]
            return told, len(set(numbers))

    told, reached = asyncio.run(story())
    assert told <= {"sent", "folded"}
    assert reached == count
