"""Leases, retries and giving up, on both databases, with channels that do as they are told."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from collector.alerts import queries, service
from collector.alerts.channels.base import (
    Channel,
    Keys,
    Message,
    OpenChannel,
    PermanentError,
    TemporaryError,
    deliver,
)
from tests.watching import MINUTE_MS, Watch, watch

FULL = {"host": {"disk_free": 1, "disk_total": 100}}


@dataclass
class Post:
    """A channel that keeps what it is given, or fails as `problem` says."""

    problem: Callable[[], Exception] | None = None
    taken: list[Message] = field(default_factory=list)

    async def send(self, message: Message, _now_ms: int) -> None:
        if self.problem is not None:
            raise self.problem()
        self.taken.append(message)

    def open(self, **values: float) -> dict[str, OpenChannel]:
        channel = Channel(address=lambda person: person.email, open=lambda _keys: self.send, **values)  # type: ignore[arg-type]
        return {"post": OpenChannel(channel, self.send)}


async def _one_message(district: Watch, post: Post) -> None:
    district.channels = post.open()
    district.probes = {"宝轮镇 红星村": FULL}
    await district.run(7)


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
            post = Post()
            await _one_message(district, post)
            return sorted(await asyncio.gather(district.send(), district.send(), district.send()))

    assert asyncio.run(story()) == [0, 0, 1]


def test_the_message_of_a_sender_that_died_is_sent_when_its_lease_has_run_out(database_url: str) -> None:
    async def story() -> tuple[int, int]:
        async with watch(database_url) as district:
            post = Post()
            await _one_message(district, post)
            async with district.database.write() as connection:
                await queries.claim(
                    connection,
                    district.district.district_id,
                    channels=["post"],
                    limit=9,
                    lease_ms=service.LEASE_MS,
                    now_ms=district.now_ms,
                )
            early = await district.send()
            district.now_ms += service.LEASE_MS
            return early, await district.send()

    assert asyncio.run(story()) == (0, 1)


def test_a_sender_whose_lease_ran_out_cannot_put_off_what_another_has_sent(database_url: str) -> None:
    async def story() -> list[str]:
        async with watch(database_url) as district:
            await _one_message(district, Post())
            async with district.database.write() as connection:
                (stale,) = await queries.claim(
                    connection,
                    district.district.district_id,
                    channels=["post"],
                    limit=9,
                    lease_ms=1,
                    now_ms=district.now_ms,
                )
            district.now_ms += 10
            await district.send()
            async with district.database.write() as connection:
                await queries.put_off(connection, stale, not_before_ms=0, error="late")
                await queries.give_up(connection, stale, error="late")
            return [str(each.state) for each in await district.messages()]

    assert asyncio.run(story()) == ["sent"]


def test_a_failing_channel_is_tried_less_and_less_often_and_then_given_up(database_url: str) -> None:
    async def story() -> tuple[list[int], list[tuple[str, str]]]:
        async with watch(database_url) as district:
            await _one_message(district, Post(lambda: TemporaryError("nobody there")))
            waits = []
            for _ in range(6):
                start_ms = district.now_ms
                while not await district.send():
                    district.now_ms += 30_000
                waits.append((district.now_ms - start_ms) // 1000)
            return waits, [(str(each.state), each.error) for each in await district.messages()]

    waits, written = asyncio.run(story())
    assert waits == [0, 30, 120, 600, 1800, 7200]
    assert written == [("failed", "nobody there")]


def test_what_can_never_be_delivered_is_not_tried_again(database_url: str) -> None:
    async def story() -> list[tuple[str, int, str]]:
        async with watch(database_url) as district:
            await _one_message(district, Post(lambda: PermanentError("no such address")))
            await district.send()
            district.now_ms += 600 * MINUTE_MS
            await district.send()
            return [(str(each.state), each.tries, each.error) for each in await district.messages()]

    assert asyncio.run(story()) == [("failed", 1, "no such address")]


def test_one_broken_channel_does_not_hold_up_another(database_url: str) -> None:
    async def story() -> list[tuple[str, str]]:
        async with watch(database_url) as district:
            good, bad = Post(), Post(lambda: RuntimeError("mailto://user:secret@host"))
            district.channels = {"good": good.open()["post"], "bad": bad.open()["post"]}
            district.probes = {"宝轮镇 红星村": FULL}
            await district.run(7)
            await district.send()
            return sorted((each.channel, str(each.state)) for each in await district.messages())

    assert asyncio.run(story()) == [("bad", "pending"), ("good", "sent")]


def test_the_text_of_an_exception_which_may_hold_a_secret_is_not_kept(caplog: pytest.LogCaptureFixture) -> None:
    post = Post(lambda: RuntimeError("mailto://user:secret@host"))
    problem = asyncio.run(deliver(post.open()["post"], _message(), now_ms=0))
    assert str(problem) == "RuntimeError"
    assert "secret" not in caplog.text


def test_a_channel_that_hangs_is_cut_off() -> None:
    async def hang(_message: Message, _now_ms: int) -> None:
        await asyncio.sleep(60)

    channel = Channel(address=lambda person: person.email, open=lambda _keys: hang, limit_s=0.02)
    problem = asyncio.run(deliver(OpenChannel(channel, hang), _message(), now_ms=0))
    assert isinstance(problem, TemporaryError)
    assert str(problem) == "no answer within 0.02 s"


def test_a_centre_without_keys_has_only_its_log() -> None:
    assert list(service.open_channels(Keys())) == ["log"]
    assert sorted(service.list_channels()) == ["log", "mail", "webhook"]


def test_what_machines_get_is_plain_json(database_url: str) -> None:
    async def story() -> Message:
        async with watch(database_url) as district:
            post = Post()
            await _one_message(district, post)
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
