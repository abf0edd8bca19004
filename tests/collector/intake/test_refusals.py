"""A push refused for who sent it leaves a trace, and no flood of such pushes leaves more than a few lines."""

import asyncio
import logging
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import SigningKey
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from starlette.testclient import TestClient

from collector.app import create_app
from collector.centre import Centre
from collector.db.engine import Database
from collector.errors import PushRefusedError
from collector.intake.refusals import AT_ONCE, Refusals
from collector.people.models import audit
from collector.settings import Settings
from collector.stations import queries as stations
from shared.signing import Claim, claim_text
from shared.wire.v1 import PATH
from tests.clocks import ManualClock
from tests.collector.intake.pushes import envelope, event, packed, signed
from tests.districts import LIZHOU, plant_district, plant_keys

ONE, TWO, NONE = (f"{LIZHOU}/{number}" for number in (1, 2, 999))
UNKNOWN_KEY = PushRefusedError(401, "unknown-key", "")

Line = tuple[str, str, int]
"""Object, problem and count of a line in the audit trail."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A centre with two stations, the duties of its process driven by hand."""

    client: TestClient
    keys: dict[str, SigningKey]
    clock: ManualClock

    def push(self, *, key: str = ONE, named: str = ONE, inside: str = ONE, cut: int = 0) -> int:
        """The status of a push made with one station's key, in the name of another; its header may be cut short."""
        body = packed(envelope(inside), event(1))
        header = signed(self.keys[key], named, body)["Authorization"]
        return self.client.post(PATH, content=body, headers={"Authorization": header[cut:]}).status_code

    def tamper(self) -> int:
        body = packed(envelope(ONE), event(1))
        return self.client.post(PATH, content=body + b"x", headers=signed(self.keys[ONE], ONE, body)).status_code

    def revoke(self) -> None:
        centre = self.client.app.state.centre  # type: ignore[attr-defined]

        async def act() -> None:
            async with centre.database.write() as connection:
                await stations.revoke_key(connection, LIZHOU, 1, now_ms=centre.now_ms)

        self.call(act)

    def attend(self) -> None:
        """One round of what every serving process does itself."""
        self.call(self.client.app.state.jobs.run_round)  # type: ignore[attr-defined]

    def trail(self) -> list[Line]:
        database = self.client.app.state.centre.database  # type: ignore[attr-defined]
        return list(self.call(lambda: read_trail(database)))

    def call(self, work: Callable[[], Awaitable[Any]]) -> Any:
        return self.client.portal.call(work)  # type: ignore[union-attr]


async def read_trail(database: Database) -> list[Line]:
    columns = (audit.c.object, audit.c.detail, audit.c.person_id)
    wanted = select(*columns).where(audit.c.action == "push.refused").order_by(audit.c.entry_id)
    async with database.read() as connection:
        rows = (await connection.execute(wanted)).all()
    assert {person for _, _, person in rows} <= {None}
    return [(place, detail["problem"], detail["count"]) for place, detail, _ in rows]


@pytest.fixture
def bench(database_url: str, clock: ManualClock) -> Iterator[Bench]:
    with serving(database_url, clock) as bench:
        yield bench


@contextmanager
def serving(database_url: str, clock: ManualClock) -> Iterator[Bench]:
    keys = {ONE: SigningKey.generate(), TWO: SigningKey.generate()}
    app = create_app(Settings(database=database_url, run_jobs=False), clock=clock, with_jobs=False)
    database = app.state.centre.database

    async def plant() -> None:
        await plant_district(database, {"宝轮镇": ["爱国社区", "红星村"]})
        await plant_keys(database, keys.values())

    with TestClient(app, base_url="http://centre.test") as client:
        bench = Bench(client, keys, clock)
        bench.call(plant)
        bench.attend()
        yield bench


def test_each_kind_of_refusal_is_in_the_audit_trail_with_its_station(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    statuses = [
        bench.push(key=TWO, named=ONE),
        bench.push(key=TWO, named=ONE),
        bench.push(key=ONE, named=NONE),
        bench.push(cut=1),
        bench.tamper(),
        bench.push(key=TWO, named=TWO, inside=ONE),
    ]
    bench.revoke()
    statuses.append(bench.push())

    with caplog.at_level(logging.WARNING, "yuanjiao.intake"):
        bench.attend()

    assert statuses == [401, 401, 401, 401, 401, 403, 401]
    assert sorted(bench.trail()) == [
        ("station/1", "bad-signature", 1),
        ("station/1", "key-revoked", 1),
        ("station/1", "unknown-key", 2),
        ("station/2", "wrong-station", 1),
        ("station/unknown", "bad-signature", 1),
        ("station/unknown", "unknown-key", 1),
    ]
    assert f"push.refused station={ONE} problem=unknown-key count=2" in caplog.messages
    assert "push.refused station=unknown problem=unknown-key count=1" in caplog.messages


def test_what_is_taken_or_refused_for_its_content_leaves_no_line(bench: Bench) -> None:
    body = packed(envelope(ONE), b"{}")
    answers = [bench.push(), bench.client.post(PATH, content=body, headers=signed(bench.keys[ONE], ONE, body))]
    bench.attend()

    assert answers[0] == 200
    assert bench.trail() == []


def test_a_station_and_problem_have_one_line_an_hour(bench: Bench) -> None:
    for _ in range(4):
        bench.push(key=TWO, named=ONE)
        bench.attend()
        bench.clock.advance(minutes=19)
    assert bench.trail() == [("station/1", "unknown-key", 1)]

    bench.attend()

    assert bench.trail() == [("station/1", "unknown-key", 1), ("station/1", "unknown-key", 3)]


def test_what_is_not_written_yet_is_written_when_the_centre_ends(database_url: str, clock: ManualClock) -> None:
    with serving(database_url, clock) as bench:
        bench.push(key=TWO, named=ONE)
        bench.attend()
        for _ in range(3):
            bench.push(key=TWO, named=ONE)

    async def read() -> list[Line]:
        async with opened(database_url) as database:
            return await read_trail(database)

    assert asyncio.run(read()) == [("station/1", "unknown-key", 1), ("station/1", "unknown-key", 3)]


def test_a_flood_leaves_little_in_memory_and_few_lines(database_url: str, clock: ManualClock) -> None:
    """Ten thousand names of stations nobody has, and every name of those we have."""
    ours = 60

    async def flood() -> tuple[int, list[int], list[Line]]:
        async with opened(database_url) as database:
            await plant_district(database, {"宝轮镇": [f"第{number}村" for number in range(ours)]})
            refusals = Refusals(Centre(Settings(database=database_url), database, clock))
            await refusals.write_down()
            tracemalloc.start()
            for number in range(1, 10_001):
                refusals.count(UNKNOWN_KEY, naming(f"{LIZHOU}/{number}"))
            kept, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            seen = []
            for _ in range(3):
                await refusals.write_down()
                seen.append(len(await read_trail(database)))
            return kept, seen, await read_trail(database)

    kept, seen, lines = asyncio.run(flood())

    assert kept < 64 * 1024
    assert seen == [AT_ONCE, ours + 1, ours + 1]
    assert sum(count for _, _, count in lines) == 10_000
    assert ("station/unknown", "unknown-key", 10_000 - ours) in lines


def test_a_database_that_does_not_answer_loses_no_count_and_keeps_nobody_from_ending(
    tmp_path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "without tables.db"
    path.touch()
    url = f"sqlite+aiosqlite:///{path}"

    async def end() -> None:
        async with opened(url) as database:
            refusals = Refusals(Centre(Settings(database=url), database, clock))
            refusals.count(UNKNOWN_KEY, naming(ONE))
            with pytest.raises(SQLAlchemyError):
                await refusals.write_down()
            await refusals.close()

    asyncio.run(end())

    assert "push.refusals_lost count=1 error=OperationalError" in caplog.messages


def naming(station: str) -> str:
    return claim_text(Claim("ed25519", station, "a" * 16, b"s" * 64))


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        await database.close()
