"""Refuses bodies that are larger than any of ours, before anybody reads them: forms of people, words of machines."""

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST = 40 * 1024 * 1024
"""Bytes: a ticket's remark with three large photos."""

LARGEST_WORD = 64 * 1024
"""Bytes: an enrolment or a new key, with room. Pushes come through a door of their own, with a limit of its own."""

_SAID = "提交的内容太大。照片每张不超过 12 MB，请减少张数或缩小后再上传。"


class TooLargeError(Exception):
    """More came than was announced. A form is then answered as one that cannot be read."""


class SizeLimit:
    """Answers 413 to a request whose body is larger than `largest` bytes, under `/api/` than `LARGEST_WORD`."""

    def __init__(self, app: ASGIApp, *, largest: int = LARGEST) -> None:
        self._app = app
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_machine = scope["path"].startswith("/api/")
        largest = LARGEST_WORD if is_machine else self._largest
        announced = Headers(scope=scope).get("content-length", "0")
        if not announced.isdecimal() or int(announced) > largest:
            await _refuse(is_machine=is_machine)(scope, receive, send)
            return
        came = 0

        async def receive_counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > largest:
                raise TooLargeError
            return message

        try:
            await self._app(scope, receive_counted, send)
        except TooLargeError:
            await _refuse(is_machine=is_machine)(scope, receive, send)


def _refuse(*, is_machine: bool) -> Response:
    if not is_machine:
        return PlainTextResponse(_SAID, 413)
    problem = {"type": "/problems/too-large", "title": "Content Too Large", "status": 413}
    return JSONResponse(
        problem | {"detail": f"at most {LARGEST_WORD} bytes"}, 413, media_type="application/problem+json"
    )
