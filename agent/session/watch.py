"""Follows every player on the session's bus through MPRIS, and tells what each did.

Signals only say that it is time to look; each look takes the whole picture. A player that hangs costs its own look
two seconds and nobody else anything. asyncio, because dbus-fast is; imported by the helper alone.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dbus_fast import BusType, Message, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.unpack import unpack_variants

from agent.session.players import Line, Watched, player_of, read_snapshot
from agent.session.resuming import Memory
from shared.clock import Clock

log = logging.getLogger("yuanjiao.session")

MAX_PLAYERS = 16
_ANSWER_S = 2.0
_RESCAN_S = 30
_SETTLE_S = 0.05
_BUS = "org.freedesktop.DBus"
_PLAYER_PATH = "/org/mpris/MediaPlayer2"
_PLAYER = "org.mpris.MediaPlayer2.Player"
_MATCHES = (
    f"type='signal',sender='{_BUS}',member='NameOwnerChanged',arg0namespace='org.mpris.MediaPlayer2'",
    f"type='signal',path='{_PLAYER_PATH}',interface='{_BUS}.Properties',member='PropertiesChanged'",
    f"type='signal',path='{_PLAYER_PATH}',interface='{_PLAYER}',member='Seeked'",
)


_GONE = ("org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner")


class NoAnswerError(Exception):
    """The bus or a player did not answer, or answered with an error."""


class GoneError(NoAnswerError):
    """The bus knows nobody of this name."""


@dataclass(slots=True)
class Watch:
    """`tell` takes each line; `players` maps a connection's unique name to what is known of its player."""

    clock: Clock
    tell: Callable[[Line], None]
    memory: Memory = field(default_factory=Memory)
    players: dict[str, Watched] = field(default_factory=dict)
    _bus: MessageBus | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _asked: dict[str, bool] = field(default_factory=dict)

    async def run(self) -> None:
        """Follow the players until the bus is gone. Raises OSError or ValueError where there is no bus."""
        self._bus = await MessageBus(bus_type=BusType.SESSION).connect()
        self._bus.add_message_handler(self._hear)
        for match in _MATCHES:
            await self._ask_bus("AddMatch", match)
        gone = asyncio.ensure_future(self._bus.wait_for_disconnect())  # type: ignore[no-untyped-call]
        turn = 0
        try:
            while not gone.done():
                if turn % _RESCAN_S == 0:
                    await self._find()
                await self._look_at_due()
                await asyncio.wait([gone], timeout=1)
                turn += 1
            for owner in list(self.players):
                self._lose(owner)
        finally:
            gone.cancel()
            self._bus.disconnect()
            # Told to stop, the helper ends no playing: the one after it goes on.
            self.players.clear()

    def _hear(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL:
            return
        if message.sender == _BUS:
            name, old, new = message.body if message.member == "NameOwnerChanged" else ("", "", "")
            if old and not new:
                self._lose(old)
            elif new:
                self._do(self._adopt(name))
        elif message.sender in self.players:
            self._look_soon(str(message.sender), sought=message.member == "Seeked")

    def _look_soon(self, owner: str, *, sought: bool) -> None:
        """A player that floods the bus with signals is still looked at twenty times a second at most."""
        if owner in self._asked:
            self._asked[owner] |= sought
            return
        self._asked[owner] = sought

        async def look() -> None:
            await asyncio.sleep(_SETTLE_S)
            await self._look(owner, sought=self._asked.pop(owner))

        self._do(look())

    def _do(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _find(self) -> None:
        """Adopt players that were there before, or whose signal was lost."""
        with contextlib.suppress(NoAnswerError):
            for name in (await self._ask_bus("ListNames"))[0]:
                await self._adopt(str(name))

    async def _adopt(self, name: str) -> None:
        player = player_of(name)
        if player is None or len(self.players) >= MAX_PLAYERS:
            return
        with contextlib.suppress(NoAnswerError):
            owner = str((await self._ask_bus("GetNameOwner", name))[0])
            pid = int((await self._ask_bus("GetConnectionUnixProcessID", name))[0])
            # VLC may be on the bus twice.
            if owner in self.players or any(each.pid == pid for each in self.players.values()):
                return
            now = self.clock.now()
            fresh = Watched(f"{now.boot[:12]}-{pid}-{now.mono_ms}", player, pid)
            self.players[owner] = self.memory.resume(fresh, now)
            log.info("player.appeared player=%s pid=%s", player, pid)
            await self._look(owner)

    def _lose(self, owner: str) -> None:
        watched = self.players.pop(owner, None)
        if watched is None:
            return
        log.info("player.left player=%s pid=%s", watched.player, watched.pid)
        now = self.clock.now()
        for line in watched.lose(now):
            self.tell(line)
        self.memory.keep(self.players.values(), now)

    async def _look_at_due(self) -> None:
        now_ms = self.clock.now().mono_ms
        due = [owner for owner, watched in self.players.items() if watched.due_ms() <= now_ms]
        if due:
            await asyncio.gather(*map(self._look, due))

    async def _look(self, owner: str, *, sought: bool = False) -> None:
        try:
            answer = await self._ask(owner, _PLAYER_PATH, f"{_BUS}.Properties", "GetAll", _PLAYER)
        except GoneError:
            # It left while it was being adopted: the signal came before anybody knew whose it was.
            self._lose(owner)
            return
        except NoAnswerError:
            return
        watched = self.players.get(owner)
        if watched is None or not isinstance(answer[0], dict):
            return
        now = self.clock.now()
        for line in watched.see(read_snapshot(answer[0]), now, sought=sought):
            self.tell(line)
        self.memory.keep(self.players.values(), now)

    async def _ask_bus(self, member: str, *arguments: str) -> Sequence[Any]:
        return await self._ask(_BUS, "/org/freedesktop/DBus", _BUS, member, *arguments)

    async def _ask(self, to: str, path: str, interface: str, member: str, *arguments: str) -> Sequence[Any]:
        """The answer with its variants taken off. Raises NoAnswerError."""
        if self._bus is None:
            raise NoAnswerError(member)
        message = Message(
            destination=to,
            path=path,
            interface=interface,
            member=member,
            signature="s" * len(arguments),
            body=list(arguments),
        )
        try:
            answer = await asyncio.wait_for(self._bus.call(message), _ANSWER_S)
        except (TimeoutError, OSError, EOFError) as error:
            raise NoAnswerError(member) from error
        if answer is None or answer.message_type is MessageType.ERROR:
            raise GoneError(member) if answer is not None and answer.error_name in _GONE else NoAnswerError(member)
        return [unpack_variants(each) for each in answer.body] or [None]
