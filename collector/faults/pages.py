"""Pages of the centre's staff: power cuts and maintenance told of beforehand, and the district's calendar."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from collector.areas import calendars
from collector.areas import queries as areas
from collector.areas.calendar import Week, make_calendar
from collector.areas.queries import Area, AreaKind
from collector.db.engine import Connection
from collector.errors import BadInputError, CentreError
from collector.faults import outages, queries
from collector.faults.queries import Outage, OutageKind
from collector.people import queries as people
from collector.people.access import May, Visitor, centre_of, may
from collector.stations import queries as stations
from collector.stations.queries import Station
from collector.web.forms import Number
from collector.web.i18n import msgid
from collector.web.render import renderer_of
from shared.months import local

router = APIRouter()

_DAY_MS = 86_400_000
_LOOK_BACK_MS = 30 * _DAY_MS
_SHOWN = 200
KIND_WORDS: Mapping[OutageKind, str] = {
    OutageKind.POWER_CUT: msgid("停电"),
    OutageKind.MAINTENANCE: msgid("检修"),
}
WEEKDAYS = (msgid("周一"), msgid("周二"), msgid("周三"), msgid("周四"), msgid("周五"), msgid("周六"), msgid("周日"))
WEEKS: Mapping[str, str] = {"working": msgid("工作时间"), "opening": msgid("站点开放时间")}


@dataclass(frozen=True, slots=True)
class Line:
    """An outage as the page shows it. `state`: now, ahead, over or cancelled."""

    outage: Outage
    place: str
    who: str
    state: str


@dataclass(frozen=True, slots=True)
class Run:
    """Days in a row that differ from their weekday in the same way; `is_own` where the district itself said so."""

    first: date
    last: date
    is_worked: bool
    is_own: bool


class OutageForm(BaseModel):
    """`area` is an area's id; `station` a village of it, empty for the whole area. Times as a browser writes them."""

    kind: OutageKind
    area: UUID
    station: Annotated[str, Field(max_length=60)] = ""
    begin: datetime
    end: datetime
    every_days: Annotated[str, Field(pattern=r"^\d{0,3}$")] = ""
    note: Annotated[str, Field(max_length=300)] = ""
    csrf: str = ""


class DaysForm(BaseModel):
    first: date
    last: date | Literal[""] = ""
    kind: Literal["off", "worked", "usual"]
    csrf: str = ""


class WeekForm(BaseModel):
    name: Literal["working", "opening"]
    weekdays: list[Annotated[int, Field(ge=1, le=7)]] = Field(default_factory=list)
    hours: Annotated[str, Field(max_length=200)]
    csrf: str = ""


@router.get("/outages")
async def list_outages(request: Request, visitor: Annotated[Visitor, may(May.SEE)]) -> Response:
    return await _outages_page(request, visitor)


@router.post("/outages")
async def report_outage(
    request: Request, visitor: Annotated[Visitor, may(May.SET_STATIONS)], form: Annotated[OutageForm, Form()]
) -> Response:
    centre, district_id = centre_of(request), visitor.district_id
    try:
        async with centre.database.write() as connection:
            station_id = await _find_station(connection, district_id, form.area, form.station.strip())
            number = await outages.report_outage(
                connection,
                district_id,
                kind=form.kind,
                from_ms=_ms(form.begin, centre.settings.zone),
                to_ms=_ms(form.end, centre.settings.zone),
                station_id=station_id,
                area_id=None if station_id is not None else form.area,
                every_days=int(form.every_days) if form.every_days.strip("0") else None,
                note=form.note,
                person_id=visitor.person.person_id,
                now_ms=centre.now_ms,
            )
            await _record(connection, request, visitor, "outage.reported", f"outage/{number}")
    except CentreError as problem:
        return await _outages_page(request, visitor, problem=problem, typed=form)
    return RedirectResponse("/outages?done=reported", 303)


@router.post("/outages/{outage_id}/end")
async def end_outage(
    request: Request, visitor: Annotated[Visitor, may(May.SET_STATIONS)], outage_id: Number
) -> Response:
    centre = centre_of(request)
    try:
        async with centre.database.write() as connection:
            await outages.end_outage(connection, visitor.district_id, outage_id, now_ms=centre.now_ms)
            await _record(connection, request, visitor, "outage.ended", f"outage/{outage_id}")
    except CentreError as problem:
        return await _outages_page(request, visitor, problem=problem)
    return RedirectResponse("/outages?done=ended", 303)


@router.get("/calendar")
async def show_calendar(request: Request, visitor: Annotated[Visitor, may(May.SEE)]) -> Response:
    return await _calendar_page(request, visitor)


@router.post("/calendar/days")
async def change_days(
    request: Request, visitor: Annotated[Visitor, may(May.SET_STATIONS)], form: Annotated[DaysForm, Form()]
) -> Response:
    worked = {"off": False, "worked": True, "usual": None}[form.kind]
    try:
        async with centre_of(request).database.write() as connection:
            await calendars.change_days(
                connection, visitor.district_id, first=form.first, last=form.last or form.first, is_worked=worked
            )
            await _record(connection, request, visitor, "calendar.days", f"{form.first}/{form.last}/{form.kind}")
    except CentreError as problem:
        return await _calendar_page(request, visitor, problem=problem, days=form)
    return RedirectResponse("/calendar?done=1", 303)


@router.post("/calendar/week")
async def change_week(
    request: Request, visitor: Annotated[Visitor, may(May.SET_STATIONS)], form: Annotated[WeekForm, Form()]
) -> Response:
    try:
        async with centre_of(request).database.write() as connection:
            await calendars.change_week(
                connection, visitor.district_id, name=form.name, weekdays=form.weekdays, hours=form.hours
            )
            await _record(connection, request, visitor, "calendar.week", form.name)
    except CentreError as problem:
        return await _calendar_page(request, visitor, problem=problem, week=form)
    return RedirectResponse("/calendar?done=1", 303)


async def _outages_page(
    request: Request, visitor: Visitor, *, problem: CentreError | None = None, typed: OutageForm | None = None
) -> Response:
    centre, district_id = centre_of(request), visitor.district_id
    now_ms = centre.now_ms
    async with centre.database.read() as connection:
        found = await queries.list_announced(connection, district_id, since_ms=now_ms - _LOOK_BACK_MS, limit=_SHOWN)
        tree = await areas.list_areas(connection, district_id)
        register = {each.station_id: each for each in await stations.list_stations(connection, district_id)}
        names = {each.person_id: each.name for each in await people.list_people(connection, district_id)}
    lines = [_line(each, tree, register, names, now_ms) for each in found]
    begin = local(now_ms, centre.settings.zone).replace(minute=0)
    return renderer_of(request).page(
        request,
        "faults/outages.html",
        status=problem.status if problem else 200,
        lines=lines,
        areas=[each for each in tree if each.kind is not AreaKind.VILLAGE],
        kinds=KIND_WORDS,
        typed=typed,
        begin=f"{typed.begin if typed else begin:%Y-%m-%dT%H:%M}",
        end=f"{typed.end if typed else begin + timedelta(hours=4):%Y-%m-%dT%H:%M}",
        problem=problem,
        done=request.query_params.get("done"),
    )


async def _calendar_page(
    request: Request,
    visitor: Visitor,
    *,
    problem: CentreError | None = None,
    days: DaysForm | None = None,
    week: WeekForm | None = None,
) -> Response:
    centre = centre_of(request)
    async with centre.database.read() as connection:
        settings = await areas.get_district_settings(connection, visitor.district_id)
    calendar, usual = make_calendar(settings), make_calendar({})
    today = local(centre.now_ms, centre.settings.zone).date()
    return renderer_of(request).page(
        request,
        "faults/calendar.html",
        status=problem.status if problem else 200,
        runs=list_runs(calendar.days, usual.days, since=today - timedelta(days=31)),
        weeks={name: (word, _week(calendar, name), hours_text(_week(calendar, name))) for name, word in WEEKS.items()},
        weekdays=WEEKDAYS,
        typed_days=days,
        typed_week=week,
        today=today.isoformat(),
        problem=problem,
        done=request.query_params.get("done"),
    )


def list_runs(days: Mapping[date, bool], usual: Mapping[date, bool], *, since: date) -> list[Run]:
    """Holidays and worked weekends from a day on, days in a row made one line."""
    runs: list[Run] = []
    for day in sorted(each for each in days if each >= since):
        is_own = usual.get(day) is not days[day]
        last = runs[-1] if runs else None
        if last is not None and (last.is_worked, last.is_own) == (days[day], is_own) and day - last.last <= _ONE:
            runs[-1] = Run(last.first, day, last.is_worked, last.is_own)
        else:
            runs.append(Run(day, day, days[day], is_own))
    return runs


_ONE = timedelta(days=1)


def hours_text(week: Week) -> str:
    return " ".join(f"{begin:%H:%M}-{end:%H:%M}" for begin, end in week.hours)


def _week(calendar: object, name: str) -> Week:
    week: Week = getattr(calendar, name)
    return week


def _line(
    outage: Outage,
    tree: Sequence[Area],
    register: Mapping[int, Station],
    names: Mapping[int, str],
    now_ms: int,
) -> Line:
    if outage.station_id is not None:
        place = register[outage.station_id].title if outage.station_id in register else "—"
    else:
        place = next((each.name for each in tree if each.area_id == outage.area_id), "—")
    if outage.cancelled_ms is not None:
        state = "cancelled"
    elif outages.is_current(outage, now_ms):
        state = "now"
    else:
        state = "ahead" if outage.every_days is not None or now_ms < outage.from_ms else "over"
    return Line(outage, place, names.get(outage.person_id or 0, ""), state)


async def _find_station(connection: Connection, district_id: int, area_id: UUID, name: str) -> int | None:
    """The station of this name in the area; None when none is named. Raises BadInputError."""
    if not name:
        return None
    register = await stations.list_stations(connection, district_id)
    found = [each for each in register if each.township_id == area_id and name in {each.name, each.title}]
    if len(found) != 1:
        raise BadInputError("这个乡镇没有叫这个名字的站点。请照名单写村名，或者空着表示整个乡镇。")
    return found[0].station_id


async def _record(connection: Connection, request: Request, visitor: Visitor, action: str, object_: str) -> None:
    await people.record(
        connection,
        visitor.district_id,
        person_id=visitor.person.person_id,
        action=action,
        object_=object_,
        now_ms=centre_of(request).now_ms,
    )


def _ms(moment: datetime, zone: ZoneInfo) -> int:
    return int(moment.replace(tzinfo=zone).timestamp() * 1000)
