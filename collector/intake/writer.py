"""Group commit: one writer per process puts many pushes into one transaction, then they are answered.

A push that cannot be written alone must not take its neighbours with it: when a group fails it is written again one
by one, and only the culprit is refused.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from collector.centre import Centre
from collector.errors import PushRefusedError
from collector.intake.directing import direct
from collector.intake.pacing import Pacer
from collector.intake.service import Received, store
from shared.wire.v1 import Answer

log = logging.getLogger("yuanjiao.intake")

MAX_GROUP = 200
MAX_WAITING = 4000


@dataclass(frozen=True, slots=True)
class _Waiting:
    received: Received
    answer: asyncio.Future[Answer | PushRefusedError]


class Writer:
    """Queue in front of the event log. `ready_since_ms` is when this intake became healthy."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(MAX_WAITING)
        self._task: asyncio.Task[None] | None = None
        self._pacer = Pacer(centre.settings.backlog_lines_per_s)
        self.ready_since_ms = centre.now_ms

    def start(self) -> None:
        self.ready_since_ms = self._centre.now_ms
        self._task = asyncio.create_task(self._run(), name="intake-writer")

    async def stop(self) -> None:
        """Write what is queued, then end."""
        if self._task is not None:
            await self._queue.join()
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def submit(self, received: Received) -> Answer:
        """Answer of the centre, given after the commit. Raises PushRefusedError."""
        if self._queue.full():
            raise PushRefusedError(503, "busy", "the centre is busy; wait and send again", retry_after_s=30)
        answer: asyncio.Future[Answer | PushRefusedError] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait(_Waiting(received, answer))
        result = await answer
        if isinstance(result, PushRefusedError):
            raise result
        return result

    async def _run(self) -> None:
        while True:
            group = [await self._queue.get()]
            while len(group) < MAX_GROUP and not self._queue.empty():
                group.append(self._queue.get_nowait())
            try:
                await self._write(group)
            finally:
                for _ in group:
                    self._queue.task_done()

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
