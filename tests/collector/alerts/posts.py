"""Channels that do as they are told, and messages put into the outbox by hand."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from collector.alerts import queries
from collector.alerts.channels.base import Channel, Message, OpenChannel, Receipt
from collector.alerts.queries import NewMessage, Ways
from collector.keys import Keys
from tests.watching import BASE_URL, Watch


@dataclass
class Post:
    """A channel that keeps what it is given, or fails as `problem` says, or takes `slow_s` over each."""

    problem: Callable[[], Exception] | None = None
    slow_s: float = 0
    receipt: Receipt = field(default_factory=Receipt)
    taken: list[Message] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, message: Message, _now_ms: int) -> Receipt:
        await asyncio.sleep(self.slow_s)
        if self.problem is not None:
            raise self.problem()
        self.taken.append(message)
        self.came.set()
        return self.receipt

    def opened(self, **values: Any) -> OpenChannel:
        channel = Channel(
            title="投递", address=lambda person, _own: person.email, open=lambda _keys: self.send, **values
        )
        return OpenChannel(channel, self.send, Keys())


async def put(
    district: Watch,
    count: int = 1,
    *,
    ways: Ways = (("post", "zhang@example.cn"),),
    person: str = "宝轮镇骨干",
    ticket_id: int | None = None,
    wakes: bool = False,
) -> None:
    """Write messages into the outbox."""
    for number in range(count):
        new = NewMessage(
            ticket_id=ticket_id,
            person_id=district.district.people[person],
            ways=ways,
            subject=f"第 {number + 1} 条",
            body=f"第 {number + 1} 条\n正文",
            data={"link": f"{BASE_URL}/tickets/{number + 1}", "list": f"{BASE_URL}/tickets"},
            wakes=wakes,
        )
        async with district.database.write() as connection:
            await queries.add_message(
                connection,
                district.district.district_id,
                new,
                now_ms=district.now_ms,
                not_before_ms=district.now_ms,
            )


async def states(district: Watch) -> list[tuple[str, str]]:
    """Channel and state of every message, oldest first."""
    return [(each.channel, str(each.state)) for each in await district.messages()]
