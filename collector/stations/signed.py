"""Proves which station asks, for routes that answer a signed GET without a body."""

from fastapi import Request

from collector.centre import Centre
from collector.db.engine import Connection
from collector.errors import PushRefusedError
from collector.stations import queries
from shared import signing


async def require_station(connection: Connection, request: Request) -> tuple[int, int]:
    """District and number of the station that signed this request. Raises PushRefusedError."""
    centre: Centre = request.app.state.centre
    try:
        claim = signing.read_claim(request.headers.get("authorization"))
        district_id, station_id = map(int, claim.station.split("/"))
        key = await queries.get_key(connection, district_id, station_id, claim.key_id, now_ms=centre.now_ms)
        if key is None:
            raise PushRefusedError(401, "unknown-key", "this station and key are not known here; enrol it again")
        signing.verify(claim, key, method="GET", path=request.url.path, body=b"")
    except signing.BadSignature as error:
        raise PushRefusedError(401, "bad-signature", str(error)) from error
    return district_id, station_id
