"""A report with every display in it, and with names a hostile or careless station might send."""

from datetime import date
from uuid import UUID

from collector.usage.reports.base import (
    Figures,
    MonthlyReport,
    Receipt,
    StationSource,
)
from collector.usage.reports.monthly import build_monthly
from collector.usage.rules import UsageRules
from shared.months import BEIJING
from tests.collector.usage.events import NOW_MS, at

BAOLUN, DASHI = UUID(int=1), UUID(int=2)
MADE_ON = date(2026, 10, 2)
HEARD = Receipt(enrolled_ms=1, received_ms=NOW_MS)
SILENT = Receipt(enrolled_ms=1, received_ms=at("2026-09-20 17:00"))


def source(
    number: int,
    name: str,
    figures: Figures,
    *,
    played: tuple[str, ...] = (),
    township: str = "宝轮镇",
    receipt: Receipt = HEARD,
    facts: int = 100,
) -> StationSource:
    return StationSource(
        station_id=number,
        township_id=BAOLUN if township == "宝轮镇" else DASHI,
        township=township,
        name=name,
        figures=figures,
        downloaded_names=played[:1],
        stored_names=played,
        played_names=played,
        stored_facts=facts,
        lost_facts=0,
        receipt=receipt,
    )


def build(*sources: StationSource, township_id: UUID | None = None) -> MonthlyReport:
    return build_monthly(
        sources,
        district_id=510802,
        district="利州区",
        township_id=township_id,
        month=202609,
        now_ms=NOW_MS,
        zone=BEIJING,
        rules=UsageRules(),
    )


def sample() -> MonthlyReport:
    """Known, zero, pending, not installed; two townships."""
    used = Figures(downloaded=3, stored=9, played=2, sessions=4, people=120, visits=150, proposed=1, e3_s=600)
    other = Figures(downloaded=1, stored=2, played=1, sessions=1, people=20, visits=20, content_s=2400, e2_s=2400)
    partly = Figures(downloaded=1, stored=2)
    return build(
        source(1, "爱国社区", used, played=("黄羊饲养", "《土地承包法》解读")),
        source(2, "红星村", Figures(stored=5)),
        source(3, "老林村", partly, receipt=SILENT),
        source(4, "苟村", Figures(), receipt=Receipt(), facts=0),
        source(5, "红岩村", other, played=("换届纪律",), township="大石镇"),
    )
