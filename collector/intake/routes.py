"""The push route: a plain route on raw bytes, because FastAPI's body handling would cost more than the storing."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from collector.centre import Centre
from collector.errors import PushRefusedError
from collector.intake import queries
from collector.intake.service import Received
from collector.intake.unpacking import unpack
from collector.intake.writer import Writer
from shared import signing
from shared.wire.v1 import MAX_PACKED_BYTES, PATH


class PushRoute:
    """Checks and hands on pushes. Public keys are cached; revocation is judged where the push is written."""

    def __init__(self, centre: Centre, writer: Writer) -> None:
        self._centre = centre
        self._writer = writer
        self._keys: dict[tuple[int, int, str], bytes] = {}

    @property
    def route(self) -> Route:
        return Route(PATH, self.push, methods=["POST"])

    async def push(self, request: Request) -> Response:
        """Take one push in: 200 with the answer, given after the commit. Raises PushRefusedError."""
        answer = await self._writer.submit(await self._check(request))
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
