"""The monthly report: judges each station's month, sums townships and district. As a form: JSON, for machines.

Four displays are kept apart: figures, a true zero, data still to come, not installed.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from collector.usage.reports.base import (
    Completeness,
    Figures,
    MonthlyReport,
    Report,
    Standing,
    StationMonth,
    StationSource,
    TownshipMonth,
)
from collector.usage.rules import UsageRules
from shared.months import local, month_bounds, month_text


def build_monthly(
    sources: Sequence[StationSource],
    *,
    district_id: int,
    district: str,
    township_id: UUID | None,
    month: int,
    now_ms: int,
    zone: ZoneInfo,
    rules: UsageRules,
) -> MonthlyReport:
    """The report of these stations, in their order."""
    rows = tuple(judge_station(each, month=month, now_ms=now_ms, zone=zone, rules=rules) for each in sources)
    unit = f"{district}远程教育中心" if township_id is None else f"{rows[0].township if rows else ''}远程教育管理站"
    return MonthlyReport(
        district_id=district_id,
        district=district,
        unit=unit,
        month=month,
        made_on=local(now_ms, zone).date(),
        rows=rows,
        townships=_townships(rows),
        total=Figures.total(each.figures for each in rows),
        check_code=check_code(district_id, month, rows),
    )


def judge_station(source: StationSource, *, month: int, now_ms: int, zone: ZoneInfo, rules: UsageRules) -> StationMonth:
    """One line of the form, with how its figures are to be read."""
    _, end_ms = month_bounds(month, zone)
    horizon_ms = end_ms if now_ms >= end_ms else now_ms - rules.fresh_s * 1000
    receipt = source.receipt
    known_ms = receipt.last_ms if receipt.waiting else receipt.received_ms
    is_complete = known_ms is not None and known_ms >= horizon_ms
    return StationMonth(
        station_id=source.station_id,
        township_id=source.township_id,
        township=source.township,
        name=source.name,
        standing=_standing(source, end_ms=end_ms, is_complete=is_complete),
        as_of=None if is_complete or known_ms is None else _day(known_ms, zone),
        figures=source.figures,
        downloaded_names=source.downloaded_names,
        stored_names=source.stored_names,
        played_names=source.played_names,
        completeness=Completeness(source.stored_facts, source.lost_facts, 0 if is_complete else receipt.waiting),
        losses=source.losses,
    )


def check_code(district_id: int, month: int, rows: Iterable[StationMonth]) -> str:
    """`7F3A-92C1`: changes when any printed figure, name or standing changes, and not with the day of printing."""
    lines = [
        [
            each.station_id,
            each.standing,
            each.figures.downloaded,
            each.figures.stored,
            each.figures.played,
            each.figures.sessions,
            each.figures.people,
            each.figures.visits,
            list(each.played_names),
        ]
        for each in rows
    ]
    text = json.dumps([district_id, month, lines], ensure_ascii=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest().upper()
    return f"{digest[:4]}-{digest[4:8]}"


def render_json(report: MonthlyReport) -> bytes:
    """The whole report for machines, UTF-8."""
    value = {**asdict(report), "month": month_text(report.month)}
    return json.dumps(value, ensure_ascii=False, default=_plain, indent=1).encode()


REPORT = Report(
    name="monthly",
    title="月使用情况报告表（数据）",
    suffix=".json",
    media_type="application/json",
    render=render_json,
)


def _standing(source: StationSource, *, end_ms: int, is_complete: bool) -> Standing:
    enrolled_ms = source.receipt.enrolled_ms
    if source.stored_facts == 0 and (enrolled_ms is None or enrolled_ms >= end_ms):
        return Standing.NOT_INSTALLED
    if not is_complete:
        return Standing.PENDING
    figures = source.figures
    was_used = figures.downloaded or figures.played or figures.sessions or figures.proposed
    return Standing.KNOWN if was_used else Standing.ZERO


def _townships(rows: Iterable[StationMonth]) -> tuple[TownshipMonth, ...]:
    grouped: dict[UUID, list[StationMonth]] = {}
    for each in rows:
        grouped.setdefault(each.township_id, []).append(each)
    return tuple(
        TownshipMonth(
            township_id=township_id,
            township=each[0].township,
            stations=len(each),
            known=sum(row.standing in {Standing.KNOWN, Standing.ZERO} for row in each),
            figures=Figures.total(row.figures for row in each),
        )
        for township_id, each in grouped.items()
    )


def _day(ms: int, zone: ZoneInfo) -> date:
    return local(ms, zone).date()


def _plain(value: Any) -> str:
    return str(value)
