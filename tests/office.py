"""An office to test pages in: a district with people who can sign in, and states of stations made to order.

One browser at a time: each runs the application, and the application closes its database behind it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import FastAPI
from sqlalchemy import insert
from starlette.testclient import TestClient

from collector.app import create_app
from collector.db.engine import Connection, Database
from collector.people import service
from collector.people.queries import change_password
from collector.settings import Settings
from collector.stations.models import station_states
from shared.wire.v1 import Heartbeat, ProbeReport, SpoolReport
from tests.clocks import ManualClock
from tests.districts import SmallDistrict, plant_district

T = TypeVar("T")
PASSWORD = "correct horse battery"
BOOT = "b0" * 16
STREAM = "1" * 32


@dataclass(frozen=True)
class Office:
    """One centre with its district. `client()` is a browser nobody has signed in with."""

    url: str
    app: FastAPI
    clock: ManualClock
    district: SmallDistrict

    def client(self) -> TestClient:
        return TestClient(self.app, base_url="http://127.0.0.1:8440", follow_redirects=False)

    @contextmanager
    def signed_in(self, name: str) -> Iterator[TestClient]:
        """A browser in which this person has used a sign-in link."""
        token = write(
            self.url,
            lambda connection: service.make_link(
                connection, self.district.district_id, self.district.people[name], now_ms=self.now_ms
            ),
        )
        with self.client() as client:
            client.post(f"/signin/link/{token}")
            yield client

    @property
    def now_ms(self) -> int:
        return self.clock.now().wall_ms


def open_office(url: str, plan: dict[str, list[str]], clock: ManualClock, **settings: Any) -> Office:
    district = asyncio.run(_plant(url, plan, clock))
    app = create_app(Settings(database=url, **settings), clock=clock, with_jobs=False)
    return Office(url, app, clock, district)


def write(url: str, act: Callable[[Connection], Awaitable[T]]) -> T:
    """Do something in one transaction of a database of our own, and return what it returns."""

    return asyncio.run(write_once(url, act))


async def write_once(url: str, act: Callable[[Connection], Awaitable[T]]) -> T:
    """The same for those who have a loop already."""
    database = Database(url)
    async with database.write() as connection:
        result = await act(connection)
    await database.close()
    return result


async def set_password(connection: Connection, district: SmallDistrict, name: str, account: str) -> None:
    await change_password(
        connection,
        district.district_id,
        district.people[name],
        account=account,
        password_hash=await service.hash_password(account, PASSWORD),
    )


async def hear(
    connection: Connection,
    district_id: int,
    station_id: int,
    *,
    received_ms: int,
    probes: dict[str, ProbeReport] | None = None,
    waiting: int = 0,
    last: int = 0,
    wall_ms: int | None = None,
) -> None:
    """Let the centre have heard a station once, at this moment."""
    heartbeat = Heartbeat(
        wall=received_ms if wall_ms is None else wall_ms,
        mono=3_600_000,
        boot=BOOT,
        agent="0.1.0",
        spool=SpoolReport(last=last, waiting=waiting, bytes=20_000),
        probes=probes or {},
    )
    await connection.execute(
        insert(station_states).values(
            district_id=district_id,
            station_id=station_id,
            stream=STREAM,
            spool_stream=STREAM,
            spool_last=heartbeat.spool.last,
            boot=BOOT,
            mono_ms=heartbeat.mono,
            wall_ms=heartbeat.wall,
            received_ms=received_ms,
            first_received_ms=received_ms - 86_400_000,
            heartbeat=heartbeat.model_dump_json(),
        )
    )


def csrf_of(page: str) -> str:
    """The token a page carries for its forms."""
    return page.split('name="csrf" content="', 1)[1].split('"', 1)[0]


def probe(status: str = "ok", **state: Any) -> ProbeReport:
    return ProbeReport.model_validate({"status": status, "mono": 3_600_000, "state": state})


async def _plant(url: str, plan: dict[str, list[str]], clock: ManualClock) -> SmallDistrict:
    database = Database(url)
    district = await plant_district(database, plan, now_ms=clock.now().wall_ms)
    await database.close()
    return district
