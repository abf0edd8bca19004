"""The page of one station: its sensors in plain words, its work, its study sessions, its installation."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from collector.centre import Centre
from collector.db.engine import Connection
from collector.errors import CentreError
from collector.overview import senses, strip
from collector.overview.pages import ready_ms
from collector.overview.service import limits_of
from collector.overview.words import END_WORDS, FLAG_WORDS, KIND_WORDS, SESSION_LOOKS
from collector.people import queries as people
from collector.people.access import May, Visitor, centre_of, may
from collector.stations import queries as stations
from collector.stations.queries import Station, StationState
from collector.stations.service import new_code, take_out
from collector.stations.words import LOOKS, status_of
from collector.tickets import queries as tickets
from collector.tickets.cards import lines_of
from collector.timeline import queries as timeline_queries
from collector.timeline import service as timeline
from collector.usage import queries as usage
from collector.usage import report_queries, stock_queries
from collector.usage import service as usage_service
from collector.usage.reports.base import Lost
from collector.web.forms import Number
from collector.web.render import renderer_of
from shared.months import month_of, month_text
from shared.wire.kinds import StudyKind

router = APIRouter(prefix="/stations/{station_id}")

_PLAYBACKS = 12
_STOCK = 30
_STOCK_MOST = 2_000
_TICKETS = 20
_DAYS_DRAWN = 7
_DAYS_COUNTED = (7, 30)
_WORDS = {"kinds": KIND_WORDS, "session_looks": SESSION_LOOKS, "end_words": END_WORDS, "flag_words": FLAG_WORDS}


class SessionForm(BaseModel):
    """What a person adds to a proposed study session."""

    session_id: Annotated[str, Field(max_length=80)]
    kind: StudyKind
    topic: Annotated[str, Field(max_length=200)]
    people: Annotated[int, Field(ge=0, le=100_000)]
    visits: Annotated[int, Field(ge=0, le=1_000_000)]
    csrf: str = ""


class RevokeForm(BaseModel):
    """Why a computer goes out of service: since when it is lost, as a browser writes it, or nothing."""

    lost: datetime | Literal[""] = ""
    csrf: str = ""

    def lost_ms(self, zone: ZoneInfo) -> int | None:
        return int(self.lost.replace(tzinfo=zone).timestamp() * 1000) if self.lost else None


@router.get("")
async def station_page(request: Request, visitor: Annotated[Visitor, may(May.SEE)], station_id: Number) -> Response:
    return await _page(request, visitor, station_id)


@router.post("/code")
async def make_code(
    request: Request, visitor: Annotated[Visitor, may(May.ENROL_STATIONS)], station_id: Number
) -> Response:
    """Shows the code once, on this answer only; afterwards nobody can read it again."""
    centre = centre_of(request)
    async with centre.database.write() as connection:
        station = await _require(connection, visitor, station_id)
        code = await new_code(
            connection,
            station.district_id,
            station_id,
            now_ms=centre.now_ms,
            person_id=visitor.person.person_id,
        )
    return await _page(request, visitor, station_id, code=code)


@router.post("/revoke")
async def revoke_key(
    request: Request,
    visitor: Annotated[Visitor, may(May.ENROL_STATIONS)],
    station_id: Number,
    form: Annotated[RevokeForm, Form()],
) -> Response:
    centre = centre_of(request)
    try:
        async with centre.database.write() as connection:
            station = await _require(connection, visitor, station_id)
            await take_out(
                connection,
                station.district_id,
                station_id,
                now_ms=centre.now_ms,
                person_id=visitor.person.person_id,
                lost_ms=form.lost_ms(centre.settings.zone),
            )
    except CentreError as problem:
        return await _page(request, visitor, station_id, problem=problem, lost=form.lost)
    return RedirectResponse(f"/stations/{station_id}?done=revoked", 303)


@router.post("/sessions")
async def confirm_session(
    request: Request,
    visitor: Annotated[Visitor, may(May.CONFIRM_SESSIONS)],
    station_id: Number,
    form: Annotated[SessionForm, Form()],
) -> Response:
    centre = centre_of(request)
    try:
        async with centre.database.write() as connection:
            station = await _require(connection, visitor, station_id)
            await usage_service.confirm(
                connection,
                station.district_id,
                station_id,
                form.session_id,
                kind=form.kind,
                topic=form.topic.strip(),
                people=form.people,
                visits=form.visits,
                person_id=visitor.person.person_id,
                now_ms=centre.now_ms,
                zone=centre.settings.zone,
            )
    except CentreError as problem:
        return await _page(request, visitor, station_id, problem=problem)
    return RedirectResponse(f"/stations/{station_id}?done=confirmed#sessions", 303)


async def _presence(connection: Connection, centre: Centre, district_id: int, station_id: int) -> Mapping[str, Any]:
    """The time line of the last days, and how much of longer periods the station was there."""
    now_ms, zone = centre.now_ms, centre.settings.zone
    from_ms = strip.begin_of_days(now_ms, _DAYS_DRAWN, zone)
    stretches = await timeline.load_strip(connection, district_id, station_id, from_ms=from_ms, to_ms=now_ms)
    told = {
        days: await timeline_queries.availability(
            connection, district_id, now_ms - days * 86_400_000, now_ms, station_id=station_id
        )
        for days in _DAYS_COUNTED
    }
    return {
        "any": bool(stretches),
        "days": strip.draw(stretches, now_ms=now_ms, days=_DAYS_DRAWN, zone=zone),
        "figures": strip.figures(
            {days: each.get(station_id) for days, each in told.items()},
            since_ms=await timeline_queries.get_first_known(connection, district_id, station_id),
            now_ms=now_ms,
        ),
        "shapes": strip.SHAPES,
    }


async def _stock(connection: Connection, district_id: int, station_id: int, *, whole: bool) -> Mapping[str, Any]:
    """The newest courseware on its disk, or all that a page can bear, of so many in all."""
    limit = _STOCK_MOST if whole else _STOCK
    return {
        "files": await stock_queries.list_stock(connection, district_id, station_id, limit),
        "total": await stock_queries.count_stock(connection, district_id, station_id),
        "most": _STOCK_MOST,
    }


def _heard(state: StationState | None) -> Mapping[str, Any]:
    """Its last heartbeat and what that says of each sensor."""
    heartbeat = None if state is None else senses.read_heartbeat(state.heartbeat)
    lines = []
    if state is not None and heartbeat is not None:
        lines = [*senses.lines_of(heartbeat), senses.clock_line(heartbeat, state.received_ms)]
    return {"heartbeat": heartbeat, "senses": lines}


async def _losses(
    connection: Connection, centre: Centre, district_id: int, station_id: int, month: int
) -> Sequence[Lost]:
    found = await report_queries.list_lost(connection, district_id, month, [station_id], zone=centre.settings.zone)
    return found.get(station_id, [])


async def _require(connection: Connection, visitor: Visitor, station_id: int) -> Station:
    station = await stations.require_station(connection, visitor.district_id, station_id)
    visitor.require_sight(station_id=station.station_id, township_id=station.township_id)
    return station


async def _page(
    request: Request,
    visitor: Visitor,
    station_id: int,
    *,
    code: str | None = None,
    problem: CentreError | None = None,
    lost: datetime | Literal[""] = "",
) -> Response:
    centre = centre_of(request)
    month = month_of(centre.now_ms, centre.settings.zone)
    district_id, asked = visitor.district_id, request.query_params
    async with centre.database.read() as connection:
        station = await _require(connection, visitor, station_id)
        state = await stations.get_state(connection, district_id, station_id)
        listed = await tickets.list_tickets(connection, district_id, station_id=station_id, limit=_TICKETS)
        context: dict[str, Any] = {
            "tickets": lines_of(request, listed),
            "playbacks": await usage.list_playbacks(connection, district_id, station_id, limit=_PLAYBACKS),
            "sessions": await usage.list_sessions(connection, district_id, station_id, month),
            "limits": await limits_of(connection, centre, district_id, ready_ms=ready_ms(request)),
            "losses": await _losses(connection, centre, district_id, station_id, month),
            "names": await people.list_names(connection, district_id),
            "presence": await _presence(connection, centre, district_id, station_id),
            "stock": await _stock(connection, district_id, station_id, whole=asked.get("stock") == "all"),
        }
    status = status_of(state.received_ms if state else None, context.pop("limits"))
    return renderer_of(request).page(
        request,
        "overview/station.html",
        status=problem.status if problem else 200,
        station=station,
        state=state,
        **_heard(state),
        standing=status,
        look=LOOKS[status],
        fingerprint=centre.seal.fingerprint if centre.seal else "",
        month=month_text(month),
        **_WORDS,
        code=code,
        problem=problem,
        done=asked.get("done"),
        now_ms=centre.now_ms,
        lost=lost,
        **context,
    )
