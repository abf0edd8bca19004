"""What turns the agent: a thread for each crank, since a push may wait half a minute while sensors go on.

A crank that raises is turned again; one that hangs, or fails every time, is found by its age. See decision 0015.
"""

import logging
import threading
from collections.abc import Callable, Sequence

from shared.clock import Clock, Instant

log = logging.getLogger("yuanjiao.agent")


class Crank(threading.Thread):
    """Calls `turn(now)` every `every_s` seconds until `stop` is set."""

    def __init__(
        self, name: str, turn: Callable[[Instant], None], *, every_s: float, clock: Clock, stop: threading.Event
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._turn, self._every_s, self._clock, self._stopping = turn, every_s, clock, stop
        self.well_ms = clock.now().mono_ms
        """When it last came round without an error, on the monotonic clock."""

    def run(self) -> None:
        while not self._stopping.wait(self._every_s):
            try:
                self._turn(self._clock.now())
            except Exception:
                log.exception("crank.failed name=%s", self.name)
            else:
                self.well_ms = self._clock.now().mono_ms


def find_stuck(cranks: Sequence[Crank], now: Instant, *, limit_s: float) -> list[str]:
    """Names of those that have not come round within `limit_s` seconds."""
    return [crank.name for crank in cranks if now.mono_ms - crank.well_ms > limit_s * 1000]
