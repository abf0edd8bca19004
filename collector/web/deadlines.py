"""Gives every request a deadline, which uvicorn does not: a stalled client would keep its socket for ever."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_NEVER = float("inf")


class DeadlineProtocol(HttpToolsProtocol):
    """`head_s` seconds for a request's head, counted from the connection or its first byte; `body_s` for its body.

    A request only notes when it is due; one timer a connection looks from time to time, for arming a timer three
    times a request would cost a tenth of a whole push.
    """

    head_s = 10.0
    body_s = 60.0
    _due = _NEVER
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._due = self.loop.time() + self.head_s
        self._look_again()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._due = self.loop.time() + self.head_s

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._due = self.loop.time() + self.body_s

    def on_message_complete(self) -> None:
        self._due = _NEVER
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super().connection_lost(exc)

    def _look_again(self) -> None:
        self._timer = self.loop.call_later(self.head_s / 4, self._look)

    def _look(self) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        if self.loop.time() >= self._due:
            self.transport.abort()
        else:
            self._look_again()
