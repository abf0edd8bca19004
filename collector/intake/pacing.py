"""How fast stations with a backlog may go on, so that the return of a whole county is a ramp and not a storm.

Pure: time comes in as a value. Every push that leaves lines behind is given the next free slot; slots are as long as
the lines they carry, so that together no more than `lines_per_s` come back. Heartbeats are never paced.
"""

from dataclasses import dataclass

from shared.wire.v1 import MAX_EVENTS, Pace

LONGEST_WAIT_MS = 300_000


@dataclass(slots=True)
class Pacer:
    """`lines_per_s` lines of backlog a second for this process; `free_ms` is when the next slot begins."""

    lines_per_s: int
    free_ms: float = 0.0

    def pace(self, *, left: int, now_ms: int) -> Pace:
        """Pace for a station that has `left` lines still to send. A wait beyond five minutes is cut to that."""
        if left <= 0:
            return Pace()
        begins_ms = max(self.free_ms, float(now_ms))
        if begins_ms - now_ms >= LONGEST_WAIT_MS:
            return Pace(wait_ms=LONGEST_WAIT_MS)
        self.free_ms = begins_ms + min(left, MAX_EVENTS) / self.lines_per_s * 1000
        return Pace(wait_ms=round(begins_ms - now_ms))
