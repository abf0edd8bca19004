"""The acknowledge link, and the centre's page of messages: what became of each, the channels, who is reached how."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from collector.alerts import acknowledging, queries, service
from collector.alerts.acknowledging import LinkForgedError, Standing
from collector.alerts.channels.base import Channel
from collector.alerts.queries import Health, NewMessage, Sent, State
from collector.alerts.words import STATES, explain
from collector.db.engine import Connection
from collector.errors import BadInputError, CentreError, NotFoundError
from collector.faults.service import list_cards
from collector.people import queries as people
from collector.people.access import May, Visitor, centre_of, everybody, may
from collector.people.queries import Person
from collector.tickets.forms import end_of, next_working_day
from collector.tickets.service import describe
from collector.tickets.words import SEVERITIES
from collector.web.forms import Number
from collector.web.i18n import msgid
from collector.web.render import renderer_of

router = APIRouter()

_RECENT_MS = 7 * 86_400_000
_MOST = 100
_LONGEST_ADDRESS = 500


@dataclass(frozen=True, slots=True)
class Line:
    """A channel on the page: whether it has keys, and how it has done."""

    name: str
    channel: Channel
    is_open: bool
    health: Health | None
    trouble: str
    detail: str


class Filters(BaseModel):
    """What the address of the page says; senseless values ask for everything."""

    ticket: str = ""
    person: str = ""
    state: str = ""

    @property
    def ticket_id(self) -> int | None:
        return _number(self.ticket)

    @property
    def person_id(self) -> int | None:
        return _number(self.person)


class Trial(BaseModel):
    """Whom to try, and by which channel; none where no channel has keys."""

    channel: Annotated[str, Field(max_length=20)] = ""
    person_id: Number
    csrf: str = ""


@router.get("/a/{token}", dependencies=[everybody()])
async def link_page(request: Request, token: str) -> Response:
    """Shows the ticket and one button. Chats and scanners open every link, and must not acknowledge."""
    centre = centre_of(request)
    try:
        async with centre.database.read() as connection:
            seen = await acknowledging.look(connection, token, now_ms=centre.now_ms)
    except LinkForgedError:
        await _count_forgery(request)
        raise
    if request.method == "GET" and seen.standing is Standing.READY:
        async with centre.database.write() as connection:
            await queries.mark_opened(
                connection,
                seen.ticket.district_id,
                ticket_id=seen.ticket.ticket_id,
                person_id=seen.person.person_id,
                now_ms=centre.now_ms,
            )
    return renderer_of(request).page(
        request,
        "alerts/link.html",
        token=token,
        seen=seen,
        severity=SEVERITIES[seen.ticket.severity],
        text=describe(seen.ticket, renderer_of(request).gettext(request)),
        card=list_cards().get(seen.ticket.rule),
        promised=next_working_day(centre.now_ms, centre.settings.zone),
        now_ms=centre.now_ms,
    )


@router.post("/a/{token}", dependencies=[everybody()])
async def acknowledge(request: Request, token: str) -> Response:
    centre = centre_of(request)
    promised_ms = end_of(next_working_day(centre.now_ms, centre.settings.zone), centre.settings.zone)
    try:
        async with centre.database.write() as connection:
            await acknowledging.count_tap(connection, token, now_ms=centre.now_ms)
        async with centre.database.write() as connection:
            await acknowledging.acknowledge(connection, token, promised_ms=promised_ms, now_ms=centre.now_ms)
    except LinkForgedError:
        await _count_forgery(request)
        raise
    return RedirectResponse(f"/a/{token}", 303)


@router.get("/messages")
async def messages_page(
    request: Request, visitor: Annotated[Visitor, may(May.SET_CHANNELS)], filters: Annotated[Filters, Query()]
) -> Response:
    return await _page(request, visitor, filters)


async def _page(
    request: Request,
    visitor: Visitor,
    filters: Filters,
    *,
    trial: Trial | None = None,
    problem: CentreError | None = None,
) -> Response:
    """The page; with the trial that was refused, and why."""
    centre, district_id = centre_of(request), visitor.district_id
    async with centre.database.read() as connection:
        listed = await queries.list_messages(
            connection,
            district_id,
            ticket_id=filters.ticket_id,
            person_id=filters.person_id,
            state=State(filters.state) if filters.state in set(State) else None,
            limit=_MOST,
        )
        dead = await queries.list_messages(connection, district_id, state=State.FAILED, limit=20)
        health = await queries.list_health(connection, district_id, since_ms=centre.now_ms - _RECENT_MS)
        persons = await people.list_people(connection, district_id)
    opened = service.open_channels(centre.settings.keys)
    return renderer_of(request).page(
        request,
        "alerts/messages.html",
        status=problem.status if problem else 200,
        trial=trial or Trial(person_id=visitor.person.person_id),
        problem=problem,
        messages=[(each, *explain(each.error)) for each in listed],
        dead=[(each, *explain(each.error)) for each in _recent(dead, centre.now_ms)],
        lines=[
            _line(name, channel, is_open=name in opened, health=health.get(name))
            for name, channel in sorted(service.list_channels().items(), key=lambda pair: pair[1].rank)
        ],
        channels=service.list_channels(),
        persons=persons,
        names={each.person_id: each.name for each in persons},
        states=STATES,
        filters=filters,
        now_ms=centre.now_ms,
    )


@router.post("/messages/trial")
async def send_trial(
    request: Request, visitor: Annotated[Visitor, may(May.SET_CHANNELS)], trial: Annotated[Trial, Form()]
) -> Response:
    """Put a trial message into the outbox: it goes the way every message goes, and its end is seen in the list."""
    try:
        await _put_trial(request, visitor, trial)
    except BadInputError as problem:
        return await _page(request, visitor, Filters(), trial=trial, problem=problem)
    return RedirectResponse(f"/messages?person={trial.person_id}", 303)


async def _put_trial(request: Request, visitor: Visitor, trial: Trial) -> None:
    centre = centre_of(request)
    opened = service.open_channels(centre.settings.keys).get(trial.channel)
    if opened is None:
        raise BadInputError(msgid("这个渠道没有设置密钥，发不出消息。请管理员先在设置里补上。"))
    async with centre.database.write() as connection:
        person, chosen = await _person(connection, visitor, trial.person_id)
        address = opened.channel.address(person, chosen.get(trial.channel, (0, ""))[1])
        if not address:
            raise BadInputError(msgid("这个人在这个渠道上没有地址。请先填写收件地址。"))
        new = NewMessage(
            ticket_id=None,
            person_id=trial.person_id,
            ways=[(trial.channel, address)],
            subject="【试发】远程教育站点监测",
            body=f"【试发】这是{visitor.name}发出的试验消息，收到说明这个渠道可用，不用处理。",
            data={"action": "trial", "link": f"{centre.settings.public_url.rstrip('/')}/"},
            wakes=True,
        )
        await queries.add_message(
            connection, visitor.district_id, new, now_ms=centre.now_ms, not_before_ms=centre.now_ms
        )


@router.get("/messages/people/{person_id}")
async def reach_page(
    request: Request, visitor: Annotated[Visitor, may(May.SET_CHANNELS)], person_id: Number
) -> Response:
    async with centre_of(request).database.read() as connection:
        person, chosen = await _person(connection, visitor, person_id)
    opened = service.open_channels(centre_of(request).settings.keys)
    ways = service.find_ways(person, chosen, opened)
    return renderer_of(request).page(
        request,
        "alerts/person.html",
        person=person,
        rows=[
            (name, channel, *chosen.get(name, (None, "")), name in opened)
            for name, channel in sorted(service.list_channels().items(), key=lambda pair: pair[1].rank)
            if name != service.LAST_RESORT
        ],
        ways=[service.list_channels()[name].title for name, _ in ways],
    )


@router.post("/messages/people/{person_id}")
async def set_reach(
    request: Request, visitor: Annotated[Visitor, may(May.SET_CHANNELS)], person_id: Number
) -> Response:
    """`place_<channel>` is empty for the usual order, 0 for never; `address_<channel>` is the person's own."""
    form = await request.form()
    chosen = []
    for name in service.list_channels():
        place, address = str(form.get(f"place_{name}", "")), str(form.get(f"address_{name}", "")).strip()
        if (place and place not in "0123456789") or len(place) > 1 or len(address) > _LONGEST_ADDRESS:
            raise BadInputError
        if place or address:
            chosen.append((name, int(place) if place else 1000 + service.list_channels()[name].rank, address))
    centre = centre_of(request)
    async with centre.database.write() as connection:
        await _person(connection, visitor, person_id)
        await queries.put_reaches(connection, visitor.district_id, person_id, chosen)
        await people.record(
            connection,
            visitor.district_id,
            person_id=visitor.person.person_id,
            action="person.reached_by",
            object_=f"people/{person_id}",
            now_ms=centre.now_ms,
            detail={"channels": [name for name, _, _ in chosen]},
        )
    return RedirectResponse(f"/messages/people/{person_id}", 303)


async def _person(
    connection: Connection, visitor: Visitor, person_id: int
) -> tuple[Person, dict[str, tuple[int, str]]]:
    """A person of the district, and what they have chosen."""
    persons = {each.person_id: each for each in await people.list_people(connection, visitor.district_id)}
    if person_id not in persons:
        raise NotFoundError(msgid("名单里没有这个人。"))
    chosen = await queries.list_reaches(connection, visitor.district_id, person_id=person_id)
    return persons[person_id], chosen.get(person_id, {})


async def _count_forgery(request: Request) -> None:
    centre = centre_of(request)
    host = "" if request.client is None else request.client.host
    async with centre.database.write() as connection:
        await acknowledging.note_forgery(connection, host, now_ms=centre.now_ms)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None


def _recent(messages: list[Sent], now_ms: int) -> list[Sent]:
    return [each for each in messages if now_ms - each.created_ms < _RECENT_MS]


def _line(name: str, channel: Channel, *, is_open: bool, health: Health | None) -> Line:
    trouble, detail = explain(health.error) if health is not None and health.error else ("", "")
    return Line(name, channel, is_open, health, trouble, detail)
