import asyncio

from collector.db.engine import Database
from collector.migrate import is_current
from collector.stations import queries
from tests.districts import plant_district


def test_a_new_database_is_at_the_newest_schema(database_url: str) -> None:
    async def story() -> bool:
        database = Database(database_url)
        current = await is_current(database)
        await database.close()
        return current

    assert asyncio.run(story())


def test_stations_are_shown_with_their_township(database_url: str) -> None:
    async def story() -> list[str]:
        database = Database(database_url)
        district = await plant_district(database, {"宝轮镇": ["爱国社区", "红星村"], "大石镇": ["红岩村"]})
        async with database.read() as connection:
            found = await queries.list_stations(connection, district.district_id)
        await database.close()
        return [each.title for each in found]

    assert asyncio.run(story()) == ["宝轮镇 爱国社区", "宝轮镇 红星村", "大石镇 红岩村"]
