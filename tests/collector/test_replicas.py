"""Two serving processes on one PostgreSQL, and stations that push to whichever answers; one is killed in the middle."""

import asyncio
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle

import httpx
from nacl.signing import SigningKey

from collector.db.engine import Database
from collector.stations import queries as stations
from shared import chain
from shared.signing import key_id
from tests.collector.intake.pushes import envelope, event, packed, signed
from tests.collector.test_killed_answering import LIVING, on_a_port
from tests.collector.test_processes import ask
from tests.districts import LIZHOU, plant_district

STATIONS, LINES = 6, 30
KEY = SigningKey(bytes(range(32)))


@dataclass(slots=True)
class Story:
    """Who answered, in order; the process `doomed` is killed once so many pushes have been answered."""

    addresses: Sequence[str]
    doomed: int
    kill_after: int = STATIONS * LINES // 3
    answered: list[str] = field(default_factory=list)

    def note(self, address: str) -> None:
        self.answered.append(address)
        if len(self.answered) == self.kill_after:
            os.kill(self.doomed, signal.SIGKILL)


async def plant(url: str) -> None:
    database = Database(url)
    await plant_district(database, {"宝轮镇": [f"{each}村" for each in range(STATIONS)]})
    public = bytes(KEY.verify_key)
    async with database.write() as connection:
        for each in range(1, STATIONS + 1):
            await stations.add_key(connection, LIZHOU, each, key_id=key_id(public), public_key=public, now_ms=1)
    await database.close()


async def deliver(client: httpx.AsyncClient, story: Story, number: int) -> list[int]:
    """A station's lines, one a push, each process in turn. Returns what each answer said is stored."""
    name, head, stored = f"{LIZHOU}/{number}", chain.START, []
    turns = cycle(story.addresses)
    for seq in range(1, LINES + 1):
        line = event(seq)
        told = {"mono": 1000 + seq, "spool": {"last": seq, "waiting": 1, "bytes": 1}}
        body = packed(envelope(name, first=seq, head=head, heartbeat=told), line)
        head = chain.extend_all(head, [line])
        stored.append(await push(client, story, turns, body, signed(KEY, name, body)))
    return stored


async def push(
    client: httpx.AsyncClient, story: Story, turns: "cycle[str]", body: bytes, headers: dict[str, str]
) -> int:
    """Send until somebody takes it."""
    for address in turns:
        try:
            answer = await client.post(address, content=body, headers=headers)
        except httpx.TransportError:
            continue
        assert answer.status_code == 200, answer.text
        story.note(address)
        return int(answer.json()["stored"])
    raise AssertionError


def test_a_serving_process_killed_in_the_middle_costs_no_line_and_doubles_none(postgres_url: str) -> None:
    asyncio.run(plant(postgres_url))

    async def play(story: Story) -> list[list[int]]:
        async with httpx.AsyncClient(timeout=60) as client:
            return await asyncio.gather(*(deliver(client, story, each) for each in range(1, STATIONS + 1)))

    with on_a_port(LIVING, postgres_url) as (doomed, first), on_a_port(LIVING, postgres_url) as (_, second):
        story = Story((first, second), doomed.pid)
        answers = asyncio.run(play(story))

    assert answers == [list(range(1, LINES + 1))] * STATIONS
    lines = [(station, seq) for station in range(1, STATIONS + 1) for seq in range(1, LINES + 1)]
    assert ask(postgres_url, "SELECT station_id, seq FROM events ORDER BY station_id, seq") == lines
    assert set(story.answered[: story.kill_after]) == {first, second}
    assert set(story.answered[-STATIONS:]) == {second}
