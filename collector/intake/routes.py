"""The push route: plain ASGI on raw bytes, in front of everything else.

It is the one request that comes from every station every few minutes. FastAPI's routing, middleware and body handling
would cost more than the storing.
"""

from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from collector.centre import Centre
from collector.errors import PushRefusedError
from collector.intake import queries
from collector.intake.service import Received
from collector.intake.unpacking import unpack
from collector.intake.writer import Writer
from shared import signing
from shared.wire.v1 import MAX_PACKED_BYTES, PATH


class PushDoor:
    """ASGI middleware: takes pushes in, lets everything else through to `app`.

    Public keys are cached; revocation is judged where the push is written.
    """

    def __init__(self, app: ASGIApp, centre: Centre, writer: Writer) -> None:
        self._app = app
        self._centre = centre
        self._writer = writer
        self._keys: dict[tuple[int, int, str], bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH:
            await self._app(scope, receive, send)
            return
        response = await self.push(Request(scope, receive))
        await response(scope, receive, send)

    async def push(self, request: Request) -> Response:
        """Take one push in: 200 with the answer, given after the commit, or problem+json."""
        if request.method != "POST":
            return _problem(PushRefusedError(405, "method-not-allowed", "send pushes with POST"))
        try:
            answer = await self._writer.submit(await self._check(request))
        except PushRefusedError as error:
            return _problem(error)
        return Response(answer.model_dump_json(), media_type="application/json")

    async def _check(self, request: Request) -> Received:
        body = await read_body(request, limit=MAX_PACKED_BYTES)
        try:
            claim = signing.read_claim(request.headers.get("authorization"))
            district_id, station_id = map(int, claim.station.split("/"))
            key = await self._key(district_id, station_id, claim.key_id)
            signing.verify(claim, key, method="POST", path=PATH, body=body)
        except signing.BadSignature as error:
            raise PushRefusedError(401, "bad-signature", str(error)) from error
        received_ms = self._centre.now_ms
        push = unpack(body)
        if push.envelope.station != claim.station:
            raise PushRefusedError(403, "wrong-station", "the envelope names another station than the signature")
        return Received(district_id, station_id, claim.key_id, push, received_ms)

    async def _key(self, district_id: int, station_id: int, key_id: str) -> bytes:
        name = (district_id, station_id, key_id)
        key = self._keys.get(name)
        if key is None:
            async with self._centre.database.read() as connection:
                key = await queries.get_public_key(connection, *name)
            if key is None:
                raise PushRefusedError(401, "unknown-key", "this station and key are not known here; enrol it again")
            self._keys[name] = key
        return key


def _problem(error: PushRefusedError) -> Response:
    body: dict[str, Any] = {"type": f"/problems/{error.problem}", "title": HTTPStatus(error.status).phrase}
    body |= {"status": error.status, "detail": str(error)}
    headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    return JSONResponse(body, error.status, headers, media_type="application/problem+json")


async def read_body(request: Request, *, limit: int) -> bytes:
    """The body, refused as soon as it grows over `limit` bytes."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise PushRefusedError(413, "too-large", f"a push has at most {limit} bytes; send fewer events")
        parts.append(part)
    return b"".join(parts)
