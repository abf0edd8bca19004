"""A "1" without training this year is brought to mind in autumn, once a month, in one message a reader."""

import asyncio
from datetime import datetime

import pytest

from collector.alerts.queries import list_messages
from collector.alerts.service import open_channels
from collector.areas.queries import change_district_settings
from collector.keys import Keys
from collector.operators import queries
from collector.operators.reminding import remind_of_training
from shared.months import BEIJING
from tests.watching import Watch, watch

URL = "https://centre.example.cn"


async def remind(district: Watch, day: str) -> int:
    """What the job does at nine on a day."""
    async with district.database.write() as connection:
        return await remind_of_training(
            connection,
            district.district.district_id,
            channels=open_channels(Keys()),
            public_url=URL,
            now_ms=int(datetime.fromisoformat(f"{day} 09:00").replace(tzinfo=BEIJING).timestamp() * 1000),
            zone=BEIJING,
        )


async def train(district: Watch, name: str, day: str) -> None:
    async with district.database.write() as connection:
        await queries.add_training(
            connection, district.district.district_id, district.district.people[name], day=day, topic="网络", hours=8
        )


def test_the_centre_and_the_offices_are_told_once_a_month_of_their_own(database_url: str) -> None:
    async def story() -> None:
        async with watch(database_url) as district:
            await train(district, "大石镇骨干", "2025-12-31")
            assert await remind(district, "2026-08-31") == 0
            assert await remind(district, "2026-09-01") == 3
            assert await remind(district, "2026-09-30") == 0
            async with district.database.read() as connection:
                written = await list_messages(connection, district.district.district_id, limit=10)
            subjects = {each.person_id: each.subject for each in written}
            people = district.district.people
            assert set(subjects) == {people["主任"], people["宝轮镇管理员"], people["大石镇管理员"]}
            assert "2 名骨干" in subjects[people["主任"]]
            assert "1 名骨干" in subjects[people["大石镇管理员"]]
            await train(district, "大石镇骨干", "2026-09-30")
            assert await remind(district, "2026-10-01") == 2
            await train(district, "宝轮镇骨干", "2026-10-02")
            assert await remind(district, "2026-11-01") == 0

    asyncio.run(story())


@pytest.mark.parametrize(("month", "written"), [(3, 3), (10, 0), ("nonsense", 0)])
def test_a_district_chooses_from_which_month_on(sqlite_url: str, month: object, written: int) -> None:
    async def story() -> int:
        async with watch(sqlite_url) as district:
            async with district.database.write() as connection:
                own: dict[str, object] = {"training": {"remind_from_month": month}}
                await change_district_settings(connection, district.district.district_id, own)
            return await remind(district, "2026-03-02")

    assert asyncio.run(story()) == written
