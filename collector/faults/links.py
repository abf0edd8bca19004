"""Tells a link that breaks again and again from one that breaks once: the flap detector of Icinga. Pure.

A ring of 20 looks, one a heartbeat period; a bit is set where the link had changed since the look before. The bits are
weighed 0.8 + 0.02·i, the newest most. Looks are taken by the tick, not by heartbeats: so a station that stays silent
leaves the ring. Only a station whose link has changed lately is remembered at all, and written when it changes; the
ring is moved on when it is read.
"""

from functools import lru_cache
from typing import NamedTuple

from collector.faults.rules.base import Link

LOOKS = 20
_MASK = (1 << LOOKS) - 1
_WEIGHTS = tuple(0.8 + 0.02 * place for place in range(LOOKS))
_LOST_PERIODS = 2


class Track(NamedTuple):
    """One link. `ring` as it was at the look number `look`, its lowest bit the newest; `lost` or not since then."""

    station_id: int
    lost: bool
    ring: int
    look: int
    cuts: int
    since_ms: int


def is_lost(received_ms: int, *, from_ms: int, period_ms: int, now_ms: int) -> bool:
    """Whether a heartbeat is missing, a late one aside. `from_ms` is since when it could have come and been heard."""
    return now_ms - max(received_ms, from_ms) >= _LOST_PERIODS * period_ms


def move_on(track: Track, *, look: int, first_look: int) -> int:
    """The ring as it is at a look. Looks before `first_look`, while the centre was deaf, were never taken."""
    passed = look - max(track.look, first_look - 1)
    return track.ring << min(passed, LOOKS) & _MASK if passed > 0 else track.ring


def note(track: Track | None, station_id: int, *, lost: bool, look: int, first_look: int, now_ms: int) -> Track | None:
    """What to remember after a look; the same object when nothing is new, None when there is nothing to remember."""
    if track is None:
        return Track(station_id, True, 1, look, 1, now_ms) if lost else None
    ring = move_on(track, look=look, first_look=first_look)
    if lost is track.lost:
        return track if ring or lost else None
    cuts, since_ms = (track.cuts, track.since_ms) if ring else (0, now_ms)
    return Track(station_id, lost, ring | 1, look, cuts + lost, since_ms)


def weigh(track: Track, *, look: int, first_look: int) -> Link | None:
    """How unstable the link is; None when nothing has changed in the last looks."""
    ring = move_on(track, look=look, first_look=first_look)
    if not ring:
        return None
    return Link(_percent(ring), track.cuts, track.since_ms)


@lru_cache(maxsize=4096)
def _percent(ring: int) -> float:
    """Many links are cut by one cause, and then their rings are alike."""
    weight = sum(_WEIGHTS[LOOKS - 1 - place] for place in range(LOOKS) if ring >> place & 1)
    return round(100 * weight / LOOKS, 1)
