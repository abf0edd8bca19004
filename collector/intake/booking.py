"""When an event truly happened, whatever the station's clock believed. Pure.

Within the boot that is talking to us, time is counted back on the monotonic clock from the moment of receipt. For an
earlier boot an anchor of that boot serves, if there ever was one. Else the recorded wall time stands where it is
possible at all, and the receipt where it is not, flagged.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from shared.months import month_of
from shared.wire.v1 import Heartbeat

HELD_UP_MS = 15 * 60_000
"""How long a push may lie on its way: what seems to have happened so shortly after a month began is flagged."""
FIRST_POSSIBLE_MS = 1_735_689_600_000
"""The beginning of 2025, before which no station ran this program."""


class Moment(Protocol):
    """When something happened, as the station believed."""

    @property
    def at(self) -> int: ...
    @property
    def boot(self) -> str: ...
    @property
    def mono(self) -> int: ...


class Booked(NamedTuple):
    """`at_ms` decides day and month; `uncertain` when only the station's own clock speaks for it."""

    at_ms: int
    uncertain: bool


class Booker:
    """Books what one push tells of. `anchors` maps a boot to true epoch ms minus its monotonic ms.

    Without a `heartbeat`, as for a push carried here by hand, the receipt says nothing about the station's clock.
    """

    def __init__(self, *, heartbeat: Heartbeat | None, received_ms: int, anchors: Mapping[str, int]) -> None:
        self._heartbeat = heartbeat
        self._received_ms = received_ms
        self._anchors = anchors
        self._offsets: dict[str, tuple[int | None, bool]] = {}

    def book(self, event: Moment) -> Booked:
        """True time of one event."""
        if event.boot not in self._offsets:
            self._offsets[event.boot] = self._place(event.boot)
        (offset, uneven), received_ms = self._offsets[event.boot], self._received_ms
        if offset is None:
            return Booked(event.at if FIRST_POSSIBLE_MS <= event.at <= received_ms else received_ms, uncertain=True)
        at_ms = event.mono + offset
        if at_ms > received_ms:
            return Booked(received_ms, uncertain=True)
        return Booked(at_ms, uneven or month_of(at_ms) != month_of(at_ms - HELD_UP_MS))

    def _place(self, boot: str) -> tuple[int | None, bool]:
        """Where a boot lies in true time, None where nothing tells, and whether two signs of it disagree."""
        offset, uneven = self._anchors.get(boot), False
        if self._heartbeat is not None and self._heartbeat.boot == boot:
            # A push that was held up on its way makes the difference look larger than it is, so the smaller one counts.
            here = self._received_ms - self._heartbeat.mono
            # A larger difference either way means that the station's monotonic clock stood still or ran wild meanwhile.
            uneven = offset is not None and abs(here - offset) > HELD_UP_MS
            offset = here if offset is None else min(here, offset)
        return offset, uneven
