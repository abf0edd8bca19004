"""The list of tickets and the page of one ticket, made for a phone. Photos and hand-made reports have their own."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from collector.areas import queries as areas
from collector.areas.queries import AreaKind
from collector.db.engine import Connection
from collector.errors import CentreError, NotAllowedError
from collector.faults.service import list_cards
from collector.people import queries as people
from collector.people.access import May, Visitor, centre_of, may
from collector.people.pages import inside
from collector.people.queries import Person, Role
from collector.tickets import handling, photo_queries, queries, service
from collector.tickets.cards import lines_of
from collector.tickets.forms import (
    MOST,
    STEP,
    Delay,
    Filters,
    Fixed,
    HandOver,
    Other,
    Promise,
    Seen,
    end_of,
    id_of,
    next_working_day,
)
from collector.tickets.knowledge import learn
from collector.tickets.queries import Ticket, Wanted
from collector.tickets.service import Repair
from collector.tickets.settling import REOPEN_MS
from collector.tickets.words import ACTIONS, CATEGORIES, HELPED, REPORTED, STATES, STEPS
from collector.web.forms import Number
from collector.web.render import renderer_of
from shared.months import local

router = APIRouter(prefix="/tickets")
_NAMED = 6

_HANDS = frozenset({Role.BACKBONE, Role.TOWNSHIP, Role.CENTRE, Role.PLAIN})
_OPEN = {"open": True, "closed": False}
Act = Callable[[Connection, Ticket], Awaitable[object]]
Worker = Annotated[Visitor, may(May.WORK_TICKETS)]


@router.get("")
async def ticket_list(
    request: Request, visitor: Annotated[Visitor, may(May.SEE)], filters: Annotated[Filters, Query()]
) -> Response:
    centre = centre_of(request)
    wanted = Wanted(
        open=_OPEN.get(filters.show),
        township_id=id_of(filters.township),
        station_id=visitor.station_id,
        townships=_townships_of(visitor),
        assignee_id=visitor.person.person_id if filters.mine else None,
        or_assignee_id=visitor.person.person_id,
        category=filters.category,
        state=filters.state,
        with_merged=filters.show == "all",
    )
    async with centre.database.read() as connection:
        listed = await queries.find_tickets(connection, visitor.district_id, wanted, limit=filters.limit + 1)
        townships = await areas.list_areas(connection, visitor.district_id, kind=AreaKind.TOWNSHIP)
        names = {each.person_id: each.name for each in await people.list_people(connection, visitor.district_id)}
    return renderer_of(request).page(
        request,
        "tickets/list.html",
        lines=lines_of(request, listed[: filters.limit]),
        more=filters.address(limit=filters.limit + STEP) if len(listed) > filters.limit < MOST else None,
        filters=filters,
        townships=[] if wanted.townships or visitor.station_id else townships,
        names=names,
        categories=CATEGORIES,
        states=STATES,
        now_ms=centre.now_ms,
    )


@router.get("/{ticket_id:int}")
async def ticket_page(request: Request, visitor: Annotated[Visitor, may(May.SEE)], ticket_id: Number) -> Response:
    return await show(request, visitor, ticket_id)


@router.post("/{ticket_id:int}/acknowledge")
async def acknowledge(
    request: Request, visitor: Worker, ticket_id: Number, form: Annotated[Promise, Form()]
) -> Response:
    centre = centre_of(request)
    day = form.day or next_working_day(centre.now_ms, centre.settings.zone)

    async def act(connection: Connection, ticket: Ticket) -> object:
        return await service.acknowledge(
            connection,
            ticket,
            promised_ms=end_of(day, centre.settings.zone),
            note=form.note,
            **_hand(request, visitor, form),
        )

    return await work(request, visitor, ticket_id, act, form)


@router.post("/{ticket_id:int}/reassign")
async def reassign(request: Request, visitor: Worker, ticket_id: Number, form: Annotated[HandOver, Form()]) -> Response:
    async def act(connection: Connection, ticket: Ticket) -> object:
        mine = _hand(request, visitor, form)
        return await service.reassign(connection, ticket, assignee_id=form.assignee_id, note=form.note, **mine)

    return await work(request, visitor, ticket_id, act, form)


@router.post("/{ticket_id:int}/wait")
async def wait(request: Request, visitor: Worker, ticket_id: Number, form: Annotated[Delay, Form()]) -> Response:
    until_ms = end_of(form.day, centre_of(request).settings.zone)

    async def act(connection: Connection, ticket: Ticket) -> object:
        mine = _hand(request, visitor, form)
        return await service.wait(connection, ticket, until_ms=until_ms, reason=form.note, **mine)

    return await work(request, visitor, ticket_id, act, form)


@router.post("/{ticket_id:int}/resolve")
async def resolve(request: Request, visitor: Worker, ticket_id: Number, form: Annotated[Fixed, Form()]) -> Response:
    repair = Repair(form.cause, form.done, form.on_site, form.parts, form.helped)

    async def act(connection: Connection, ticket: Ticket) -> object:
        return await service.resolve(connection, ticket, repair, **_hand(request, visitor, form))

    return await work(request, visitor, ticket_id, act, form)


@router.post("/{ticket_id:int}/give-back")
async def give_back(request: Request, visitor: Worker, ticket_id: Number, form: Annotated[Seen, Form()]) -> Response:
    async def act(connection: Connection, ticket: Ticket) -> object:
        return await handling.give_back(connection, ticket, note=form.note, **_hand(request, visitor, form))

    return await work(request, visitor, ticket_id, act, form)


@router.post("/{ticket_id:int}/reopen")
async def reopen(request: Request, visitor: Worker, ticket_id: Number, form: Annotated[Seen, Form()]) -> Response:
    async def act(connection: Connection, ticket: Ticket) -> object:
        return await handling.reopen(connection, ticket, note=form.note, **_hand(request, visitor, form))

    return await work(request, visitor, ticket_id, act, form)


@router.post("/{ticket_id:int}/join")
async def join(request: Request, visitor: Worker, ticket_id: Number, form: Annotated[Other, Form()]) -> Response:
    """Put it under another ticket, or link the two. The person must see both."""

    async def act(connection: Connection, ticket: Ticket) -> object:
        await require(connection, visitor, form.other_id)
        mine = _hand(request, visitor, form)
        if form.under:
            return await handling.merge(connection, ticket, into_id=form.other_id, **mine)
        return await handling.link(connection, ticket, other_id=form.other_id, **mine)

    return await work(request, visitor, ticket_id, act, form)


@router.post("/{ticket_id:int}/split")
async def split(request: Request, visitor: Worker, ticket_id: Number, form: Annotated[Seen, Form()]) -> Response:
    async def act(connection: Connection, ticket: Ticket) -> object:
        return await handling.split(connection, ticket, **_hand(request, visitor, form))

    return await work(request, visitor, ticket_id, act, form)


async def work(request: Request, visitor: Visitor, ticket_id: int, act: Act, form: Seen) -> Response:
    """Do one thing to a ticket. What cannot be done is said on the ticket's own page, with its newest state."""
    try:
        async with centre_of(request).database.write() as connection:
            await act(connection, await require(connection, visitor, ticket_id))
    except NotAllowedError:
        raise
    except CentreError as problem:
        return await show(request, visitor, ticket_id, problem=problem, typed=form)
    return RedirectResponse(inside(form.back or f"/tickets/{ticket_id}"), 303)


async def require(connection: Connection, visitor: Visitor, ticket_id: int) -> Ticket:
    """The ticket, if it lies in the person's field of work or has been given to them."""
    ticket = await service.require_ticket(connection, visitor.district_id, ticket_id)
    if ticket.assignee_id != visitor.person.person_id:
        visitor.require_sight(station_id=ticket.station_id, township_id=ticket.area_id)
    return ticket


async def show(
    request: Request,
    visitor: Visitor,
    ticket_id: int,
    *,
    problem: CentreError | None = None,
    typed: Seen | None = None,
) -> Response:
    """The page of a ticket, after something that could not be done with what was typed."""
    centre = centre_of(request)
    async with centre.database.read() as connection:
        ticket = await require(connection, visitor, ticket_id)
        changes = await queries.list_changes(connection, visitor.district_id, ticket_id)
        everybody = await people.list_people(connection, visitor.district_id)
        names = await people.list_names(connection, visitor.district_id)
        photos = await photo_queries.list_photos(connection, visitor.district_id, ticket_id)
        merged = await queries.list_merged(connection, visitor.district_id, ticket_id)
        lesson = await learn(connection, ticket)
    gettext = renderer_of(request).gettext(request)
    return renderer_of(request).page(
        request,
        "tickets/ticket.html",
        status=problem.status if problem else 200,
        line=lines_of(request, [ticket])[0],
        ticket=ticket,
        card=list_cards().get(ticket.rule),
        lesson=lesson,
        category=CATEGORIES[ticket.category],
        changes=[(each, service.explain(each, gettext)) for each in changes],
        actions=ACTIONS,
        photos=photos,
        merged=merged,
        helped=HELPED,
        names=names,
        operators={each.person_id for each in everybody if each.role in {Role.BACKBONE, Role.PLAIN}},
        hands=_hands(everybody, ticket),
        next_rungs=_list_next(ticket, names),
        today=local(centre.now_ms, centre.settings.zone).date(),
        tomorrow=next_working_day(centre.now_ms, centre.settings.zone),
        is_report=ticket.rule == REPORTED,
        may_reopen=ticket.closed_ms is not None and centre.now_ms - ticket.closed_ms < REOPEN_MS,
        problem=problem,
        tried=request.url.path.rpartition("/")[2] if typed else "",
        typed=typed.model_dump(mode="json", exclude={"photos"}) if typed else {},
        now_ms=centre.now_ms,
    )


def _list_next(ticket: Ticket, names: Mapping[int, str]) -> list[tuple[str, list[str]]]:
    """The rungs above, each with who stood on it when the ticket opened."""
    rungs = sorted((int(step), persons) for step, persons in ticket.chain.items())
    return [
        (STEPS[step], [names[each] for each in persons[:_NAMED] if each in names])
        for step, persons in rungs
        if step > ticket.step and step in STEPS
    ]


def _hand(request: Request, visitor: Visitor, form: Seen) -> dict[str, int]:
    """Who does it, to which version, and when."""
    return {"person_id": visitor.person.person_id, "version": form.version, "now_ms": centre_of(request).now_ms}


def _townships_of(visitor: Visitor) -> frozenset[UUID]:
    """The townships a person answers for; none for those who see all, or one station."""
    home = visitor.township_id
    return frozenset() if home is None else visitor.person.more_areas | {home}


def _hands(everybody: list[Person], ticket: Ticket) -> list[Person]:
    """People a ticket may be handed to: those of its township and station, then the centre, then the other "1"s."""

    def nearness(person: Person) -> int | None:
        if person.role not in _HANDS or person.person_id == ticket.assignee_id:
            return None
        if person.answers_for(ticket.area_id):
            return 0
        if person.role is Role.PLAIN:
            return 1 if person.station_id is not None and person.station_id == ticket.station_id else None
        return 2 if person.role is Role.CENTRE else 3

    ranked = [(nearness(each), each) for each in everybody]
    near = [(rank, each) for rank, each in ranked if rank is not None]
    return [each for _, each in sorted(near, key=lambda pair: (pair[0], pair[1].person_id))]
