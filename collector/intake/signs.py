"""Lines that fit their chain, and still tell of something a person should look into. Pure.

A clock that is put right moves back, too, and one with a dead battery starts in another century: only one that was
moved back from the true time counts.
"""

import json
from collections.abc import Iterable

from pydantic import ValidationError

from collector.intake.booking import FIRST_POSSIBLE_MS
from collector.intake.queries import EventRow
from shared.wire.kinds import ClockJumped, DeviceChanged, HostRolledBack

CLOCK_SET_BACK, DEVICE_CHANGED, DISK_SET_BACK = "clock-set-back", "device-changed", "disk-set-back"
_KINDS = frozenset({"clock.jumped", "device.changed", "host.rolled_back"})
_BACK_MS = 600_000


def read_signs(rows: Iterable[EventRow]) -> dict[str, str]:
    """The kinds of evidence among these rows of the event log, each with its detail; none in nearly all."""
    return dict(sign for row in rows if row.kind in _KINDS and (sign := _read_sign(row)) is not None)


def _read_sign(row: EventRow) -> tuple[str, str] | None:
    if row.refused is not None:
        return None
    try:
        data = json.loads(row.line)["data"]
        if row.kind == "device.changed":
            return DEVICE_CHANGED, DeviceChanged.model_validate(data).model_dump_json()
        if row.kind == "host.rolled_back":
            return DISK_SET_BACK, HostRolledBack.model_validate(data).model_dump_json()
        by_ms = ClockJumped.model_validate(data).by_ms
    except (ValueError, KeyError, TypeError, ValidationError):
        return None
    is_behind = row.at_ms < row.booked_ms - _BACK_MS
    if by_ms > -_BACK_MS or not is_behind or row.uncertain or row.at_ms < FIRST_POSSIBLE_MS:
        return None
    return CLOCK_SET_BACK, f"set back by {-by_ms // 60_000} minutes"
