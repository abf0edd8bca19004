"""Machine interface: a station asks what is offered to it, and fetches it in pieces."""

import re

from fastapi import APIRouter, Request, Response

from collector.centre import Centre
from collector.errors import NotFoundError, PushRefusedError
from collector.releases import queries, service
from collector.stations.signed import require_station
from shared.wire.releases import MAX_PIECE_BYTES, PAYLOAD_PATH, RELEASE_PATH

router = APIRouter()
_SPAN = re.compile(r"bytes=(?P<first>[0-9]{1,9})-(?P<last>[0-9]{1,9})")


@router.get(RELEASE_PATH, summary="The release offered to the station that signs")
async def get_release(request: Request) -> Response:
    """Signed like a push, over an empty body. 204: none; 304: it is the version that `If-None-Match` names."""
    centre: Centre = request.app.state.centre
    async with centre.database.read() as connection:
        district_id, station_id = await require_station(connection, request)
        found = await service.get_answer(connection, district_id, station_id)
    headers = {"Cache-Control": "no-store"}
    if found is None:
        return Response(status_code=204, headers=headers)
    version, answer = found
    headers["ETag"] = f'"{version}"'
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(answer.model_dump_json(), media_type="application/json", headers=headers)


@router.get(PAYLOAD_PATH, summary="A piece of a release, named by its SHA-256")
async def get_piece(request: Request, sha256: str) -> Response:
    """Signed over this path. The `Range` is needed, `bytes=first-last`, and is cut to what one answer may hold."""
    centre: Centre = request.app.state.centre
    span = _SPAN.fullmatch(request.headers.get("range", ""))
    if span is None or not re.fullmatch("[0-9a-f]{64}", sha256):
        raise PushRefusedError(416, "bad-range", "ask for a part of a release, Range: bytes=first-last")
    first = int(span["first"])
    count = min(int(span["last"]) - first + 1, MAX_PIECE_BYTES)
    async with centre.database.read() as connection:
        district_id, _ = await require_station(connection, request)
        found = await queries.get_piece(connection, district_id, sha256, first=first, count=max(count, 0))
    if found is None:
        raise NotFoundError
    piece, size = found
    if not piece:
        raise PushRefusedError(416, "bad-range", f"the release has {size} bytes")
    headers = {"Content-Range": f"bytes {first}-{first + len(piece) - 1}/{size}", "Cache-Control": "no-store"}
    return Response(piece, 206, media_type="application/octet-stream", headers=headers)
