"""Notices when the wall clock moves against the monotonic one. It never sets a clock.

The monotonic clock counts through suspend, so a PC that slept has not jumped. Over a reboot only a step back can be
told: a start before the last remembered time means that the battery of the PC's clock is dead.
"""

from dataclasses import dataclass

from agent.probes.base import Fact, Probe, ProbeSettings, Reading, Surroundings
from shared.clock import Instant
from shared.wire.kinds import ClockJumped
from shared.wire.states import ClockState

_JUMP_MS = 2_000
_REMEMBER_EVERY_MS = 600_000


class ClockSettings(ProbeSettings):
    pass


@dataclass(slots=True)
class ClockSensor:
    """`before` the last look, `remembered` the last one that was written into the memo, `jumps` since the start."""

    before: Instant | None
    remembered: Instant | None
    jumps: int = 0

    def read(self, now: Instant) -> Reading:
        """`offset_ms` stays None here: the centre has the heartbeat's wall time and its own receipt."""
        jump_ms = measure_jump(self.before, now)
        jumped = abs(jump_ms) > _JUMP_MS
        remember = jumped or self._must_remember(now)
        settled = ClockSensor(now, now if remember else self.remembered, self.jumps + jumped)
        return Reading(
            state=ClockState(jumps=settled.jumps).model_dump(),
            facts=[Fact("clock.jumped", ClockJumped(by_ms=jump_ms).model_dump())] if jumped else [],
            memo={"last": f"{now.boot} {now.mono_ms} {now.wall_ms}"} if remember else {},
            # Until the fact is durable the old look stays the yardstick: an unwritten jump is told again.
            done=lambda: self._settle(settled),
        )

    def _must_remember(self, now: Instant) -> bool:
        """Every ten minutes, to spare the disk."""
        last = self.remembered
        return last is None or last.boot != now.boot or now.mono_ms - last.mono_ms >= _REMEMBER_EVERY_MS

    def _settle(self, settled: "ClockSensor") -> None:
        self.before, self.remembered, self.jumps = settled.before, settled.remembered, settled.jumps


def measure_jump(before: Instant | None, now: Instant) -> int:
    """Milliseconds by which the wall clock left the monotonic one since `before`; 0 when that cannot be told."""
    if before is None:
        return 0
    moved_ms = now.wall_ms - before.wall_ms
    if before.boot == now.boot:
        return moved_ms - (now.mono_ms - before.mono_ms)
    return min(0, moved_ms)


def _recall(memo: str | None) -> Instant | None:
    try:
        boot, mono_ms, wall_ms = (memo or "").split()
        return Instant(wall_ms=int(wall_ms), mono_ms=int(mono_ms), boot=boot)
    except ValueError:
        return None


def _make(settings: ClockSettings, surroundings: Surroundings) -> ClockSensor:  # noqa: ARG001  # nothing to set
    last = _recall(surroundings.recall().get("last"))
    return ClockSensor(before=last, remembered=last)


PROBE = Probe(settings=ClockSettings, every_s=30, limit_s=5, make=_make, sample={"offset_ms": None, "jumps": 0})
