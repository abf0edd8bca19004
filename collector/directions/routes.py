"""Machine interface: a station fetches the settings it is to have."""

from fastapi import APIRouter, Request, Response

from collector.centre import Centre
from collector.directions import service
from collector.errors import PushRefusedError
from collector.stations import queries as stations
from shared import signing
from shared.wire.directions import SETTINGS_PATH

router = APIRouter()


@router.get(SETTINGS_PATH, summary="Settings for the station that signs")
async def get_settings(request: Request) -> Response:
    """Signed like a push, over an empty body. 304 when `If-None-Match` names the version in force."""
    centre: Centre = request.app.state.centre
    try:
        claim = signing.read_claim(request.headers.get("authorization"))
        district_id, station_id = map(int, claim.station.split("/"))
        async with centre.database.read() as connection:
            key = await stations.get_key(connection, district_id, station_id, claim.key_id, now_ms=centre.now_ms)
            if key is None:
                raise PushRefusedError(401, "unknown-key", "this station and key are not known here; enrol it again")
            signing.verify(claim, key, method="GET", path=SETTINGS_PATH, body=b"")
            answer = await service.get_settings(connection, district_id, station_id)
    except signing.BadSignature as error:
        raise PushRefusedError(401, "bad-signature", str(error)) from error
    tag = f'"{answer.version}"'
    headers = {"ETag": tag, "Cache-Control": "no-store"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(answer.model_dump_json(), media_type="application/json", headers=headers)
