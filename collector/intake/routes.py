"""The push route: plain ASGI on raw bytes, in front of everything else.

It is the one request that comes from every station every few minutes. FastAPI's routing, middleware and body handling
would cost more than the storing.
"""

import json
from collections.abc import Iterable
from http import HTTPStatus

from starlette.types import Receive, Scope, Send

from collector.centre import Centre
from collector.errors import PushRefusedError
from collector.intake.dictionaries import Dictionaries
from collector.intake.keyring import Keyring
from collector.intake.refusals import Refusals
from collector.intake.service import Received
from collector.intake.unpacking import unpack
from collector.intake.writer import Writer
from shared import signing
from shared.wire.v1 import MAX_PACKED_BYTES

_PROBLEM = (b"content-type", b"application/problem+json")

_ASK = signing.ASK_HEADER.lower().encode()

Headers = list[tuple[bytes, bytes]]


class PushDoor:
    """Takes pushes in, and counts the `refusals`."""

    def __init__(self, centre: Centre, writer: Writer) -> None:
        self._centre = centre
        self._writer = writer
        self._keyring = Keyring(centre)
        self._dictionaries = Dictionaries()
        self.refusals = Refusals(centre)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one push: 200 after the commit, or problem+json."""
        try:
            if scope["method"] != "POST":
                _refuse_method()
            body, received = await self._check(scope, receive)
            answer = await self._writer.submit(received)
        except PushRefusedError as error:
            self.refusals.count(error, _authorization(scope["headers"]))
            await _send(send, error.status, _describe(error), [_PROBLEM, *_retry(error)])
            return
        seal, envelope = self._centre.seal, received.push.envelope
        self._dictionaries.keep(envelope.station, received.push.first)
        if seal is not None and envelope.trust < seal.version:
            answer = answer.model_copy(update={"trust": seal.trust})
        content, headers = answer.model_dump_json(exclude_unset=True).encode(), Headers()
        if seal is not None and _asks_proof(scope["headers"]):
            proof = seal.prove(station=envelope.station, request=body, answer=content)
            headers.append((signing.PROOF_HEADER.lower().encode(), proof.encode()))
        await _send(send, 200, content, headers)

    async def _check(self, scope: Scope, receive: Receive) -> tuple[bytes, Received]:
        # Before the body: on a slow link that takes a minute, and the heartbeat was stamped before it was sent.
        received_ms = self._centre.now_ms
        body = await read_body(receive, limit=MAX_PACKED_BYTES)
        claim = await self._keyring.check(_authorization(scope["headers"]), body)
        push = unpack(body, self._dictionaries.get(claim.station))
        if push.envelope.station != claim.station:
            raise PushRefusedError(403, "wrong-station", "the envelope names another station than the signature")
        district_id, station_id = map(int, claim.station.split("/"))
        is_signed = claim.algorithm == signing.ALGORITHM
        return body, Received((district_id, station_id), claim.key_id, push, received_ms, is_signed=is_signed)


async def read_body(receive: Receive, *, limit: int) -> bytes:
    """The body, refused as soon as it grows over `limit` bytes, or when the client goes away."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise PushRefusedError(400, "cut-body", "the body ends too early; send it again")
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise PushRefusedError(413, "too-large", f"a push has at most {limit} bytes; send fewer events")
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _authorization(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    return next((value.decode("latin-1") for name, value in headers if name == b"authorization"), None)


def _asks_proof(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return (_ASK, signing.ASK_PROOF.encode()) in headers


def _refuse_method() -> None:
    raise PushRefusedError(405, "method-not-allowed", "send pushes with POST")


def _describe(error: PushRefusedError) -> bytes:
    body = {"type": f"/problems/{error.problem}", "title": HTTPStatus(error.status).phrase, "status": error.status}
    return json.dumps(body | {"detail": str(error)}, ensure_ascii=False).encode()


def _retry(error: PushRefusedError) -> Headers:
    return [] if error.retry_after_s is None else [(b"retry-after", str(error.retry_after_s).encode())]


async def _send(send: Send, status: int, body: bytes, headers: Headers) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
