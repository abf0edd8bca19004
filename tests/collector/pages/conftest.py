"""An office with one open ticket and a month of study in one village."""

import asyncio

import pytest

from collector.db.engine import Database
from collector.tickets.queries import add_ticket
from tests.clocks import ManualClock
from tests.collector.people.test_access import new_ticket
from tests.collector.usage.events import append, claim, fold, plays, received
from tests.office import Office, hear, open_office, write

PLAN = {"宝轮镇": ["爱国社区", "红星村"], "大石镇": ["红岩村"]}
AIGUO = "宝轮镇 爱国社区"


@pytest.fixture
def office(sqlite_url: str, clock: ManualClock) -> Office:
    opened = open_office(sqlite_url, PLAN, clock)
    station = opened.district.stations[AIGUO]
    write(
        sqlite_url, lambda connection: add_ticket(connection, 510802, new_ticket(opened, AIGUO), now_ms=opened.now_ms)
    )
    facts = [
        received("黄羊饲养", "2026-09-01 03:20"),
        *plays("黄羊饲养", "2026-09-02 19:00", minutes=40),
        claim("2026-09-02 19:00", "2026-09-02 20:00", people=23, visits=25),
        *plays("黄羊饲养", "2026-09-04 19:00", minutes=50, flags=["uncorroborated"]),
    ]

    async def story() -> None:
        database = Database(sqlite_url)
        await append(database, station, facts)
        await fold(database, now_ms=opened.now_ms)
        await database.close()

    asyncio.run(story())
    write(
        sqlite_url,
        lambda connection: hear(connection, 510802, station, received_ms=opened.now_ms - 60_000, last=len(facts)),
    )
    return opened
