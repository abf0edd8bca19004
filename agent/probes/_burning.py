"""How a projector's lamp ages and how long it has been burning, by what the sensor saw. Pure.

Days come from the wall clock, spans from the monotonic one. What nobody watched is not guessed.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from shared.clock import Instant

_DAY_MS = 86_400_000
_DAYS_KEPT = 30
_DAYS_NEEDED = 7
_GAP_MS = 300_000
_LIT = frozenset({"on", "warming"})

Point = tuple[int, int]
"""A day (days since 1970) and the lamp hours at its first look."""


@dataclass(slots=True)
class Burning:
    """`since` when it was first seen on; `after_ms` how much of the time since then lay outside the opening hours."""

    since: Instant | None = None
    after_ms: int = 0
    _seen_ms: int | None = None

    def see(self, power: str | None, now: Instant, *, is_open: bool | None) -> None:
        """A look's news. None as power (out of reach) changes nothing, but its time counts as unwatched."""
        if power is None:
            self._seen_ms = None
            return
        if power not in _LIT:
            self.since, self.after_ms, self._seen_ms = None, 0, None
            return
        self.since = self.since or now
        if self._seen_ms is not None and is_open is False:
            self.after_ms += min(now.mono_ms - self._seen_ms, _GAP_MS)
        self._seen_ms = now.mono_ms

    def on_s(self, now: Instant) -> int | None:
        return None if self.since is None else (now.mono_ms - self.since.mono_ms) // 1000


def read_points(text: str | None) -> list[Point]:
    """The points of a memo; what cannot be read is begun anew."""
    with suppress(ValueError, TypeError):
        return [(int(day), int(hours)) for day, hours in json.loads(text or "[]")][-_DAYS_KEPT:]
    return []


def dump_points(points: Sequence[Point]) -> str:
    return json.dumps(points, separators=(",", ":"))


def add_point(points: Sequence[Point], hours: int, *, wall_ms: int) -> list[Point]:
    """One point a day. Fewer hours than before mean a new lamp; a day before the last one, a clock that went back."""
    day = wall_ms // _DAY_MS
    kept = [point for point in points if point[0] <= day]
    if kept and hours < kept[-1][1]:
        kept = []
    if kept and kept[-1][0] == day:
        return kept
    fresh = [point for point in kept if point[0] > day - _DAYS_KEPT]
    return [*fresh, (day, hours)][-_DAYS_KEPT:]


def hours_a_day(points: Sequence[Point]) -> float | None:
    """How fast the lamp ages; None before a week has been seen."""
    if len(points) < 2 or points[-1][0] - points[0][0] < _DAYS_NEEDED:
        return None
    return round((points[-1][1] - points[0][1]) / (points[-1][0] - points[0][0]), 2)
