"""Machine interface: a station fetches the settings it is to have."""

from fastapi import APIRouter, Request, Response

from collector.centre import Centre
from collector.directions import service
from collector.stations.signed import require_station
from shared.wire.directions import SETTINGS_PATH

router = APIRouter()


@router.get(SETTINGS_PATH, summary="Settings for the station that signs")
async def get_settings(request: Request) -> Response:
    """Signed like a push, over an empty body. 304 when `If-None-Match` names the version in force."""
    centre: Centre = request.app.state.centre
    async with centre.database.read() as connection:
        district_id, station_id = await require_station(connection, request)
        answer = await service.get_settings(connection, district_id, station_id)
    tag = f'"{answer.version}"'
    headers = {"ETag": tag, "Cache-Control": "no-store"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(answer.model_dump_json(), media_type="application/json", headers=headers)
