"""A TCP link on loopback that harms connections: refuses, cuts, half-closes, loses answers, holds back, drips.

What befalls a connection is decided by how many came before it and how many bytes have passed, never by a clock. Each
fate in turn befalls one connection after the other until it has struck; when all have, the link is a good one.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from asyncio import StreamReader, StreamWriter
from collections import Counter, deque
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any

READY_WITHIN_S = 20
WHOLE, ENDLESS = 1 << 16, 1 << 60


class Kind(StrEnum):
    REFUSED = "ended at the first byte, of which nothing passes"
    REQUEST_CUT = "what the station sends is cut"
    HALF_CLOSED = "the centre is told that nothing more will come"
    ANSWER_LOST = "the centre has stored it and answers, the station never learns of it"
    ANSWER_CUT = "what the centre answers is cut"
    HELD_BACK = "held back until the station has given up, then passed on"
    DRIPPED = "passed on a few bytes at a time, then cut"


@dataclass(frozen=True, slots=True)
class Fate:
    """Strikes after so many bytes of requests, or of answers where these are cut."""

    kind: Kind
    after: int
    by_reset: bool
    """Whether both ends learn of it by a reset, rather than by an end as after the last word."""


def draw_fates(seed: int, *, rounds: int, reach: int) -> list[Fate]:
    """Every kind once a round; the seed decides in which order, after how many bytes below `reach`, and how."""
    dice = Random(seed)  # noqa: S311 - reproducible on purpose
    return [
        Fate(kind, dice.randrange(reach), dice.random() < 0.5)
        for _ in range(rounds)
        for kind in dice.sample(list(Kind), len(Kind))
    ]


class FaultyLink:
    """Leads from `port` to another port of this machine."""

    def __init__(self, towards: int, fates: Sequence[Fate]) -> None:
        self.port = 0
        self.struck: Counter[Kind] = Counter()
        self._towards = towards
        self._fates = deque(fates)
        self._count = len(fates)
        self._carrying: set[asyncio.Task[None] | None] = set()

    @property
    def is_good(self) -> bool:
        """Whether every fate has struck."""
        return self.struck.total() == self._count

    async def carry(self, reader: StreamReader, writer: StreamWriter) -> None:
        """One connection of a station, from its beginning to its end."""
        # A stream does not keep whoever waits for its bytes: a connection whose one side has ended would be forgotten.
        self._carrying.add(asyncio.current_task())
        fate = self._fates.popleft() if self._fates else None
        is_struck = False
        with contextlib.closing(_Ends(reader, writer)) as ends:
            if fate is None:
                await ends.reach(self._towards)
                await ends.converse()
            else:
                is_struck = await _befall(fate, ends, self._towards)
                ends.by_reset = is_struck and fate.by_reset
        if is_struck and fate is not None:
            self.struck[fate.kind] += 1
        elif fate is not None:
            self._fates.appendleft(fate)


class _Ends:
    """Both ends of a connection: the station's, and the centre's once it is reached."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.station, self.to_station = reader, writer
        self.by_reset = False
        self._writers = [writer]

    async def reach(self, port: int) -> None:
        self.centre, self.to_centre = await asyncio.open_connection("127.0.0.1", port)
        self._writers.append(self.to_centre)

    async def converse(self, asked: int = ENDLESS, answered: int = ENDLESS, piece: int = WHOLE) -> bytes:
        """Pass bytes both ways until one side ends, or until so many have passed: then what was to come next."""
        return await _first(
            _pass(self.station, self.to_centre, asked, piece), _pass(self.centre, self.to_station, answered, piece)
        )

    def close(self) -> None:
        for each in self._writers:
            if self.by_reset:
                at_once = struct.pack("ii", 1, 0)
                each.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
                each.transport.abort()
            else:
                each.close()


async def _befall(fate: Fate, ends: _Ends, towards: int) -> bool:
    """Whether it struck: a connection may end before."""
    if fate.kind is Kind.REFUSED:
        return bool(await _hear(ends.station))
    await ends.reach(towards)
    if fate.kind is Kind.ANSWER_CUT:
        return bool(await ends.converse(answered=fate.after))
    rest = await ends.converse(asked=fate.after, piece=1 + fate.after % 7 if fate.kind is Kind.DRIPPED else WHOLE)
    if rest and fate.kind is Kind.HALF_CLOSED:
        ends.to_centre.write_eof()
        await _pass(ends.centre, ends.to_station)
    if rest and fate.kind is Kind.ANSWER_LOST:
        ends.to_centre.write(rest)
        return bool(await _first(_pass(ends.station, ends.to_centre), _hear(ends.centre)))
    if rest and fate.kind is Kind.HELD_BACK:
        ends.to_centre.write(rest + await _all_of(ends.station))
        await _hear(ends.centre)
    return bool(rest)


async def _pass(reader: StreamReader, writer: StreamWriter, limit: int = ENDLESS, piece: int = WHOLE) -> bytes:
    """Pass on up to `limit` bytes; returns those that came next, none when the sender or the receiver has ended."""
    with contextlib.suppress(OSError):
        while data := await _hear(reader):
            allowed, rest = data[:limit], data[limit:]
            for begin in range(0, len(allowed), piece):
                writer.write(allowed[begin : begin + piece])
                await writer.drain()
            limit -= len(allowed)
            if rest:
                return rest
    return b""


async def _all_of(reader: StreamReader) -> bytes:
    data = b""
    while more := await _hear(reader):
        data += more
    return data


async def _hear(reader: StreamReader) -> bytes:
    """What comes next, nothing when the sender has ended."""
    try:
        return await reader.read(WHOLE)
    except OSError:
        return b""


async def _first(*ways: Coroutine[Any, Any, bytes]) -> bytes:
    """What the first of these comes to; the others end."""
    tasks = [asyncio.create_task(each) for each in ways]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return max((each.result() for each in done), key=len)
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def faulty_link(towards: int, fates: Sequence[Fate]) -> Iterator[FaultyLink]:
    """A link that works in a thread beside the test."""
    link = FaultyLink(towards, fates)
    is_ready, loop = threading.Event(), asyncio.new_event_loop()
    is_over = asyncio.Event()

    async def work() -> None:
        server = await asyncio.start_server(link.carry, "127.0.0.1", 0)
        link.port = int(server.sockets[0].getsockname()[1])
        is_ready.set()
        async with server:
            await is_over.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(work())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert is_ready.wait(READY_WITHIN_S), "the link did not open"
    yield link
    loop.call_soon_threadsafe(is_over.set)
    thread.join(READY_WITHIN_S)
