"""Remarks with photos, the photos themselves, and faults reported by hand (报修)."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Form, Query, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from collector.db.engine import Connection
from collector.errors import BadInputError, CentreError, NotAllowedError, NotFoundError
from collector.faults.rules.base import Category, Severity
from collector.people.access import May, Visitor, centre_of, may
from collector.people.queries import Role
from collector.stations import queries as stations
from collector.stations.queries import Station
from collector.tickets import handling, photo_queries, queries, service
from collector.tickets.cards import lines_of
from collector.tickets.forms import Remark, Removed, Reported
from collector.tickets.handling import Report
from collector.tickets.pages import require, work
from collector.tickets.photos import LARGEST, LargePhotoError, Picture, make_picture
from collector.tickets.queries import Ticket, Wanted
from collector.tickets.words import CATEGORIES, SEVERITIES, Action
from collector.web.forms import Number
from collector.web.render import renderer_of

router = APIRouter(prefix="/tickets")

MOST_AT_ONCE, MOST_PHOTOS = 3, 12
_OPEN_SHOWN = 5
_SAFE = {
    "Cache-Control": "private, max-age=86400",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
}
Worker = Annotated[Visitor, may(May.WORK_TICKETS)]


@router.post("/{ticket_id:int}/comment")
async def comment(request: Request, visitor: Worker, ticket_id: Number, form: Annotated[Remark, Form()]) -> Response:
    """Write a remark, with photos or without; photos may stand alone."""
    now_ms = centre_of(request).now_ms
    problem: CentreError | None = None
    pictures: list[Picture] = []
    try:
        pictures = await _read_all(form.photos)
    except CentreError as wrong:
        problem = wrong

    async def act(connection: Connection, ticket: Ticket) -> object:
        if problem is not None:
            raise problem
        added = await _add_all(connection, ticket, pictures, visitor, now_ms=now_ms)
        return await service.comment(
            connection,
            ticket,
            person_id=visitor.person.person_id,
            version=form.version,
            note=form.note,
            photos=added,
            now_ms=now_ms,
        )

    return await work(request, visitor, ticket_id, act, form)


@router.get("/{ticket_id:int}/photos/{photo_id:int}")
async def photo(
    request: Request,
    visitor: Annotated[Visitor, may(May.SEE)],
    ticket_id: Number,
    photo_id: Number,
    small: Annotated[bool, Query()] = False,
) -> Response:
    """A photo for those who may see its ticket."""
    async with centre_of(request).database.read() as connection:
        ticket = await require(connection, visitor, ticket_id)
        body = await photo_queries.get_picture(connection, ticket.district_id, ticket.ticket_id, photo_id, small=small)
    if body is None:
        raise NotFoundError
    name = {"Content-Disposition": f'inline; filename="ticket-{ticket_id}-{photo_id}.jpg"'}
    return Response(body, media_type="image/jpeg", headers=_SAFE | name)


@router.post("/{ticket_id:int}/remove-photo")
async def remove_photo(
    request: Request, visitor: Worker, ticket_id: Number, form: Annotated[Removed, Form()]
) -> Response:
    """Take a photo away: its maker may, and the centre. The history keeps that there was one."""
    now_ms = centre_of(request).now_ms

    async def act(connection: Connection, ticket: Ticket) -> object:
        found = await photo_queries.list_photos(connection, ticket.district_id, ticket.ticket_id)
        mine = {each.photo_id: each.person_id for each in found}
        if form.photo_id not in mine:
            raise NotFoundError
        if visitor.person.role is not Role.CENTRE and mine[form.photo_id] != visitor.person.person_id:
            raise NotAllowedError
        await photo_queries.drop_photo(connection, ticket.district_id, ticket.ticket_id, form.photo_id)
        return await service.change_by_hand(
            connection,
            ticket,
            Action.PHOTO_REMOVED,
            person_id=visitor.person.person_id,
            version=form.version,
            now_ms=now_ms,
            data={"photo_id": form.photo_id},
        )

    return await work(request, visitor, ticket_id, act, form)


@router.get("/report")
async def report_page(
    request: Request,
    visitor: Worker,
    station: Annotated[int | None, Query()] = None,
    previous: Annotated[int | None, Query()] = None,
) -> Response:
    typed = Reported.model_construct(station_id=station or visitor.station_id or 0, previous_id=previous)
    return await _form(request, visitor, typed)


@router.post("/report")
async def report(request: Request, visitor: Worker, form: Annotated[Reported, Form()]) -> Response:
    """Open a ticket by hand, with its photos, in one transaction."""
    centre = centre_of(request)
    new = Report(form.station_id, form.category, form.text, form.severity, form.previous_id)
    try:
        pictures = await _read_all(form.photos)
        async with centre.database.write() as connection:
            station = await stations.require_station(connection, visitor.district_id, form.station_id)
            visitor.require_sight(station_id=station.station_id, township_id=station.township_id)
            if form.previous_id is not None:
                await require(connection, visitor, form.previous_id)
            ticket = await handling.report(connection, visitor.person, new, now_ms=centre.now_ms)
            await _add_all(connection, ticket, pictures, visitor, now_ms=centre.now_ms)
    except BadInputError as problem:
        return await _form(request, visitor, form, problem=problem)
    return RedirectResponse(f"/tickets/{ticket.ticket_id}", 303)


async def _form(request: Request, visitor: Visitor, typed: Reported, *, problem: CentreError | None = None) -> Response:
    """The form, and what is open already at the chosen station: a remark there may serve better."""
    async with centre_of(request).database.read() as connection:
        everywhere = await stations.list_stations(connection, visitor.district_id)
        mine = [each for each in everywhere if _sees(visitor, each)]
        chosen = next((each for each in mine if each.station_id == typed.station_id), None)
        wanted = Wanted(station_id=None if chosen is None else chosen.station_id, with_merged=False)
        present = (
            []
            if chosen is None
            else await queries.find_tickets(connection, visitor.district_id, wanted, limit=_OPEN_SHOWN)
        )
    return renderer_of(request).page(
        request,
        "tickets/report.html",
        status=problem.status if problem else 200,
        stations=mine,
        typed=typed,
        present=lines_of(request, present),
        categories=CATEGORIES,
        chosen_category=typed.category or Category.HARDWARE_COMMON,
        severities=(Severity.MAJOR, Severity.MINOR, Severity.CRITICAL),
        looks=SEVERITIES,
        problem=problem,
    )


def _sees(visitor: Visitor, station: Station) -> bool:
    return visitor.sees(station_id=station.station_id, township_id=station.township_id)


async def _read_all(uploads: list[UploadFile]) -> list[Picture]:
    """The pictures of a form. A browser sends one empty file when none was chosen."""
    chosen = [each for each in uploads if each.filename]
    if len(chosen) > MOST_AT_ONCE:
        raise BadInputError(f"一次最多上传 {MOST_AT_ONCE} 张照片。请分几次上传。")
    pictures: list[Picture] = []
    for each in chosen:
        content = await each.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise LargePhotoError
        pictures.append(await asyncio.to_thread(make_picture, content))
    return pictures


async def _add_all(
    connection: Connection, ticket: Ticket, pictures: list[Picture], visitor: Visitor, *, now_ms: int
) -> list[int]:
    """Numbers of the photos kept with a ticket."""
    if not pictures:
        return []
    present = await photo_queries.count_photos(connection, ticket.district_id, ticket.ticket_id)
    if present + len(pictures) > MOST_PHOTOS:
        raise BadInputError(f"一个工单最多 {MOST_PHOTOS} 张照片。请先删除不需要的照片。")
    person_id = visitor.person.person_id
    return [
        await photo_queries.add_photo(
            connection, ticket.district_id, ticket.ticket_id, each, person_id=person_id, now_ms=now_ms
        )
        for each in pictures
    ]
