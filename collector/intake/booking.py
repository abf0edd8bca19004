"""When an event truly happened, whatever the station's clock believed. Pure.

Within the boot that is talking to us, time is counted back on the monotonic clock from the moment of receipt. For an
earlier boot an anchor of that boot serves, if there ever was one. Else the recorded wall time stands, flagged.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.wire.v1 import Event, Heartbeat


@dataclass(frozen=True, slots=True)
class Booked:
    """`at_ms` decides day and month; `uncertain` when only the station's own clock speaks for it."""

    at_ms: int
    uncertain: bool


def book(event: Event, *, heartbeat: Heartbeat, received_ms: int, anchors: Mapping[str, int]) -> Booked:
    """True time of an event. `anchors` maps a boot to true epoch ms minus its monotonic ms."""
    offset = received_ms - heartbeat.mono if event.boot == heartbeat.boot else anchors.get(event.boot)
    if offset is None:
        return Booked(event.at, uncertain=True)
    at_ms = event.mono + offset
    if at_ms > received_ms:
        return Booked(received_ms, uncertain=True)
    return Booked(at_ms, uncertain=False)
