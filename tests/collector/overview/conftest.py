"""Two townships on one morning: some stations heard, some late, one dark, one never installed."""

import pytest

from collector.db.engine import Connection
from tests.clocks import ManualClock
from tests.office import Office, hear, open_office, probe, write

PLAN = {"东坝街道": ["翠屏社区", "金柜社区"], "宝轮镇": ["爱国社区", "红星村", "老林村"], "大石镇": ["红岩村"]}
AGES_S = {
    "东坝街道 翠屏社区": 20,
    "东坝街道 金柜社区": 380,
    "宝轮镇 爱国社区": 3600,
    "宝轮镇 红星村": 60,
    "大石镇 红岩村": 30,
}


@pytest.fixture
def office(database_url: str, clock: ManualClock) -> Office:
    opened = open_office(database_url, PLAN, clock)

    async def hear_all(connection: Connection) -> None:
        for title, age_s in AGES_S.items():
            await hear(
                connection,
                510802,
                opened.district.stations[title],
                received_ms=opened.now_ms - age_s * 1000,
                probes={
                    "courseware": probe(files=41, corrupt=["<b>坏.mp4"], readable=True),
                    "projector": probe(reachable=False),
                    "audio": probe("no_data"),
                    "thermometer": probe(celsius=21),
                },
                waiting=12 if title == "宝轮镇 爱国社区" else 0,
            )

    write(database_url, hear_all)
    return opened
