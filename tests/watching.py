"""A small district under watch: stations that beat or fall silent, and rounds of judging, settling and telling."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from collector.alerts import queries as outbox
from collector.alerts import sending
from collector.alerts import service as alerts
from collector.alerts.channels.base import OpenChannel
from collector.db.dialect import insert
from collector.db.engine import Database
from collector.faults import queries as findings
from collector.faults import service as faults
from collector.faults.standing import Standing
from collector.keys import Keys
from collector.stations import queries as stations
from collector.stations.models import station_states
from collector.tickets import queries as tickets
from collector.tickets.queries import Ticket
from collector.tickets.settling import settle
from tests.districts import NOW_MS, SmallDistrict, plant_district

PERIOD_S, GRACE_S, TICK_S = 300, 600, 60
MINUTE_MS = 60_000
BASE_URL = "http://centre.example.cn"
PLAN = {"宝轮镇": ["爱国社区", "红星村", "老林村", "紫兰村"], "大石镇": ["红岩村", "前哨村"]}


@dataclass
class Watch:
    """`probes` are the states each station reports; stations in `silent` report nothing. Starts at 18:40 in Beijing.

    `hours` are the opening hours a station states, `waiting` the lines it still holds.
    """

    database: Database
    district: SmallDistrict
    now_ms: int = NOW_MS
    channels: Mapping[str, OpenChannel] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    probes: dict[str, dict[str, Any]] = field(default_factory=dict)
    slow_ms: dict[str, int] = field(default_factory=dict)
    hours: dict[str, list[str]] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)
    booted_ms: int = NOW_MS - 10 * MINUTE_MS
    ready_since_ms: int = NOW_MS

    async def beat(self) -> None:
        """Every station that is not silent is heard now."""
        async with self.database.write() as connection:
            for number, (title, station_id) in enumerate(self.district.stations.items()):
                if title in self.silent:
                    continue
                states = {name: {"status": "ok", "mono": 1, "state": each} for name, each in self._states(title)}
                values = {
                    "stream": "ab" * 16,
                    "spool_stream": "ab" * 16,
                    "spool_last": 0,
                    "boot": "b",
                    "mono_ms": self.now_ms - self.booted_ms,
                    "wall_ms": self.now_ms - self.slow_ms.get(title, 0),
                    "received_ms": self.now_ms - number,
                    "heartbeat": json.dumps({**self._stamp(title), "probes": states}),
                }
                key = {"district_id": self.district.district_id, "station_id": station_id}
                statement = insert(connection, station_states).values(first_received_ms=self.now_ms, **key, **values)
                index = [station_states.c.district_id, station_states.c.station_id]
                await connection.execute(statement.on_conflict_do_update(index_elements=index, set_=values))

    async def round(self) -> None:
        """One job's work in one transaction, as the centre does it."""
        district_id = self.district.district_id
        async with self.database.write() as connection:
            await faults.judge(
                connection,
                district_id,
                period_s=PERIOD_S,
                grace_s=GRACE_S,
                ready_since_ms=self.ready_since_ms,
                now_ms=self.now_ms,
            )
            await settle(connection, district_id, period_s=PERIOD_S, now_ms=self.now_ms)
            await alerts.tell(connection, district_id, channels=self.channels, public_url=BASE_URL, now_ms=self.now_ms)

    async def run(self, minutes: int) -> None:
        """Let time pass: a heartbeat every five minutes, a round every minute."""
        for _ in range(minutes):
            self.now_ms += MINUTE_MS
            if (self.now_ms - NOW_MS) // MINUTE_MS % 5 == 0:
                await self.beat()
            await self.round()

    async def tickets(self, *, open_only: bool = True) -> list[Ticket]:
        async with self.database.read() as connection:
            return await tickets.list_tickets(connection, self.district.district_id, open_only=open_only)

    async def ticket(self) -> Ticket:
        """The only open ticket."""
        (ticket,) = await self.tickets()
        return ticket

    async def findings(self) -> dict[tuple[str, str], Standing]:
        async with self.database.read() as connection:
            return await findings.list_findings(connection, self.district.district_id)

    async def actions(self, ticket_id: int) -> list[str]:
        """What was done with a ticket, oldest first."""
        async with self.database.read() as connection:
            found = await tickets.list_changes(connection, self.district.district_id, ticket_id)
        return [str(each.action) for each in found]

    async def messages(self) -> list[outbox.Sent]:
        """The outbox, oldest first."""
        async with self.database.read() as connection:
            return (await outbox.list_messages(connection, self.district.district_id, limit=500))[::-1]

    async def send(self) -> int:
        return await sending.send(self.database, self.district.district_id, channels=self.channels, now_ms=self.now_ms)

    def who(self, person_id: int | None) -> str:
        return next(name for name, number in self.district.people.items() if number == person_id)

    def _stamp(self, title: str) -> dict[str, Any]:
        return {"open_hours": self.hours.get(title, []), "spool": {"waiting": self.waiting.get(title, 0)}}

    def _states(self, title: str) -> list[tuple[str, Any]]:
        return list(self.probes.get(title, {}).items())


@asynccontextmanager
async def watch(
    database_url: str, plan: dict[str, list[str]] | None = None, *, keys: Keys | None = None
) -> AsyncIterator[Watch]:
    """A district in which every station is enrolled and has just been heard."""
    database = Database(database_url)
    try:
        district = await plant_district(database, plan or PLAN)
        async with database.write() as connection:
            for station_id in district.stations.values():
                await stations.add_key(
                    connection, district.district_id, station_id, key_id="k", public_key=b"k", now_ms=NOW_MS
                )
        watched = Watch(database, district, channels=alerts.open_channels(keys or Keys()))
        await watched.beat()
        yield watched
    finally:
        await database.close()
