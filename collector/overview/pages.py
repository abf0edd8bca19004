"""The overview page and the stream that tells it to read itself again."""

from collections.abc import AsyncIterator
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from collector.intake.writer import Writer
from collector.overview import service
from collector.overview.queries import Wanted
from collector.overview.service import Watch
from collector.people import queries as people
from collector.people.access import May, Visitor, centre_of, may
from collector.stations.words import LOOKS, Status
from collector.tickets import queries as tickets
from collector.tickets.cards import lines_of
from collector.tickets.service import share_below_centre
from collector.usage import report_queries as usage
from collector.web.render import renderer_of
from shared.months import month_of, month_text, year_begin

router = APIRouter()

_TICKETS_SHOWN = 8
_BARS = 24
"""With more townships than this the chart shows those that studied least: they are the ones to call."""
_ROUNDS = 180
"""Rounds of five seconds: every quarter of an hour the browser connects again and is asked who it is."""


class Filters(BaseModel):
    """What the address of the overview says; senseless values ask for everything."""

    status: str = ""
    township: str = ""
    q: Annotated[str, Field(max_length=60)] = ""
    page: int = 1


@router.get("/")
async def overview(
    request: Request, visitor: Annotated[Visitor, may(May.SEE)], filters: Annotated[Filters, Query()]
) -> Response:
    """What is wrong and who has it. Whoever answers for one station is better served by its own page."""
    if visitor.station_id is not None:
        return RedirectResponse(f"/stations/{visitor.station_id}", 303)
    centre = centre_of(request)
    scope = Wanted(visitor.district_id, township_id=visitor.township_id)
    asked = Wanted(
        visitor.district_id,
        township_id=visitor.township_id or parse_id(filters.township),
        status=parse_status(filters.status),
        text=filters.q.strip(),
    )
    month = month_of(centre.now_ms, centre.settings.zone)
    async with centre.database.read() as connection:
        limits = await service.limits_of(connection, centre, visitor.district_id, ready_ms=ready_ms(request))
        board = await service.look(connection, scope, asked, limits, page=filters.page)
        counts = await tickets.count_open_by_township(connection, visitor.district_id)
        listed = await tickets.list_tickets(
            connection, visitor.district_id, township_id=visitor.township_id, limit=_TICKETS_SHOWN
        )
        names = await people.list_names(connection, visitor.district_id)
        figures = await usage.month_figures(connection, visitor.district_id, month)
        local_share = await share_below_centre(
            connection,
            visitor.district_id,
            from_ms=year_begin(centre.now_ms, centre.settings.zone),
            to_ms=centre.now_ms,
            area_id=visitor.township_id,
        )
    mine = [each for each in figures if visitor.sees(station_id=None, township_id=each.township_id)]
    return renderer_of(request).page(
        request,
        "overview/overview.html",
        board=board,
        asked=asked,
        looks=LOOKS,
        address=lambda **changes: address_of(asked, **changes),
        tickets=lines_of(request, listed),
        names=names,
        open_tickets=sum(number for area, number in counts.items() if visitor.sees(station_id=None, township_id=area)),
        figures=mine if len(mine) <= _BARS else sorted(mine, key=lambda each: each.sessions)[:_BARS],
        least_only=len(mine) > _BARS,
        month=month_text(month),
        local_share=local_share,
        now_ms=centre.now_ms,
    )


@router.get("/live", response_class=EventSourceResponse)
async def live(request: Request, visitor: Annotated[Visitor, may(May.SEE)]) -> AsyncIterator[ServerSentEvent]:
    """Says `stations` or `tickets` when something about them has changed; the page then reads itself again."""
    async for topic in watch_of(request).topics(visitor.district_id, rounds=_ROUNDS):
        yield ServerSentEvent(event="changed", raw_data=topic)


def watch_of(request: Request) -> Watch:
    """The application's one watch, made when somebody first listens."""
    state = request.app.state
    if not hasattr(state, "watch"):
        state.watch = Watch(centre_of(request), ready_ms=ready_ms(request))
    watch: Watch = state.watch
    return watch


def ready_ms(request: Request) -> int:
    """Since when this process hears stations by itself."""
    writer: Writer = request.app.state.writer
    return writer.ready_since_ms


def address_of(asked: Wanted, **changes: object) -> str:
    """Address of the overview with these filters, so that a link or a reload keeps them."""
    values = {"status": asked.status, "township": asked.township_id, "q": asked.text, **changes}
    query = urlencode({name: str(value) for name, value in values.items() if value})
    return f"/?{query}" if query else "/"


def parse_status(text: str) -> Status | None:
    return Status(text) if text in set(Status) else None


def parse_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
