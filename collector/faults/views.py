"""Makes the picture a rule judges from what the centre keeps of a station. Pure.

Only state goes in, and state is newest-wins by receipt: what a returning station sends of the past changes nothing
here, so history never opens a ticket.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from collector.faults.queries import Arrivals
from collector.faults.rules.base import Peers, Suspicion, View, read_states
from collector.stations.queries import Station, StationState
from shared.wire.states import CoursewareState

_BATCH_MS = 6 * 3_600_000
_LATELY_MS = 48 * 3_600_000
_GAPS_KEPT = 20
_GAPS_NEEDED = 3


def make_view(
    station: Station,
    state: StationState,
    arrivals: Arrivals | None,
    *,
    open_rules: frozenset[str],
    suspicion: Suspicion | None,
    ready_since_ms: int,
    period_s: int,
    grace_s: int,
) -> View:
    """The view of one station, without its peers."""
    heartbeat: Mapping[str, Any] = json.loads(state.heartbeat)
    probes: Mapping[str, Any] = heartbeat.get("probes", {})
    states = read_states({name: each.get("state", {}) for name, each in probes.items() if each.get("status") == "ok"})
    gaps = () if arrivals is None else arrivals.gaps
    return View(
        station_id=station.station_id,
        title=station.title,
        township=station.township,
        received_ms=state.received_ms,
        first_received_ms=state.first_received_ms,
        wall_ms=state.wall_ms,
        ready_since_ms=ready_since_ms,
        period_s=period_s,
        grace_s=grace_s,
        expected_on=True,  # opening hours and holidays go here
        last_file_ms=_last_file(state, states, arrivals),
        median_gap_ms=round(median(gaps)) if len(gaps) >= _GAPS_NEEDED else None,
        failing=_failing(probes),
        waiting=heartbeat.get("spool", {}).get("waiting"),
        suspicion=suspicion,
        open=open_rules,
        **states,
    )


def make_unheard_view(
    station: Station,
    *,
    enrolled_ms: int,
    open_rules: frozenset[str],
    ready_since_ms: int,
    period_s: int,
    grace_s: int,
) -> View:
    """The view of a station that has been enrolled and has never spoken since."""
    return View(
        station_id=station.station_id,
        title=station.title,
        township=station.township,
        received_ms=enrolled_ms,
        first_received_ms=enrolled_ms,
        wall_ms=enrolled_ms,
        ready_since_ms=ready_since_ms,
        period_s=period_s,
        grace_s=grace_s,
        is_heard=False,
        open=open_rules,
    )


def with_peers(views: Sequence[View], *, now_ms: int, is_uplink_silent: bool) -> list[View]:
    """The views with each one's peers. While the uplink itself is silent peers tell nothing."""
    recent = {view.station_id: _is_recent(view, now_ms) for view in views if view.courseware is not None}
    received, total = sum(recent.values()), len(recent)
    seen: list[View] = []
    for view in views:
        mine = view.station_id in recent
        others = total - mine
        share = (received - recent.get(view.station_id, False)) / others if others and not is_uplink_silent else None
        seen.append(replace(view, peers=Peers(share)))
    return seen


def count_received(views: Sequence[View], *, now_ms: int) -> tuple[int, int]:
    """How many stations got a file lately, of how many that can tell."""
    telling = [view for view in views if view.courseware is not None]
    return sum(_is_recent(view, now_ms) for view in telling), len(telling)


def note_arrival(view: View, before: Arrivals | None) -> Arrivals | None:
    """What to remember of this station's courseware, None when nothing is new. Files of one night are one batch."""
    last_ms = view.last_file_ms
    if last_ms is None:
        return None
    if before is None:
        return Arrivals(view.station_id, last_ms, ())
    gap_ms = last_ms - before.last_ms
    if gap_ms < _BATCH_MS:
        return None
    return Arrivals(view.station_id, last_ms, (*before.gaps, gap_ms)[-_GAPS_KEPT:])


def _failing(probes: Mapping[str, Any]) -> Mapping[str, str] | None:
    if not probes:
        return None
    return {name: str(each.get("error", "")) for name, each in probes.items() if each.get("status") == "failed"}


def _last_file(state: StationState, states: Mapping[str, Any], arrivals: Arrivals | None) -> int | None:
    """When the newest file came by the centre's clock: by the monotonic clock within one boot, else by the wall's."""
    courseware: CoursewareState | None = states.get("courseware")
    known = None if arrivals is None else arrivals.last_ms
    if courseware is None or courseware.last_received_ms is None:
        return known
    if courseware.last_received_mono is not None:
        told = state.received_ms - (state.mono_ms - courseware.last_received_mono)
    else:
        told = courseware.last_received_ms + state.received_ms - state.wall_ms
    return max(min(told, state.received_ms), known or 0)


def _is_recent(view: View, now_ms: int) -> bool:
    return view.last_file_ms is not None and now_ms - view.last_file_ms < _LATELY_MS
