"""Carries the helper's lines to the agent, in order, and keeps what the agent has not taken yet. Bounded."""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MAX_WAITING = 5000
"""Lines kept while there is no agent: seven hours of a running film. The oldest go first."""

_AGAIN_S = 5.0


@dataclass(slots=True)
class Mail:
    """`sound` is one slot: only the newest picture is worth sending."""

    socket: Path
    waiting: deque[bytes] = field(default_factory=lambda: deque(maxlen=MAX_WAITING))
    sound: bytes | None = None
    heed: Callable[[dict[str, Any]], None] = lambda _order: None
    """What is done when the agent orders something: a line with `do`."""
    _sent: int = 0
    _taken: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, line: dict[str, Any]) -> None:
        if len(self.waiting) == MAX_WAITING and self._sent:
            # The oldest goes, and the agent will still count it.
            self._sent, self._taken = self._sent - 1, self._taken + 1
        self.waiting.append(_dump(line))
        self._news.set()

    def tell_sound(self, picture: dict[str, Any]) -> None:
        self.sound = _dump(picture)
        self._news.set()

    async def run(self) -> None:
        """Deliver for ever; a missing agent is tried again every five seconds."""
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(str(self.socket))
            except OSError:
                await asyncio.sleep(_AGAIN_S)
                continue
            self._sent = self._taken = 0
            sending = asyncio.ensure_future(self._send(writer))
            receiving = asyncio.ensure_future(self._receive(reader))
            try:
                await asyncio.wait([sending, receiving], return_when=asyncio.FIRST_COMPLETED)
            finally:
                sending.cancel()
                receiving.cancel()
                writer.close()
            await asyncio.sleep(_AGAIN_S)

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        while True:
            self._news.clear()
            while self._sent < len(self.waiting):
                writer.write(self.waiting[self._sent])
                self._sent += 1
                await writer.drain()
            if self.sound is not None:
                writer.write(self.sound)
                self.sound = None
                await writer.drain()
            await self._news.wait()

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        """Forget what the agent has taken. It counts the lines of this connection that are to be kept, not sound."""
        while answer := await reader.readline():
            told = json.loads(answer)
            if "do" in told:
                self.heed(told)
                continue
            taken = int(told["taken"])
            for _ in range(min(taken - self._taken, self._sent)):
                self.waiting.popleft()
                self._sent -= 1
            self._taken = max(self._taken, taken)


def _dump(line: dict[str, Any]) -> bytes:
    """JSON that carries any bytes of a path (as lone surrogates, escaped) and never breaks the line."""
    return json.dumps(line, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
