"""Group commit: many pushes are put into one transaction, then they are answered.

A push that cannot be written alone must not take its neighbours with it: when a group fails it is written again one
by one, and only the culprit is refused.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import NamedTuple

from collector.centre import Centre
from collector.errors import PushRefusedError
from collector.intake.directing import direct
from collector.intake.pacing import Pacer
from collector.intake.queries import StationKey
from collector.intake.service import Received, store
from shared.wire.v1 import Answer

log = logging.getLogger("yuanjiao.intake")

MAX_GROUP = 200
MAX_WAITING = 4000
_LANES = 2
_WORTHWHILE = 16
"""Pushes for a group beside another one."""


class _Waiting(NamedTuple):
    received: Received
    answer: asyncio.Future[Answer | PushRefusedError]


class Writer:
    """Queue in front of the event log. `ready_since_ms` is when this intake became healthy.

    While PostgreSQL writes one group, this process would have nothing to do: so a second may begin beside it. A station
    is only in one of them, for what it sends builds on what it sent before.
    """

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        self._waiting: list[_Waiting] = []
        self._writing: set[StationKey] = set()
        self._called = asyncio.Event()
        self._is_ending = False
        self._lanes: list[asyncio.Task[None]] = []
        self._pacer = Pacer(centre.settings.backlog_lines_per_s)
        self.ready_since_ms = centre.now_ms

    def start(self) -> None:
        self.ready_since_ms = self._centre.now_ms
        self._is_ending = False
        lanes = 1 if self._centre.database.is_sqlite else _LANES
        self._lanes = [asyncio.create_task(self._run(), name=f"intake-writer-{each}") for each in range(lanes)]

    async def stop(self) -> None:
        """Write what is queued, then end."""
        self._is_ending = True
        self._called.set()
        await asyncio.gather(*self._lanes)

    async def submit(self, received: Received) -> Answer:
        """Answer of the centre, given after the commit. Raises PushRefusedError."""
        if len(self._waiting) >= MAX_WAITING:
            raise PushRefusedError(503, "busy", "the centre is busy; wait and send again", retry_after_s=30)
        answer: asyncio.Future[Answer | PushRefusedError] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(received, answer))
        self._called.set()
        result = await answer
        if isinstance(result, PushRefusedError):
            raise result
        return result

    async def _run(self) -> None:
        while self._waiting or not self._is_ending:
            group = self._take()
            if not group:
                self._called.clear()
                await self._called.wait()
                continue
            stations = {each.received.station for each in group}
            self._writing |= stations
            await self._write(group)
            self._writing -= stations
            self._called.set()

    def _take(self) -> list[_Waiting]:
        """The next group. Beside another one it must be worthwhile: a group costs as much as some pushes."""
        if not self._writing:
            group, self._waiting = self._waiting[:MAX_GROUP], self._waiting[MAX_GROUP:]
            return group
        if len(self._waiting) < _WORTHWHILE:
            return []
        free = [each for each in self._waiting if each.received.station not in self._writing]
        busy = [each for each in self._waiting if each.received.station in self._writing]
        self._waiting = [*busy, *free[MAX_GROUP:]]
        return free[:MAX_GROUP]

    async def _write(self, group: Sequence[_Waiting]) -> None:
        try:
            async with self._centre.database.write() as connection:
                now_ms = self._centre.now_ms
                pushes = [each.received for each in group]
                stored = await store(connection, pushes, now_ms=now_ms)
                results = await direct(connection, pushes, stored, now_ms=now_ms)
        except Exception as error:  # the writer must outlive any one group
            if len(group) > 1:
                for each in group:
                    await self._write([each])
                return
            log.exception("intake.write_failed station=%s", group[0].received.station)
            refusal = PushRefusedError(
                503, "not-stored", f"not stored ({type(error).__name__}); send again", retry_after_s=60
            )
            _settle(group[0], refusal)
            return
        for each, result in zip(group, results, strict=True):
            _settle(each, self._paced(each.received, result, now_ms))

    def _paced(self, received: Received, result: Answer | PushRefusedError, now_ms: int) -> Answer | PushRefusedError:
        left = received.push.envelope.heartbeat.spool.waiting - len(received.push.lines)
        if isinstance(result, PushRefusedError) or left <= 0:
            return result
        return result.model_copy(update={"pace": self._pacer.pace(left=left, now_ms=now_ms)})


def _settle(waiting: _Waiting, result: Answer | PushRefusedError) -> None:
    if not waiting.answer.done():
        waiting.answer.set_result(result)
