"""Pages on which people direct stations: settings of one or of all, and commands with what became of them."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from collector.db.engine import Connection
from collector.directions import forms, queries, service
from collector.directions.models import EVERY_STATION
from collector.errors import CentreError
from collector.people import queries as people
from collector.people.access import May, Visitor, centre_of, may
from collector.stations import queries as stations
from collector.stations.queries import Station
from collector.web.forms import Number
from collector.web.i18n import msgid
from collector.web.render import renderer_of
from shared.wire.v1 import Heartbeat, SettingsReport

router = APIRouter()

_OUTCOMES = {
    "done": ("●", "green", msgid("已完成")),
    "refused": ("▲", "amber", msgid("不能执行")),
    "failed": ("■", "red", msgid("失败")),
    "waiting": ("○", "grey", msgid("等待执行")),
    "expired": ("◇", "blue", msgid("已过期，没有执行")),
}


@router.get("/directions")
async def district_page(request: Request, visitor: Annotated[Visitor, may(May.SET_STATIONS)]) -> Response:
    return await _page(request, visitor, None)


@router.post("/directions/settings")
async def set_district(request: Request, visitor: Annotated[Visitor, may(May.SET_STATIONS)]) -> Response:
    return await _save(request, visitor, None)


@router.get("/stations/{station_id}/directions")
async def station_page(
    request: Request, visitor: Annotated[Visitor, may(May.COMMAND_STATIONS)], station_id: Number
) -> Response:
    return await _page(request, visitor, station_id)


@router.get("/stations/{station_id}/directions/orders")
async def list_orders(
    request: Request, visitor: Annotated[Visitor, may(May.COMMAND_STATIONS)], station_id: Number
) -> Response:
    """The orders alone, for the page that watches what becomes of them."""
    async with centre_of(request).database.read() as connection:
        station = await _require(connection, visitor, station_id)
        orders = await _orders(connection, station, now_ms=centre_of(request).now_ms)
    return renderer_of(request).page(request, "directions/_orders.html", orders=orders, station=station)


@router.post("/stations/{station_id}/directions/settings")
async def set_station(
    request: Request, visitor: Annotated[Visitor, may(May.SET_STATIONS)], station_id: Number
) -> Response:
    return await _save(request, visitor, station_id)


@router.post("/stations/{station_id}/directions/order")
async def order(
    request: Request,
    visitor: Annotated[Visitor, may(May.COMMAND_STATIONS)],
    station_id: Number,
    verb: Annotated[str, Form(max_length=40)],
    volume: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    centre = centre_of(request)
    try:
        arguments = forms.read_arguments(verb, volume)
        async with centre.database.write() as connection:
            await service.order(connection, visitor, station_id, verb, arguments, now_ms=centre.now_ms)
    except CentreError as problem:
        return await _page(request, visitor, station_id, problem=problem)
    return RedirectResponse(f"/stations/{station_id}/directions#orders", 303)


async def _save(request: Request, visitor: Visitor, station_id: int | None) -> Response:
    centre = centre_of(request)
    form = await request.form(max_fields=100)
    typed = {name: value for name, value in form.items() if isinstance(value, str)}
    try:
        document = forms.read(typed)
        async with centre.database.write() as connection:
            await service.change_settings(connection, visitor, station_id, document, now_ms=centre.now_ms)
    except CentreError as problem:
        return await _page(request, visitor, station_id, problem=problem, typed=typed)
    where = "/directions" if station_id is None else f"/stations/{station_id}/directions"
    return RedirectResponse(f"{where}?done=saved", 303)


async def _page(
    request: Request,
    visitor: Visitor,
    station_id: int | None,
    *,
    problem: CentreError | None = None,
    typed: Mapping[str, str] | None = None,
) -> Response:
    centre = centre_of(request)
    context: dict[str, Any] = {"station": None, "orders": [], "report": None}
    async with centre.database.read() as connection:
        if station_id is not None:
            station = await _require(connection, visitor, station_id)
            state = await stations.get_state(connection, visitor.district_id, station_id)
            context["station"] = station
            context["orders"] = await _orders(connection, station, now_ms=centre.now_ms)
            context["report"] = None if state is None else _report_of(state.heartbeat)
            context["ordered"] = (await service.get_settings(connection, visitor.district_id, station_id)).version
        key = EVERY_STATION if station_id is None else station_id
        found = await queries.list_settings(connection, visitor.district_id, key)
    version, document = found.get(key, (0, {}))
    return renderer_of(request).page(
        request,
        "directions/directions.html",
        status=problem.status if problem else 200,
        version=version,
        values=forms.write(document) if typed is None else typed,
        general=forms.GENERAL,
        sensors=[(word, forms.fields_of(probe)) for probe, word in forms.SENSORS.items()],
        verbs=forms.VERB_WORDS,
        problem=problem,
        done=request.query_params.get("done"),
        **context,
    )


async def _require(connection: Connection, visitor: Visitor, station_id: int) -> Station:
    station = await stations.require_station(connection, visitor.district_id, station_id)
    visitor.require_sight(station_id=station.station_id, township_id=station.township_id)
    return station


async def _orders(connection: Connection, station: Station, *, now_ms: int) -> list[dict[str, Any]]:
    rows = await queries.list_commands(connection, station.district_id, station.station_id)
    names = await people.list_names(connection, station.district_id)
    return [
        {
            "row": row,
            "word": forms.VERB_WORDS.get(row.verb, row.verb),
            "who": names.get(row.person_id or 0, ""),
            "mark": _OUTCOMES[row.outcome or ("waiting" if row.expires_ms > now_ms else "expired")],
            "told": "；".join(f"{name} {value}" for name, value in row.result.items())[:300],
        }
        for row in rows
    ]


def _report_of(heartbeat: str) -> SettingsReport | None:
    """What the station last said of its settings."""
    try:
        return Heartbeat.model_validate_json(heartbeat).settings
    except ValidationError:
        return None
