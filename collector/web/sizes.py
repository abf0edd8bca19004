"""Refuses forms that are larger than any form of ours, before anybody reads them."""

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST = 40 * 1024 * 1024
"""Bytes: a ticket's remark with three large photos."""

_SAID = "提交的内容太大。照片每张不超过 12 MB，请减少张数或缩小后再上传。"


class TooLargeError(Exception):
    """More came than was announced. Whoever reads the form answers that it cannot be read."""


class SizeLimit:
    """Answers 413 to a request whose body is larger than `largest` bytes; `/api/` has limits of its own."""

    def __init__(self, app: ASGIApp, *, largest: int = LARGEST) -> None:
        self._app = app
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        if not announced.isdecimal() or int(announced) > self._largest:
            await PlainTextResponse(_SAID, 413)(scope, receive, send)
            return
        came = 0

        async def receive_counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > self._largest:
                raise TooLargeError
            return message

        await self._app(scope, receive_counted, send)
