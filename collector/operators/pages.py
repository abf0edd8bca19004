"""The operators' archive on the screen and as CSV. Who manages people may change files of their own field of work."""

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from collector.areas import queries as areas
from collector.areas.queries import AreaKind
from collector.db.engine import Connection
from collector.errors import BadInputError, CentreError, NotAllowedError
from collector.faults.rules.base import Category
from collector.operators import queries, service
from collector.operators.forms import Away, Filed, Filters, Numbered, Qualified, Trained, Versioned, day_of, words_of
from collector.operators.service import CLASSES, OPERATORS, TOPICS, Change, Row
from collector.operators.sheet import make_sheet
from collector.people import queries as people
from collector.people import service as accounts
from collector.people.access import May, Visitor, centre_of, may
from collector.people.queries import Person, Role
from collector.stations import queries as stations
from collector.tickets.forms import id_of
from collector.tickets.words import CATEGORIES
from collector.web.forms import Number
from collector.web.i18n import msgid
from collector.web.render import renderer_of
from collector.web.sheets import csv_file
from shared.months import local

router = APIRouter(prefix="/operators")

WEEKDAYS = tuple(map(msgid, ("周一", "周二", "周三", "周四", "周五", "周六", "周日")))
_SOON_DAYS = 60
Act = Callable[[Connection], Awaitable[None]]
Manager = Annotated[Visitor, may(May.MANAGE_PEOPLE)]


@router.get("")
async def operator_list(
    request: Request, visitor: Annotated[Visitor, may(May.SEE)], filters: Annotated[Filters, Query()]
) -> Response:
    """Who there is, who lacks training, and what each township should be trained in."""
    today = _today(request)
    async with centre_of(request).database.read() as connection:
        rows = await _rows(request, connection, visitor, filters)
        townships = await areas.list_areas(connection, visitor.district_id, kind=AreaKind.TOWNSHIP)
        places = {each.station_id: each.title for each in await stations.list_stations(connection, visitor.district_id)}
        topics = await service.list_topics(connection, visitor.district_id, now_ms=centre_of(request).now_ms)
    seen = [each for each in townships if visitor.sees(station_id=None, township_id=each.area_id)]
    by_area = {each.area_id: each for each in topics}
    return renderer_of(request).page(
        request,
        "operators/list.html",
        rows=rows,
        filters=filters,
        townships=seen,
        area_names={each.area_id: each.short for each in townships},
        places=places,
        classes=CLASSES,
        categories=CATEGORIES,
        topics=[(each, by_area[each.area_id].counts) for each in seen if each.area_id in by_area],
        topic_words=TOPICS,
        soon=(today + timedelta(days=_SOON_DAYS)).isoformat(),
    )


@router.get(".csv")
async def operator_file(
    request: Request, visitor: Annotated[Visitor, may(May.SEE)], filters: Annotated[Filters, Query()]
) -> Response:
    """The same list for a spreadsheet: phones stay masked."""
    translate = renderer_of(request).gettext(request)
    async with centre_of(request).database.read() as connection:
        rows = await _rows(request, connection, visitor, filters)
        names = {each.area_id: each.short for each in await areas.list_areas(connection, visitor.district_id)}
        places = {each.station_id: each.title for each in await stations.list_stations(connection, visitor.district_id)}
    sheet = make_sheet(rows, translate, areas=names, stations=places)
    return csv_file(f"{visitor.district}操作员档案.csv", sheet)


@router.get("/new")
async def new_page(request: Request, visitor: Manager) -> Response:
    return await _edit(request, visitor, Filed(area_id=str(visitor.township_id or "")), person=None)


@router.post("/new")
async def add(request: Request, visitor: Manager, form: Annotated[Filed, Form()]) -> Response:
    centre = centre_of(request)
    try:
        async with centre.database.write() as connection:
            new = await _change(connection, visitor, form)
            mine = visitor.person.person_id
            number = await service.add(connection, visitor.district_id, new, person_id=mine, now_ms=centre.now_ms)
    except BadInputError as problem:
        return await _edit(request, visitor, form, person=None, problem=problem)
    return RedirectResponse(f"/operators/{number}", 303)


@router.get("/{person_id:int}")
async def person_page(request: Request, visitor: Annotated[Visitor, may(May.SEE)], person_id: Number) -> Response:
    return await _show(request, visitor, person_id)


@router.post("/{person_id:int}/phone")
async def phone(request: Request, visitor: Manager, person_id: Number) -> Response:
    """The whole number, once, on the page; that it was shown is written down."""
    centre = centre_of(request)
    async with centre.database.write() as connection:
        person = await _require(connection, visitor, person_id)
        mine = visitor.person.person_id
        number = await service.show_phone(connection, person, person_id=mine, now_ms=centre.now_ms)
    return await _show(request, visitor, person_id, phone=number)


@router.post("/{person_id:int}/link")
async def sign_in_link(request: Request, visitor: Manager, person_id: Number) -> Response:
    """A one-time sign-in link to hand over, shown once."""
    centre = centre_of(request)
    async with centre.database.write() as connection:
        person = await _require(connection, visitor, person_id)
        token = await accounts.make_link(connection, visitor.district_id, person_id, now_ms=centre.now_ms)
        await people.record(
            connection,
            visitor.district_id,
            person_id=visitor.person.person_id,
            action="operators.link",
            object_=f"person/{person.person_id}",
            now_ms=centre.now_ms,
        )
    return await _show(
        request, visitor, person_id, link=f"{centre.settings.public_url.rstrip('/')}/signin/link/{token}"
    )


@router.get("/{person_id:int}/edit")
async def edit_page(request: Request, visitor: Manager, person_id: Number) -> Response:
    async with centre_of(request).database.read() as connection:
        person = await _require(connection, visitor, person_id)
        kept = await queries.get_file(connection, visitor.district_id, person_id)
    form = Filed(
        name=person.name,
        role=person.role,
        email=person.email,
        area_id=str(person.area_id or ""),
        station_id=str(person.station_id or ""),
        skills=[Category(each) for each in person.skills],
        more_areas=list(person.more_areas),
        duty=list(person.duty),
        duties="" if kept is None else kept.duties,
        version=1 if kept is None else kept.version,
    )
    return await _edit(request, visitor, form, person=person)


@router.post("/{person_id:int}/edit")
async def edit(request: Request, visitor: Manager, person_id: Number, form: Annotated[Filed, Form()]) -> Response:
    centre = centre_of(request)
    async with centre.database.read() as connection:
        person = await _require(connection, visitor, person_id)
    try:
        async with centre.database.write() as connection:
            new = await _change(connection, visitor, form)
            mine = visitor.person.person_id
            await service.change(connection, person, new, version=form.version, person_id=mine, now_ms=centre.now_ms)
    except CentreError as problem:
        return await _edit(request, visitor, form, person=person, problem=problem)
    return RedirectResponse(f"/operators/{person_id}", 303)


@router.post("/{person_id:int}/leave-office")
async def let_go(request: Request, visitor: Manager, person_id: Number, form: Annotated[Versioned, Form()]) -> Response:
    centre = centre_of(request)
    async with centre.database.write() as connection:
        person = await _require(connection, visitor, person_id)
        mine = visitor.person.person_id
        await service.let_go(connection, person, version=form.version, person_id=mine, now_ms=centre.now_ms)
    return RedirectResponse("/operators", 303)


@router.post("/{person_id:int}/training")
async def train(request: Request, visitor: Manager, person_id: Number, form: Annotated[Trained, Form()]) -> Response:
    async def act(connection: Connection) -> None:
        day, topic = day_of(form.day), words_of(form.topic)
        if day > _today(request).isoformat():
            raise BadInputError("培训的日期不能晚于今天。培训完再来登记。")
        await queries.add_training(connection, visitor.district_id, person_id, day=day, topic=topic, hours=form.hours)

    return await _add(request, visitor, person_id, act, form)


@router.post("/{person_id:int}/qualification")
async def qualify(
    request: Request, visitor: Manager, person_id: Number, form: Annotated[Qualified, Form()]
) -> Response:
    async def act(connection: Connection) -> None:
        issued, expires = day_of(form.issued_day), day_of(form.expires_day) if form.expires_day else None
        if expires is not None and expires < issued:
            raise BadInputError("有效期不能早于发证日期。请重新选择。")
        await queries.add_qualification(
            connection,
            visitor.district_id,
            person_id,
            title=words_of(form.title),
            number=form.number.strip(),
            issued_day=issued,
            expires_day=expires,
        )

    return await _add(request, visitor, person_id, act, form)


@router.post("/{person_id:int}/away")
async def away(request: Request, visitor: Manager, person_id: Number, form: Annotated[Away, Form()]) -> Response:
    """Write leave down: the ladder passes over whoever is away."""

    async def act(connection: Connection) -> None:
        begin, end = day_of(form.from_day), day_of(form.to_day)
        if end < begin:
            raise BadInputError("休假的结束日期不能早于开始日期。请重新选择。")
        await people.add_absence(
            connection, visitor.district_id, person_id, from_day=begin, to_day=end, reason=form.reason.strip()
        )

    return await _add(request, visitor, person_id, act, form)


@router.post("/{person_id:int}/back")
async def back(request: Request, visitor: Manager, person_id: Number, form: Annotated[Numbered, Form()]) -> Response:
    """Strike leave out."""
    async with centre_of(request).database.write() as connection:
        await _require(connection, visitor, person_id)
        await people.drop_absence(connection, visitor.district_id, person_id, form.number)
    return RedirectResponse(f"/operators/{person_id}", 303)


def list_classes(visitor: Visitor) -> dict[Role, str]:
    """The classes of which this visitor keeps files."""
    is_centre = visitor.person.role is Role.CENTRE
    return {role: word for role, word in CLASSES.items() if is_centre or role in OPERATORS}


async def _add(request: Request, visitor: Visitor, person_id: int, act: Act, form: BaseModel) -> Response:
    """Write one thing into a file. What cannot be written is said on the file's page, beside what was typed."""
    try:
        async with centre_of(request).database.write() as connection:
            await _require(connection, visitor, person_id)
            await act(connection)
    except BadInputError as problem:
        return await _show(request, visitor, person_id, problem=problem, typed=form)
    return RedirectResponse(f"/operators/{person_id}", 303)


async def _rows(request: Request, connection: Connection, visitor: Visitor, filters: Filters) -> list[Row]:
    rows = await service.list_rows(connection, visitor.district_id, today=_today(request))
    home = await _homes(connection, visitor)
    return [
        each
        for each in rows
        if visitor.sees(station_id=each.person.station_id, township_id=_home(each.person, home))
        and filters.township in {"", str(_home(each.person, home))}
        and filters.role in {"", each.person.role}
        and not (filters.lacking and (each.trained or each.person.role is not Role.BACKBONE))
    ]


async def _require(connection: Connection, visitor: Visitor, person_id: int) -> Person:
    """Somebody of the visitor's field of work; files of the office and the centre are the centre's alone."""
    person = await service.require_person(connection, visitor.district_id, person_id)
    if person.role not in list_classes(visitor):
        raise NotAllowedError
    home = _home(person, await _homes(connection, visitor))
    visitor.require_sight(station_id=person.station_id, township_id=home)
    return person


async def _change(connection: Connection, visitor: Visitor, form: Filed) -> Change:
    """What the form says, if it stays inside the visitor's field of work."""
    if form.role not in list_classes(visitor):
        raise BadInputError("管理站和区中心的人员由区中心登记。请选择骨干或普通操作员。")
    station_id = int(form.station_id) if form.station_id.isdecimal() else None
    area_id = id_of(form.area_id)
    if station_id is not None:
        station = await stations.require_station(connection, visitor.district_id, station_id)
        area_id = area_id or station.township_id
        visitor.require_sight(station_id=station_id, township_id=station.township_id)
    for each in [*form.more_areas, *([] if area_id is None else [area_id])]:
        visitor.require_sight(station_id=station_id, township_id=each)
    return Change(
        name=form.name,
        role=form.role,
        phone=form.phone,
        email=form.email,
        area_id=area_id,
        station_id=station_id,
        skills=list(form.skills),
        more_areas=form.more_areas,
        duty=form.duty,
        duties=form.duties,
    )


async def _show(
    request: Request,
    visitor: Visitor,
    person_id: int,
    *,
    phone: str | None = None,
    link: str | None = None,
    problem: CentreError | None = None,
    typed: BaseModel | None = None,
) -> Response:
    today = _today(request).isoformat()
    async with centre_of(request).database.read() as connection:
        person = await _require(connection, visitor, person_id)
        kept = await queries.get_file(connection, visitor.district_id, person_id)
        rows = await service.list_rows(connection, visitor.district_id, today=_today(request))
        trainings = await queries.list_trainings(connection, visitor.district_id, person_id)
        qualified = await queries.list_qualifications(connection, visitor.district_id, person_id=person_id)
        leave = await people.list_absences(connection, visitor.district_id, from_day=today)
        names = {each.area_id: each.short for each in await areas.list_areas(connection, visitor.district_id)}
        places = {each.station_id: each.title for each in await stations.list_stations(connection, visitor.district_id)}
    return renderer_of(request).page(
        request,
        "operators/person.html",
        status=problem.status if problem else 200,
        problem=problem,
        tried=request.url.path.rpartition("/")[2] if problem else "",
        typed=typed.model_dump() if typed else {},
        person=person,
        file=kept,
        row=next((each for each in rows if each.person.person_id == person_id), None),
        trainings=trainings,
        qualified=qualified,
        leave=[each for each in leave if each.person_id == person_id],
        masked=accounts.mask_phone(person.phone),
        phone=phone,
        link=link,
        area_names=names,
        places=places,
        classes=CLASSES,
        categories=CATEGORIES,
        weekdays=WEEKDAYS,
        today=today,
        manages=visitor.may(May.MANAGE_PEOPLE),
    )


async def _edit(
    request: Request, visitor: Visitor, form: Filed, *, person: Person | None, problem: CentreError | None = None
) -> Response:
    async with centre_of(request).database.read() as connection:
        townships = await areas.list_areas(connection, visitor.district_id, kind=AreaKind.TOWNSHIP)
        everywhere = await stations.list_stations(connection, visitor.district_id)
    return renderer_of(request).page(
        request,
        "operators/edit.html",
        status=problem.status if problem else 200,
        person=person,
        form=form,
        problem=problem,
        townships=[each for each in townships if visitor.sees(station_id=None, township_id=each.area_id)],
        stations=[
            each for each in everywhere if visitor.sees(station_id=each.station_id, township_id=each.township_id)
        ],
        classes=list_classes(visitor),
        categories=CATEGORIES,
        weekdays=WEEKDAYS,
        masked="" if person is None else accounts.mask_phone(person.phone),
    )


async def _homes(connection: Connection, visitor: Visitor) -> dict[int, UUID]:
    """The township of each station."""
    found = await stations.list_stations(connection, visitor.district_id)
    return {each.station_id: each.township_id for each in found if each.township_id is not None}


def _home(person: Person, homes: dict[int, UUID]) -> UUID | None:
    return person.area_id or homes.get(person.station_id or 0)


def _today(request: Request) -> date:
    centre = centre_of(request)
    return local(centre.now_ms, centre.settings.zone).date()
