import asyncio

from collector.centre import Centre
from collector.db.engine import Database
from collector.overview.service import Watch
from collector.settings import Settings
from collector.tickets.queries import add_ticket
from tests.collector.people.test_access import new_ticket
from tests.office import Office


def test_listeners_hear_which_topic_changed_and_nothing_else(office: Office) -> None:
    async def story() -> list[str]:
        database = Database(office.url)
        watch = Watch(Centre(Settings(database=office.url), database, office.clock), ready_ms=0, every_s=0.05)
        heard: list[str] = []

        async def listen() -> None:
            async for topic in watch.topics(510802, rounds=12):
                heard.append(topic)  # noqa: PERF401 - heard is read while we listen

        listener = asyncio.create_task(listen())
        await asyncio.sleep(0.15)
        quiet = list(heard)
        async with database.write() as connection:
            await add_ticket(connection, 510802, new_ticket(office, "大石镇 红岩村"), now_ms=office.now_ms)
        await asyncio.sleep(0.15)
        office.clock.advance(minutes=7)
        await listener
        await database.close()
        return [*quiet, *heard]

    assert asyncio.run(story()) == ["tickets", "stations"]
