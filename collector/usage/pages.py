"""The monthly report on the screen, as the form itself, and its files."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated
from urllib.parse import quote, urlencode
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from collector.areas import queries as areas
from collector.areas.queries import Area, AreaKind
from collector.centre import Centre
from collector.errors import NotAllowedError, NotFoundError
from collector.people.access import May, Visitor, centre_of, may
from collector.people.queries import Role
from collector.usage import reports, service
from collector.usage.reports.base import MonthlyReport, Report, Standing, StationMonth, TownshipMonth
from collector.web.render import renderer_of
from shared.discover import discover
from shared.months import month_of, month_text, next_month, parse_month, previous_month

router = APIRouter(prefix="/reports/monthly")

MOST_ROWS = 60
"""A larger district is shown by township until every station is asked for; its files always have every station."""

_WORST: Mapping[Standing, int] = {
    Standing.ZERO: 0,
    Standing.KNOWN: 1,
    Standing.PENDING: 2,
    Standing.NOT_INSTALLED: 3,
}


class Asked(BaseModel):
    """What the address of the report says. `order`: official, or worst first; `each`: a line for every station."""

    month: str = ""
    township: str = ""
    order: str = "official"
    each: str = ""

    def address(self, path: str = "", **changes: object) -> str:
        values = {**self.model_dump(exclude_defaults=True), **changes}
        query = urlencode({name: str(value) for name, value in values.items() if value})
        return f"/reports/monthly{path}" + (f"?{query}" if query else "")


@router.get("")
async def monthly_report(
    request: Request, visitor: Annotated[Visitor, may(May.SEE)], asked: Annotated[Asked, Query()]
) -> Response:
    centre = centre_of(request)
    month = _month(centre, asked)
    report, townships = await _make(centre, visitor, asked, month)
    this_month = month_of(centre.now_ms, centre.settings.zone)
    is_large = report.is_whole_district and len(report.rows) > MOST_ROWS
    return renderer_of(request).page(
        request,
        "usage/monthly.html",
        report=report,
        rows=worst_first(report.rows) if asked.order == "worst" else report.rows,
        by_township=is_large and not asked.each,
        is_large=is_large,
        towns=laziest_first(report.townships) if asked.order == "worst" else report.townships,
        asked=asked,
        month=month_text(month),
        newest=month_text(this_month),
        running=month == this_month,
        before=asked.address(month=month_text(previous_month(month))),
        after=asked.address(month=month_text(next_month(month))) if month < this_month else None,
        townships=townships if visitor.township_id is None and visitor.station_id is None else [],
        files=list_files().values(),
    )


@router.get("/{name}")
async def monthly_file(
    request: Request, visitor: Annotated[Visitor, may(May.SEE)], name: str, asked: Annotated[Asked, Query()]
) -> Response:
    """The same report as a file."""
    form = list_files().get(name)
    if form is None:
        raise NotFoundError
    centre = centre_of(request)
    month = _month(centre, asked)
    report, _ = await _make(centre, visitor, asked, month)
    file_name = quote(f"{report.unit}{month_text(month)}{form.title}{form.suffix}")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{file_name}"}
    return Response(form.render(report), media_type=form.media_type, headers=headers)


@cache
def list_files() -> Mapping[str, Report]:
    """Every form a report can be had in, by name."""
    return {each.name: each for each in discover(reports, "REPORT", Report).values()}


def worst_first(rows: Sequence[StationMonth]) -> list[StationMonth]:
    """Stations that did least first; those of which nothing can be said last."""
    return sorted(
        rows, key=lambda each: (_WORST[each.standing], each.figures.sessions, each.figures.visits, each.figures.played)
    )


def laziest_first(townships: Sequence[TownshipMonth]) -> list[TownshipMonth]:
    """Townships with the fewest study sessions for each of their stations first."""
    return sorted(townships, key=lambda each: each.figures.sessions / max(each.stations, 1))


async def _make(centre: Centre, visitor: Visitor, asked: Asked, month: int) -> tuple[MonthlyReport, list[Area]]:
    if visitor.person.role is Role.PLAIN:
        raise NotAllowedError
    async with centre.database.read() as connection:
        townships = await areas.list_areas(connection, visitor.district_id, kind=AreaKind.TOWNSHIP)
        report = await service.monthly_report(
            connection,
            visitor.district_id,
            month,
            township_id=visitor.township_id or _township(asked.township),
            now_ms=centre.now_ms,
            zone=centre.settings.zone,
        )
    return report, townships


def _month(centre: Centre, asked: Asked) -> int:
    """The month asked for, the running one for anything senseless, never one that has not begun."""
    running = month_of(centre.now_ms, centre.settings.zone)
    try:
        return min(parse_month(asked.month), running)
    except ValueError:
        return running


def _township(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError as error:
        raise NotFoundError from error
