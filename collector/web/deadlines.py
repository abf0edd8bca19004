"""Gives every request a deadline, which uvicorn does not: a stalled client would keep its socket for ever."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class DeadlineProtocol(HttpToolsProtocol):
    """`head_s` seconds for a request's head, counted from the connection or its first byte; `body_s` for its body."""

    head_s = 10.0
    body_s = 60.0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._arm(self.head_s)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._arm(self.head_s)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._arm(self.body_s)

    def on_message_complete(self) -> None:
        self._disarm()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._timer = self.loop.call_later(seconds, self._give_up)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.abort()
