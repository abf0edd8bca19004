import asyncio
from pathlib import Path

from sqlalchemy import text

from collector.db.dialect import HANDLE
from collector.db.engine import Database
from collector.stations import queries
from tests.districts import plant_district


def test_stations_are_shown_with_their_township(database_url: str) -> None:
    async def story() -> list[str]:
        database = Database(database_url)
        district = await plant_district(database, {"宝轮镇": ["爱国社区", "红星村"], "大石镇": ["红岩村"]})
        async with database.read() as connection:
            found = await queries.list_stations(connection, district.district_id)
        await database.close()
        return [each.title for each in found]

    assert asyncio.run(story()) == ["宝轮镇 爱国社区", "宝轮镇 红星村", "大石镇 红岩村"]


def test_postgresql_compiles_no_statement(postgres_url: str) -> None:
    async def story() -> str:
        database = Database(postgres_url)
        async with database.read() as connection:
            value = (await connection.execute(text("SHOW jit"))).scalar_one()
        await database.close()
        return str(value)

    assert asyncio.run(story()) == "off"


def test_a_transaction_that_did_not_end_goes_with_its_connection(tmp_path: Path) -> None:
    async def story() -> list[int]:
        database = Database(f"sqlite+aiosqlite:///{tmp_path}/a.db")
        async with database.write() as connection:
            await connection.execute(text("CREATE TABLE t (x)"))
        async with database._writer.connect() as connection:
            connection.info[HANDLE].execute("BEGIN IMMEDIATE")
            connection.info[HANDLE].execute("INSERT INTO t VALUES (1)")
        async with database.write() as connection:
            await connection.execute(text("INSERT INTO t VALUES (2)"))
        async with database.read() as connection:
            found = (await connection.execute(text("SELECT x FROM t"))).scalars().all()
        await database.close()
        return list(found)

    assert asyncio.run(story()) == [2]
