"""The list of tickets and the page of one ticket, made for a phone."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime, time, timedelta
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from collector.areas import queries as areas
from collector.areas.queries import AreaKind
from collector.db.engine import Connection
from collector.errors import CentreError
from collector.faults.service import list_cards
from collector.people import queries as people
from collector.people.access import May, Visitor, centre_of, may
from collector.people.pages import inside
from collector.people.queries import Person, Role
from collector.tickets import queries, service
from collector.tickets.cards import lines_of
from collector.tickets.queries import Ticket
from collector.tickets.words import ACTIONS, CATEGORIES
from collector.web.render import renderer_of
from shared.months import local

router = APIRouter(prefix="/tickets")

_STEP = 50
_MOST = 500
_DAY_ENDS = time(18)
_HANDS = frozenset({Role.BACKBONE, Role.TOWNSHIP, Role.CENTRE, Role.PLAIN})


class Filters(BaseModel):
    """What the address of the list says; senseless values ask for everything."""

    show: str = "open"
    township: str = ""
    mine: str = ""
    limit: Annotated[int, Field(ge=1, le=_MOST)] = _STEP

    def address(self, **changes: object) -> str:
        values = {**self.model_dump(exclude_defaults=True), **changes}
        query = urlencode({name: str(value) for name, value in values.items() if value})
        return f"/tickets?{query}" if query else "/tickets"


class Seen(BaseModel):
    """Every form says which version of the ticket the person was looking at."""

    version: int
    note: Annotated[str, Field(max_length=2000)] = ""
    back: Annotated[str, Field(max_length=2000)] = ""
    csrf: str = ""


class Promise(Seen):
    day: date | None = None


class Delay(Seen):
    day: date


class HandOver(Seen):
    assignee_id: int


class Fixed(Seen):
    cause: Annotated[str, Field(max_length=200)] = ""
    done: Annotated[str, Field(max_length=2000)] = ""
    parts: Annotated[str, Field(max_length=200)] = ""
    on_site: bool = False


@router.get("")
async def ticket_list(
    request: Request, visitor: Annotated[Visitor, may(May.SEE)], filters: Annotated[Filters, Query()]
) -> Response:
    centre = centre_of(request)
    async with centre.database.read() as connection:
        listed = await queries.list_tickets(
            connection,
            visitor.district_id,
            open_only=filters.show != "all",
            township_id=visitor.township_id or _id(filters.township),
            station_id=visitor.station_id,
            assignee_id=visitor.person.person_id if filters.mine else None,
            limit=filters.limit + 1,
        )
        townships = await areas.list_areas(connection, visitor.district_id, kind=AreaKind.TOWNSHIP)
        names = await _names(connection, visitor.district_id)
    return renderer_of(request).page(
        request,
        "tickets/list.html",
        lines=lines_of(request, listed[: filters.limit]),
        more=filters.address(limit=filters.limit + _STEP) if len(listed) > filters.limit < _MOST else None,
        filters=filters,
        townships=[] if visitor.township_id or visitor.station_id else townships,
        names=names,
        categories=CATEGORIES,
        now_ms=centre.now_ms,
    )


@router.get("/{ticket_id}")
async def ticket_page(request: Request, visitor: Annotated[Visitor, may(May.SEE)], ticket_id: int) -> Response:
    return await _page(request, visitor, ticket_id)


@router.post("/{ticket_id}/acknowledge")
async def acknowledge(
    request: Request,
    visitor: Annotated[Visitor, may(May.WORK_TICKETS)],
    ticket_id: int,
    form: Annotated[Promise, Form()],
) -> Response:
    centre = centre_of(request)
    day = form.day or next_working_day(centre.now_ms, centre.settings.zone)

    async def act(connection: Connection, ticket: Ticket) -> object:
        return await service.acknowledge(
            connection,
            ticket,
            person_id=visitor.person.person_id,
            version=form.version,
            promised_ms=end_of(day, centre.settings.zone),
            note=form.note,
            now_ms=centre.now_ms,
        )

    return await _work(request, visitor, ticket_id, act, form)


@router.post("/{ticket_id}/comment")
async def comment(
    request: Request, visitor: Annotated[Visitor, may(May.WORK_TICKETS)], ticket_id: int, form: Annotated[Seen, Form()]
) -> Response:
    async def act(connection: Connection, ticket: Ticket) -> object:
        return await service.comment(
            connection,
            ticket,
            person_id=visitor.person.person_id,
            version=form.version,
            note=form.note,
            now_ms=centre_of(request).now_ms,
        )

    return await _work(request, visitor, ticket_id, act, form)


@router.post("/{ticket_id}/reassign")
async def reassign(
    request: Request,
    visitor: Annotated[Visitor, may(May.WORK_TICKETS)],
    ticket_id: int,
    form: Annotated[HandOver, Form()],
) -> Response:
    async def act(connection: Connection, ticket: Ticket) -> object:
        return await service.reassign(
            connection,
            ticket,
            person_id=visitor.person.person_id,
            version=form.version,
            assignee_id=form.assignee_id,
            note=form.note,
            now_ms=centre_of(request).now_ms,
        )

    return await _work(request, visitor, ticket_id, act, form)


@router.post("/{ticket_id}/wait")
async def wait(
    request: Request, visitor: Annotated[Visitor, may(May.WORK_TICKETS)], ticket_id: int, form: Annotated[Delay, Form()]
) -> Response:
    centre = centre_of(request)

    async def act(connection: Connection, ticket: Ticket) -> object:
        return await service.wait(
            connection,
            ticket,
            person_id=visitor.person.person_id,
            version=form.version,
            until_ms=end_of(form.day, centre.settings.zone),
            reason=form.note,
            now_ms=centre.now_ms,
        )

    return await _work(request, visitor, ticket_id, act, form)


@router.post("/{ticket_id}/resolve")
async def resolve(
    request: Request, visitor: Annotated[Visitor, may(May.WORK_TICKETS)], ticket_id: int, form: Annotated[Fixed, Form()]
) -> Response:
    async def act(connection: Connection, ticket: Ticket) -> object:
        return await service.resolve(
            connection,
            ticket,
            person_id=visitor.person.person_id,
            version=form.version,
            cause=form.cause,
            done=form.done,
            parts=form.parts,
            on_site=form.on_site,
            now_ms=centre_of(request).now_ms,
        )

    return await _work(request, visitor, ticket_id, act, form)


def next_working_day(now_ms: int, zone: ZoneInfo) -> date:
    """Tomorrow, or Monday: the day a ticket is promised for when nobody says another."""
    day = local(now_ms, zone).date() + timedelta(days=1)
    return day + timedelta(days=max(0, 7 - day.weekday()) if day.weekday() >= 5 else 0)


def end_of(day: date, zone: ZoneInfo) -> int:
    """The end of a working day, 18:00, as epoch milliseconds."""
    return int(datetime.combine(day, _DAY_ENDS, zone).timestamp() * 1000)


async def _work(
    request: Request,
    visitor: Visitor,
    ticket_id: int,
    act: Callable[[Connection, Ticket], Awaitable[object]],
    form: Seen,
) -> Response:
    """Do one thing to a ticket. What cannot be done is said on the ticket's own page, with its newest state."""
    try:
        async with centre_of(request).database.write() as connection:
            await act(connection, await _require(connection, visitor, ticket_id))
    except CentreError as problem:
        return await _page(request, visitor, ticket_id, problem=problem, typed=form)
    return RedirectResponse(inside(form.back or f"/tickets/{ticket_id}"), 303)


async def _require(connection: Connection, visitor: Visitor, ticket_id: int) -> Ticket:
    ticket = await service.require_ticket(connection, visitor.district_id, ticket_id)
    visitor.require_sight(station_id=ticket.station_id, township_id=ticket.area_id)
    return ticket


async def _page(
    request: Request,
    visitor: Visitor,
    ticket_id: int,
    *,
    problem: CentreError | None = None,
    typed: Seen | None = None,
) -> Response:
    centre = centre_of(request)
    async with centre.database.read() as connection:
        ticket = await _require(connection, visitor, ticket_id)
        changes = await queries.list_changes(connection, visitor.district_id, ticket_id)
        everybody = await people.list_people(connection, visitor.district_id)
    names = {each.person_id: each.name for each in everybody}
    return renderer_of(request).page(
        request,
        "tickets/ticket.html",
        status=problem.status if problem else 200,
        line=lines_of(request, [ticket])[0],
        ticket=ticket,
        card=list_cards().get(ticket.rule),
        category=CATEGORIES[ticket.category],
        changes=[(each, service.explain(each, renderer_of(request).gettext(request))) for each in changes],
        actions=ACTIONS,
        names=names,
        hands=_hands(everybody, ticket),
        tomorrow=next_working_day(centre.now_ms, centre.settings.zone),
        problem=problem,
        typed=typed.note if typed else "",
        now_ms=centre.now_ms,
    )


def _hands(everybody: list[Person], ticket: Ticket) -> list[Person]:
    """People a ticket may be handed to: those of its township and station, then the centre, then the other "1"s."""

    def nearness(person: Person) -> int | None:
        if person.role not in _HANDS or person.person_id == ticket.assignee_id:
            return None
        if person.area_id == ticket.area_id and ticket.area_id is not None:
            return 0
        if person.role is Role.PLAIN:
            return 1 if person.station_id is not None and person.station_id == ticket.station_id else None
        return 2 if person.role is Role.CENTRE else 3

    ranked = [(nearness(each), each) for each in everybody]
    near = [(rank, each) for rank, each in ranked if rank is not None]
    return [each for _, each in sorted(near, key=lambda pair: (pair[0], pair[1].person_id))]


async def _names(connection: Connection, district_id: int) -> dict[int, str]:
    return {each.person_id: each.name for each in await people.list_people(connection, district_id)}


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
