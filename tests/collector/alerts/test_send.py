"""Leases, retries, giving up and falling back, on both databases, with channels that do as they are told."""

import asyncio
import json
from dataclasses import replace

import pytest
from sqlalchemy import update

from collector.alerts import queries, sending, service
from collector.alerts.channels.base import (
    DeliveryError,
    Message,
    PermanentError,
    Problem,
    Receipt,
    TemporaryError,
    deliver,
)
from collector.alerts.queries import Due
from collector.keys import Keys
from collector.people.models import people
from tests.collector.alerts.posts import Post, put, states
from tests.watching import MINUTE_MS, Watch, watch

FULL = {"host": {"disk_free": 1, "disk_total": 100}}
WAITS_S = [0, 30, 120, 600, 1800, 7200]


async def _one_message(district: Watch, post: Post) -> None:
    district.channels = {"post": post.opened()}
    await put(district)


async def _claim(district: Watch, *, lease_ms: int = sending.LEASE_MS) -> list[Due]:
    async with district.database.write() as connection:
        return await queries.claim(
            connection, district.district.district_id, limit=9, lease_ms=lease_ms, now_ms=district.now_ms
        )


def test_a_message_is_sent_once(database_url: str) -> None:
    async def story() -> tuple[list[int], int, list[queries.Sent]]:
        async with watch(database_url) as district:
            post = Post()
            await _one_message(district, post)
            tried = [await district.send(), await district.send()]
            return tried, len(post.taken), await district.messages()

    tried, taken, written = asyncio.run(story())
    assert (tried, taken) == ([1, 0], 1)
    assert [(str(each.state), each.tries, each.error) for each in written] == [("sent", 1, "")]


def test_two_senders_at_once_send_each_message_once(database_url: str) -> None:
    async def story() -> list[int]:
        async with watch(database_url) as district:
            await _one_message(district, Post())
            return sorted(await asyncio.gather(district.send(), district.send(), district.send()))

    assert asyncio.run(story()) == [0, 0, 1]


def test_the_message_of_a_sender_that_died_is_sent_when_its_lease_has_run_out(database_url: str) -> None:
    async def story() -> tuple[int, int, str, str]:
        async with watch(database_url) as district:
            post = Post()
            await _one_message(district, post)
            (dead,) = await _claim(district)
            early = await district.send()
            district.now_ms += sending.LEASE_MS
            return early, await district.send(), dead.message.key, post.taken[0].key

    early, late, before, after = asyncio.run(story())
    assert (early, late) == (0, 1)
    assert before == after


def test_a_sender_whose_lease_ran_out_cannot_put_off_what_another_has_sent(database_url: str) -> None:
    async def story() -> list[tuple[str, str]]:
        async with watch(database_url) as district:
            await _one_message(district, Post())
            (stale,) = await _claim(district, lease_ms=1)
            district.now_ms += 10
            await district.send()
            async with district.database.write() as connection:
                await queries.put_off(connection, stale.message, not_before_ms=0, now_ms=0, error="late")
                await queries.give_up(connection, stale.message, error="late")
            return await states(district)

    assert asyncio.run(story()) == [("post", "sent")]


def test_a_failing_channel_is_tried_less_and_less_often_and_then_given_up(database_url: str) -> None:
    async def story() -> tuple[list[float], list[queries.Sent]]:
        async with watch(database_url) as district:
            await _one_message(district, Post(lambda: TemporaryError(Problem.UNREACHABLE)))
            waits = []
            for _ in WAITS_S:
                start_ms = district.now_ms
                while not await district.send():
                    district.now_ms += 5_000
                waits.append((district.now_ms - start_ms) / 1000)
            return waits, await district.messages()

    waits, written = asyncio.run(story())
    assert waits[0] == 0
    assert all(0.75 * due <= waited <= 1.25 * due + 5 for due, waited in zip(WAITS_S, waits, strict=True))
    assert [(str(each.state), each.tries, each.error) for each in written] == [("failed", 6, "unreachable")]


def test_what_failed_together_does_not_come_back_together() -> None:
    waits = {sending.jitter(600_000, replace(_message(), message_id=number)) for number in range(100)}
    assert len(waits) > 90
    assert 450_000 <= min(waits) < 500_000
    assert 700_000 < max(waits) <= 750_000


def test_what_can_never_be_delivered_is_not_tried_again(database_url: str) -> None:
    async def story() -> list[tuple[str, int, str]]:
        async with watch(database_url) as district:
            await _one_message(district, Post(lambda: PermanentError(Problem.BAD_ADDRESS, 81013)))
            await district.send()
            district.now_ms += 600 * MINUTE_MS
            await district.send()
            return [(str(each.state), each.tries, each.error) for each in await district.messages()]

    assert asyncio.run(story()) == [("failed", 1, "bad_address 81013")]


def test_a_message_that_fails_for_good_goes_to_the_next_channel(database_url: str) -> None:
    async def story() -> tuple[list[tuple[str, str]], Message]:
        async with watch(database_url) as district:
            bad, good = Post(lambda: PermanentError(Problem.BAD_KEY)), Post()
            district.channels = {"bad": bad.opened(), "good": good.opened()}
            await put(district, ways=[("bad", "a"), ("shut", "b"), ("good", "c")])
            while await district.send():
                pass
            return await states(district), good.taken[0]

    written, taken = asyncio.run(story())
    assert written == [("bad", "moved"), ("good", "sent")]
    assert (taken.address, taken.subject) == ("c", "第 1 条")


def test_a_channel_whose_keys_were_taken_away_keeps_no_message(database_url: str) -> None:
    async def story() -> list[tuple[str, str]]:
        async with watch(database_url) as district:
            district.channels = {"good": Post().opened()}
            await put(district, ways=[("shut", "a"), ("good", "b")])
            await put(district, ways=[("shut", "a")])
            while await district.send():
                pass
            await district.send()
            return await states(district)

    assert asyncio.run(story()) == [("shut", "moved"), ("shut", "failed"), ("good", "sent")]


def test_one_broken_channel_does_not_hold_up_another(database_url: str) -> None:
    async def story() -> list[tuple[str, str]]:
        async with watch(database_url) as district:
            good, bad = Post(), Post(lambda: RuntimeError("mailto://user:secret@host"))
            district.channels = {"good": good.opened(), "bad": bad.opened()}
            await put(district, ways=[("bad", "a")])
            await put(district, ways=[("good", "a")])
            await district.send()
            return await states(district)

    assert asyncio.run(story()) == [("bad", "pending"), ("good", "sent")]


def test_a_receiver_that_drips_holds_up_nobody_else(database_url: str) -> None:
    async def story() -> tuple[float, list[tuple[str, str]]]:
        async with watch(database_url) as district:
            slow, quick = Post(slow_s=60), Post()
            district.channels = {"slow": slow.opened(limit_s=3), "quick": quick.opened()}
            await put(district, sending.HANDS + 5, ways=[("slow", "a")], wakes=True)
            loop = asyncio.get_running_loop()
            pumping = loop.create_task(_pump(district))
            await asyncio.sleep(0.5)
            await put(district, ways=[("quick", "b")])
            start = loop.time()
            await asyncio.wait_for(quick.came.wait(), 10)
            waited = loop.time() - start
            pumping.cancel()
            await asyncio.gather(pumping, return_exceptions=True)
            return waited, (await states(district))[-1:]

    waited, written = asyncio.run(story())
    assert waited < 3
    assert written in ([("quick", "sent")], [("quick", "pending")])


async def _pump(district: Watch) -> int:
    return await sending.pump(
        district.database, district.district.district_id, channels=district.channels, clock=lambda: district.now_ms
    )


def test_the_pump_ends_when_nothing_is_due_and_nothing_on_its_way(database_url: str) -> None:
    async def story() -> tuple[int, list[tuple[str, str]]]:
        async with watch(database_url) as district:
            district.channels = {"post": Post(slow_s=0.05).opened()}
            await put(district, 3)
            return await _pump(district), await states(district)

    assert asyncio.run(story()) == (3, [("post", "sent")] * 3)


def test_a_receipt_says_whether_it_has_arrived(database_url: str) -> None:
    async def story() -> list[int | None]:
        async with watch(database_url) as district:
            told = Post(receipt=Receipt(delivered=True, reference="gw-1"))
            district.channels = {"told": told.opened(), "mute": Post().opened()}
            await put(district, ways=[("told", "a")])
            await put(district, ways=[("mute", "a")])
            await district.send()
            return [each.delivered_ms for each in await district.messages()]

    delivered, unknown = asyncio.run(story())
    assert delivered is not None
    assert unknown is None


@pytest.mark.parametrize("back_minutes", [1, 576_000])
def test_a_clock_that_is_set_back_makes_nobody_wait_longer(database_url: str, back_minutes: int) -> None:
    async def story() -> tuple[int, int, int]:
        async with watch(database_url) as district:
            post = Post(lambda: TemporaryError(Problem.UNREACHABLE))
            await _one_message(district, post)
            await district.send()
            district.now_ms -= back_minutes * MINUTE_MS
            retried = await district.send()
            await _claim(district)
            district.now_ms -= back_minutes * MINUTE_MS
            post.problem = None
            early = await district.send()
            return retried, early, await district.send()

    retried, early, again = asyncio.run(story())
    assert retried == 1
    assert (early, again) == (1, 0)


def test_a_clock_that_leaps_ahead_sends_what_waits_once(database_url: str) -> None:
    async def story() -> list[int]:
        async with watch(database_url) as district:
            post = Post(lambda: TemporaryError(Problem.UNREACHABLE))
            await _one_message(district, post)
            await district.send()
            post.problem = None
            district.now_ms += 365 * 24 * 60 * MINUTE_MS
            return [await district.send(), await district.send(), len(post.taken)]

    assert asyncio.run(story()) == [1, 0, 1]


def test_nothing_is_sent_to_a_person_who_has_left_meanwhile(database_url: str) -> None:
    async def story() -> tuple[int, list[queries.Sent]]:
        async with watch(database_url) as district:
            await _one_message(district, Post())
            async with district.database.write() as connection:
                mine = people.c.person_id == district.district.people["宝轮镇骨干"]
                await connection.execute(update(people).where(mine).values(disabled_ms=district.now_ms))
            return await district.send(), await district.messages()

    tried, written = asyncio.run(story())
    assert tried == 0
    assert [(str(each.state), each.error) for each in written] == [("failed", "person_gone")]


def test_the_text_of_an_exception_which_may_hold_a_secret_is_not_kept(caplog: pytest.LogCaptureFixture) -> None:
    post = Post(lambda: RuntimeError("mailto://user:secret@host"))
    problem = asyncio.run(deliver(post.opened(), _message(), now_ms=0))
    assert str(problem) == "defect RuntimeError"
    assert "secret" not in caplog.text


def test_a_channel_that_hangs_is_cut_off() -> None:
    problem = asyncio.run(deliver(Post(slow_s=60).opened(limit_s=0.02), _message(), now_ms=0))
    assert isinstance(problem, DeliveryError)
    assert str(problem) == "timed_out 0.02"


def test_a_centre_without_keys_has_only_its_log() -> None:
    assert list(service.open_channels(Keys())) == ["log"]
    assert sorted(service.list_channels()) == [
        "dingtalk",
        "feishu",
        "log",
        "mail",
        "sms",
        "webhook",
        "wecom",
    ]


def test_what_machines_get_is_plain_json(database_url: str) -> None:
    async def story() -> Message:
        async with watch(database_url) as district:
            post = Post()
            district.channels = {"post": post.opened()}
            district.probes = {"宝轮镇 红星村": FULL}
            await district.run(7)
            await district.send()
            return post.taken[0]

    message = asyncio.run(story())
    assert json.loads(json.dumps(message.data))["place"] == "宝轮镇 红星村"
    assert message.data["link"] == "http://centre.example.cn/tickets/1"


def _message() -> Message:
    return Message(
        district_id=1,
        message_id=1,
        ticket_id=None,
        person_id=None,
        channel="post",
        address="",
        subject="",
        body="",
        data={},
        tries=1,
        created_ms=0,
    )
