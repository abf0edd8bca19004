import io
import json

import pytest
from openpyxl import load_workbook

from collector.db.engine import Database
from collector.errors import NotFoundError
from collector.usage import report_queries, service
from collector.usage.reports import monthly, monthly_excel
from collector.usage.reports.base import MonthlyReport, Standing
from shared.months import BEIJING
from tests.collector.usage.conftest import Tell
from tests.collector.usage.events import NOW_MS, Fact, append, at, claim, fold, hear, plant, plays, received


async def _report(database: Database, month: int = 202609, now_ms: int = NOW_MS) -> MonthlyReport:
    async with database.read() as connection:
        return await service.monthly_report(connection, 510802, month, now_ms=now_ms, zone=BEIJING)


def test_figures_zero_pending_and_not_installed_are_four_displays(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        used, idle, silent = district.stations.values()
        await append(database, used, plays("甲", "2026-09-10 19:00", minutes=40))
        await hear(database, used, at_ms=NOW_MS, last=3)
        await append(database, idle, [Fact("host.booted", at("2026-09-02 08:00"), {"clean": True})])
        await hear(database, idle, at_ms=NOW_MS, last=1)
        await fold(database)
        before = await _report(database)
        await append(database, silent, [Fact("host.booted", at("2026-09-02 08:00"), {"clean": True})])
        await hear(database, silent, at_ms=at("2026-09-20 17:00"), last=1)
        await fold(database)
        after = await _report(database)
        assert [each.standing for each in before.rows] == [Standing.KNOWN, Standing.ZERO, Standing.NOT_INSTALLED]
        assert [each.standing_text for each in before.rows] == ["", "本月未使用", "未安装"]
        assert after.rows[2].standing_text == "数据待补传，截至 9 月 20 日"
        assert [(each.stations, each.known) for each in after.townships] == [(2, 2), (1, 0)]

    tell(story)


def test_facts_still_on_the_station_make_the_month_pending(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        station = district.stations["宝轮镇 爱国社区"]
        await append(database, station, plays("甲", "2026-09-10 19:00", minutes=40))
        await hear(database, station, at_ms=NOW_MS, last=50)
        await fold(database)
        row = (await _report(database)).rows[0]
        assert row.standing_text == "数据待补传，截至 9 月 10 日"
        assert row.completeness.text == "待补传 47 条"
        await append(database, station, plays("乙", "2026-10-01 19:00", minutes=40))
        await fold(database)
        row = (await _report(database)).rows[0]
        assert (row.standing, row.completeness.text) == (Standing.KNOWN, "完整")

    tell(story)


def test_a_few_facts_on_their_way_do_not_make_the_running_month_pending(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        station = district.stations["宝轮镇 爱国社区"]
        await append(database, station, plays("甲", "2026-10-02 07:00", minutes=40))
        await hear(database, station, at_ms=NOW_MS, last=5)
        await fold(database)
        assert (await _report(database, 202610)).rows[0].standing is Standing.KNOWN

    tell(story)


def test_produced_is_stored_and_declared_lost(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        station = district.stations["宝轮镇 爱国社区"]
        gap = {"first": 4, "last": 23, "counts": {"courseware.progress": 20}, "head": "0" * 64}
        facts = [*plays("甲", "2026-09-10 19:00", minutes=40), Fact("spool.gap", at("2026-09-11 08:00"), gap)]
        await append(database, station, facts)
        await append(database, station, plays("乙", "2026-09-12 19:00", minutes=40))
        await hear(database, station, at_ms=NOW_MS, last=26)
        assert await fold(database) == 7
        completeness = (await _report(database)).rows[0].completeness
        assert (completeness.stored, completeness.lost, completeness.produced) == (6, 20, 26)
        assert completeness.text == "缺失 20 条（已申报）"

    tell(story)


def test_a_township_report_holds_its_stations_only_and_sums_agree(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        for number, station in enumerate(district.stations.values(), 1):
            await append(database, station, [claim("2026-09-10 19:00", "2026-09-10 20:00", people=number)])
        await fold(database)
        township_id = district.townships["宝轮镇"]
        async with database.read() as connection:
            report = await service.monthly_report(
                connection, 510802, 202609, township_id=township_id, now_ms=NOW_MS, zone=BEIJING
            )
            bars = await report_queries.month_figures(connection, 510802, 202609)
        whole = await _report(database)
        assert [each.title for each in report.rows] == ["宝轮镇 爱国社区", "宝轮镇 红星村"]
        assert (report.unit, whole.unit) == ("宝轮镇远程教育管理站", "利州区远程教育中心")
        assert (report.total.people, whole.total.people) == (3, 6)
        assert [each.figures.people for each in whole.townships] == [3, 3]
        assert [(each.township, each.sessions, each.people) for each in bars] == [("宝轮镇", 2, 3), ("大石镇", 1, 3)]

    tell(story)


def test_the_check_code_follows_the_figures_and_not_the_day_of_printing(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        station = district.stations["宝轮镇 爱国社区"]
        await append(database, station, [received("甲", "2026-09-10 02:00")])
        await hear(database, station, at_ms=NOW_MS, last=1)
        await fold(database)
        first, later = await _report(database), await _report(database, now_ms=NOW_MS + 86_400_000)
        await append(database, station, [received("乙", "2026-09-11 02:00")])
        await fold(database)
        changed = await _report(database)
        assert first.check_code == later.check_code
        assert first.check_code != changed.check_code

    tell(story)


def test_a_district_or_township_nobody_knows_is_not_found(tell: Tell) -> None:
    async def story(database: Database) -> None:
        await plant(database)
        async with database.read() as connection:
            with pytest.raises(NotFoundError):
                await service.monthly_report(connection, 1, 202609, now_ms=NOW_MS, zone=BEIJING)

    tell(story)


def test_screen_and_excel_are_one_query(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        for number, station in enumerate(district.stations.values(), 1):
            facts = [*plays("甲", "2026-09-10 19:00", minutes=40), received("乙", "2026-09-10 02:00")]
            await append(database, station, [*facts, claim("2026-09-10 19:00", "2026-09-10 20:00", people=number)])
            await hear(database, station, at_ms=NOW_MS, last=5)
        await fold(database)
        report = await _report(database)
        sheet = load_workbook(io.BytesIO(monthly_excel.REPORT.render(report)), data_only=True)["月报表"]
        shown = [[cell.value for cell in row[1:9]] for row in sheet["A5:J7"]]
        assert shown == [[row.title, *monthly_excel.counts_of(row), row.played_text] for row in report.rows]
        assert [row[1:7] for row in shown] == [[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 2, 2], [1, 1, 1, 1, 3, 3]]

    tell(story)


def test_the_json_form_tells_every_figure(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        await append(database, district.stations["宝轮镇 爱国社区"], plays("甲", "2026-09-10 19:00", minutes=40))
        await fold(database)
        report = await _report(database)
        value = json.loads(monthly.REPORT.render(report))
        assert (value["month"], value["check_code"]) == ("2026-09", report.check_code)
        assert value["rows"][0]["figures"]["content_s"] == 2400
        assert value["rows"][0]["standing"] == "pending"

    tell(story)
