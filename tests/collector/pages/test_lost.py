"""A computer that was stolen: refused at once, and what it told since the loss is marked, never taken away."""

import asyncio
import io
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import openpyxl
import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from collector.app import create_app
from collector.db.engine import Connection, Database
from collector.people.models import audit
from collector.settings import Settings
from collector.stations import queries as stations
from tests.clocks import ManualClock
from tests.collector.pages.test_monthly import rows
from tests.collector.usage.events import Fact, append, at, claim, fold, plays
from tests.office import Office, csrf_of, open_office, write

AIGUO, HONGXING = "宝轮镇 爱国社区", "宝轮镇 红星村"
INSTALLED = "2026-09-01 08:00"
LOST = "2026-09-06T10:00"
NOTE = "这台电脑自 09-06 10:00 起报失，此后的 %d 次学习、%d 次播放需核对"


@dataclass
class Theft:
    """Two stations, each with a computer since the first of September."""

    office: Office

    @property
    def address(self) -> str:
        return f"/stations/{self.office.district.stations[AIGUO]}"

    def install(self, when: str) -> None:
        """Give every station a computer with a key of its own, in the place of the one before."""

        async def enrol(connection: Connection) -> None:
            for number in self.office.district.stations.values():
                await stations.add_key(
                    connection, 510802, number, key_id=f"{when[5:10]}-{number}", public_key=b"k" * 32, now_ms=at(when)
                )

        write(self.office.url, enrol)

    def browse(self) -> AbstractContextManager[TestClient]:
        """The township's manager before a program started anew."""
        app = create_app(Settings(database=self.office.url), clock=self.office.clock, with_jobs=False)
        return replace(self.office, app=app).signed_in("宝轮镇管理员")

    def tell(self, facts: list[Fact]) -> None:
        """What a computer recorded comes in and is counted."""

        async def story() -> None:
            database = Database(self.office.url)
            for number in self.office.district.stations.values():
                await append(database, number, facts)
            await fold(database, now_ms=self.office.now_ms)
            await database.close()

        asyncio.run(story())

    def take_out(self, lost: str) -> tuple[int, str]:
        with self.browse() as client:
            page = client.get(self.address).text
            answer = client.post(f"{self.address}/revoke", data={"csrf": csrf_of(page), "lost": lost})
        return answer.status_code, answer.text

    def read(self) -> tuple[str, str, list[list[str]], list[str]]:
        """The station's page, that of its neighbour, the report on the screen, and the notes of its workbook."""
        with self.browse() as client:
            page = client.get(self.address).text
            other = client.get(f"/stations/{self.office.district.stations[HONGXING]}").text
            report = client.get("/reports/monthly?month=2026-09").text
            file = client.get(
                re.findall(r'href="(/reports/monthly/[^"]+)">下载 Excel', report)[0].replace("&amp;", "&")
            )
        sheet = openpyxl.load_workbook(io.BytesIO(file.content)).worksheets[0]
        return page, other, rows(report), [str(sheet[f"J{number}"].value or "") for number in (5, 6)]


@pytest.fixture
def theft(database_url: str, clock: ManualClock) -> Theft:
    office = open_office(database_url, {"宝轮镇": ["爱国社区", "红星村"]}, clock)
    opened = Theft(office)
    opened.install(INSTALLED)
    return opened


BEFORE = [*plays("黄羊饲养", "2026-09-02 19:00", minutes=40), claim("2026-09-02 19:00", "2026-09-02 20:00", people=23)]
AFTER = [
    *plays("核桃栽培", "2026-09-07 19:00", minutes=50),
    claim("2026-09-07 19:00", "2026-09-07 20:00", people=9),
    claim("2026-09-03 19:00", "2026-09-03 20:00", people=8, entered="2026-09-08 09:00"),
]


@pytest.mark.parametrize("arrives_late", [False, True])
def test_what_a_stolen_computer_told_is_marked_and_counted_whenever_it_comes(theft: Theft, arrives_late: bool) -> None:
    theft.tell(BEFORE if arrives_late else [*BEFORE, *AFTER])
    code, _ = theft.take_out(LOST)
    if arrives_late:
        theft.tell(AFTER)

    page, other, report, notes = theft.read()
    note = NOTE % (2, 1)
    assert code == 303
    assert (note in page, note in report[0][9], note in notes[0]) == (True, True, True)
    assert report[0][4:8] == report[1][4:8] == ["2", "3", "40", "40"]
    assert ("报失，" in other, "报失" in report[1][9], "报失" in notes[1]) == (False, False, False)


def test_a_computer_taken_out_without_a_loss_is_under_no_doubt(theft: Theft) -> None:
    theft.tell([*BEFORE, *AFTER])
    assert theft.take_out("")[0] == 303
    page, _, report, notes = theft.read()
    assert ("报失，" in page, "报失" in report[0][9], "报失" in notes[0]) == (False, False, False)


def test_what_the_next_computer_tells_is_under_no_doubt(theft: Theft) -> None:
    theft.take_out(LOST)
    theft.install("2026-09-11 08:00")
    theft.office.clock.advance(days=4)
    theft.tell(plays("核桃栽培", "2026-09-12 19:00", minutes=50))
    assert NOTE % (0, 0) in theft.read()[0]


@pytest.mark.parametrize(
    ("lost", "reason"),
    [("2026-09-10T09:01", "丢失时间不能晚于现在"), ("2026-09-01T07:59", "丢失时间早于这台电脑的安装时间")],
)
def test_a_loss_ahead_or_before_the_installation_is_refused_and_nothing_is_done(
    theft: Theft, lost: str, reason: str
) -> None:
    code, page = theft.take_out(lost)
    number = theft.office.district.stations[AIGUO]
    keys = write(theft.office.url, lambda each: stations.list_keys(each, 510802, number, now_ms=theft.office.now_ms))
    assert (code, reason in page, f'value="{lost}"' in page) == (422, True, True)
    assert keys == {f"09-01-{number}": None}


def test_the_audit_trail_says_since_when(theft: Theft) -> None:
    theft.take_out(LOST)

    async def load(connection: Connection) -> list[dict[str, int]]:
        found = select(audit.c.detail).where(audit.c.action == "station.key_revoked")
        return list((await connection.execute(found)).scalars())

    told = [detail["lost_ms"] for detail in write(theft.office.url, load)]
    assert told == [at("2026-09-06 10:00")]
