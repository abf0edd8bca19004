"""The figures on the screen and as CSV."""

from collections.abc import Callable
from typing import Annotated
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from collector.errors import NotAllowedError
from collector.figures import service
from collector.figures.service import BY_WORDS, By, Table
from collector.people.access import May, Visitor, centre_of, may
from collector.people.queries import Role
from collector.web.i18n import msgid
from collector.web.render import renderer_of
from collector.web.sheets import csv_file
from shared.months import local, month_bounds, month_of, month_text, parse_month, previous_month

router = APIRouter(prefix="/figures")

_MONTHS_OFFERED = 12
_COLUMNS = (
    msgid("故障数"),
    msgid("已了结"),
    msgid("乡镇内解决"),
    msgid("乡镇内解决率"),
    msgid("受理用时（小时）"),
    msgid("修复用时（小时）"),
    msgid("重复故障"),
)
_PRESENCE = (msgid("可用率"), msgid("数据覆盖率"))

Span = tuple[int, int]


class Asked(BaseModel):
    """What the address of the page says. `period` is a year or a month: `2026`, `2026-09`."""

    by: str = ""
    period: str = ""

    def address(self, path: str = "", **changes: object) -> str:
        values = {**self.model_dump(exclude_defaults=True), **changes}
        query = urlencode({name: str(value) for name, value in values.items() if value})
        return f"/figures{path}" + (f"?{query}" if query else "")

    @property
    def group(self) -> By:
        return By(self.by) if self.by in set(By) else By.TOWNSHIP


@router.get("")
async def figures(
    request: Request, visitor: Annotated[Visitor, may(May.SEE)], asked: Annotated[Asked, Query()]
) -> Response:
    """The table, its definitions, and the headline against the period before."""
    centre = centre_of(request)
    period = _period(asked.period, centre.now_ms, centre.settings.zone)
    table = await _make(request, visitor, asked, period)
    return renderer_of(request).page(
        request,
        "figures/figures.html",
        table=table,
        asked=asked,
        period=period,
        period_word=_word(period, renderer_of(request).gettext(request)),
        by_words=BY_WORDS,
        periods=_offered(centre.now_ms, centre.settings.zone),
        now_ms=centre.now_ms,
    )


@router.get(".csv")
async def figures_file(
    request: Request, visitor: Annotated[Visitor, may(May.SEE)], asked: Annotated[Asked, Query()]
) -> Response:
    """The same table for a spreadsheet."""
    centre = centre_of(request)
    period = _period(asked.period, centre.now_ms, centre.settings.zone)
    table = await _make(request, visitor, asked, period)
    translate = renderer_of(request).gettext(request)
    presence = _PRESENCE if table.by is By.TOWNSHIP else ()
    rows: list[list[object]] = [[translate(word) for word in (BY_WORDS[table.by], *_COLUMNS, *presence)]]
    for line in table.lines:
        sums = line.sums
        shares = () if line.presence is None else (_percent(line.presence.share), _percent(line.presence.coverage))
        figures = (sums.faults, sums.decided, sums.local, _percent(sums.local_share))
        spans = (_hours(sums.answer_ms), _hours(sums.repair_ms))
        rows.append([translate(line.label), *figures, *spans, sums.repeated, *shares])
    return csv_file(f"{visitor.district}故障统计{period}.csv", rows)


async def _make(request: Request, visitor: Visitor, asked: Asked, period: str) -> Table:
    if visitor.person.role is Role.PLAIN:
        raise NotAllowedError
    centre = centre_of(request)
    zone = centre.settings.zone
    async with centre.database.read() as connection:
        return await service.make_table(
            connection,
            visitor.district_id,
            asked.group,
            period=_bounds(period, zone),
            before=_bounds(_before(period), zone),
            now_ms=centre.now_ms,
            township_id=visitor.township_id,
        )


def _period(text: str, now_ms: int, zone: ZoneInfo) -> str:
    """The period asked for; this year for anything senseless."""
    try:
        return month_text(parse_month(text))
    except ValueError:
        is_year = len(text) == 4 and text.isdecimal() and int(text) > 2000
        return text if is_year else str(local(now_ms, zone).year)


def _word(period: str, translate: Callable[[str], str]) -> str:
    """A period as a sentence names it: 2026 年, 2026 年 9 月."""
    year, _, month = period.partition("-")
    said = translate(msgid("{year} 年 {month} 月")) if month else translate(msgid("{year} 年"))
    return said.format(year=year, month=month.lstrip("0"))


def _bounds(period: str, zone: ZoneInfo) -> Span:
    if "-" in period:
        return month_bounds(parse_month(period), zone)
    year = int(period) * 100
    return month_bounds(year + 1, zone)[0], month_bounds(year + 12, zone)[1]


def _before(period: str) -> str:
    return month_text(previous_month(parse_month(period))) if "-" in period else str(int(period) - 1)


def _offered(now_ms: int, zone: ZoneInfo) -> list[str]:
    """Two years and the last twelve months, the present first."""
    year, month = local(now_ms, zone).year, month_of(now_ms, zone)
    months = [month]
    while len(months) < _MONTHS_OFFERED:
        months.append(previous_month(months[-1]))
    return [str(year), str(year - 1), *map(month_text, months)]


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _hours(ms: int | None) -> str:
    return "" if ms is None else f"{ms / 3_600_000:.1f}"
