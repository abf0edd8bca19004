"""Makes the picture a rule judges from what the centre keeps of a station. Pure.

Only state goes in, and state is newest-wins by receipt: what a returning station sends of the past changes nothing
here, so history never opens a ticket.
"""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

from collector.areas.opening import Expected
from collector.faults.queries import Arrivals
from collector.faults.reading import Told
from collector.faults.rules.base import Link, Past, Peers, Suspicion, Swap, View
from collector.stations.queries import Post, Pulse
from shared.wire.states import CoursewareState, State

_BATCH_MS = 6 * 3_600_000
_LATELY_MS = 48 * 3_600_000
_GAPS_KEPT = 20
_GAPS_NEEDED = 3
_PEERS_NEEDED = 2


class Centre(NamedTuple):
    """What holds for every station alike."""

    ready_since_ms: int
    period_s: int
    grace_s: int


class Known(NamedTuple):
    """What the centre keeps of one station beside its newest heartbeat."""

    expected: Expected
    open_rules: frozenset[str] = frozenset()
    link: Link | None = None
    arrivals: Arrivals | None = None
    suspicion: Suspicion | None = None
    swap: Swap | None = None
    past: Past | None = None


def make_view(pulse: Pulse, told: Told, known: Known, centre: Centre) -> View:
    """The view of one station, without its peers. `told` is what its heartbeat tells."""
    gaps = () if known.arrivals is None else known.arrivals.gaps
    return View(
        station_id=pulse.station_id,
        received_ms=pulse.received_ms,
        first_received_ms=pulse.first_received_ms,
        wall_ms=pulse.wall_ms,
        ready_since_ms=centre.ready_since_ms,
        period_s=centre.period_s,
        grace_s=centre.grace_s,
        expected_on=known.expected.is_on,
        expected_since_ms=known.expected.since_ms,
        last_file_ms=_last_file(pulse, told.states, known.arrivals),
        median_gap_ms=round(median(gaps)) if len(gaps) >= _GAPS_NEEDED else None,
        failing=told.failing,
        waiting=told.waiting,
        spool_full=told.spool_full,
        starts=told.starts,
        link=known.link,
        past=known.past,
        suspicion=known.suspicion,
        swap=known.swap,
        open=known.open_rules,
        **told.states,  # type: ignore[arg-type]  # by name each of its own kind
    )


def make_silent_view(
    pulse: Pulse, expected: Expected, open_rules: frozenset[str], link: Link | None, centre: Centre
) -> View:
    """The view of a station whose newest heartbeat is too old to tell anything: its silence and its link are judged."""
    return View(
        station_id=pulse.station_id,
        received_ms=pulse.received_ms,
        first_received_ms=pulse.first_received_ms,
        wall_ms=pulse.wall_ms,
        ready_since_ms=centre.ready_since_ms,
        period_s=centre.period_s,
        grace_s=centre.grace_s,
        expected_on=expected.is_on,
        expected_since_ms=expected.since_ms,
        link=link,
        open=open_rules,
    )


def make_unheard_view(post: Post, expected: Expected, open_rules: frozenset[str], centre: Centre) -> View:
    """The view of a station that has been enrolled and has never spoken since."""
    return View(
        station_id=post.station_id,
        received_ms=post.enrolled_ms,
        first_received_ms=post.enrolled_ms,
        wall_ms=post.enrolled_ms,
        ready_since_ms=centre.ready_since_ms,
        period_s=centre.period_s,
        grace_s=centre.grace_s,
        expected_on=expected.is_on,
        expected_since_ms=expected.since_ms,
        is_heard=False,
        open=open_rules,
    )


def with_peers(views: Sequence[View], *, now_ms: int, is_uplink_silent: bool) -> list[View]:
    """The views with each one's peers. While the uplink itself is silent peers tell nothing."""
    received, total = count_received(views, now_ms=now_ms)
    if total < _PEERS_NEEDED or is_uplink_silent:
        return list(views)
    shares = {is_recent: Peers((received - is_recent) / (total - 1)) for is_recent in (False, True)}
    # Only a station that looks at courseware is compared; the others need no copy.
    return [view if view.courseware is None else view.but(peers=shares[_is_recent(view, now_ms)]) for view in views]


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


def _last_file(pulse: Pulse, states: Mapping[str, State], arrivals: Arrivals | None) -> int | None:
    """When the newest file came by the centre's clock: by the monotonic clock within one boot, else by the wall's."""
    courseware = states.get("courseware")
    known = None if arrivals is None else arrivals.last_ms
    if not isinstance(courseware, CoursewareState) or courseware.last_received_ms is None:
        return known
    if courseware.last_received_mono is not None:
        told = pulse.received_ms - (pulse.mono_ms - courseware.last_received_mono)
    else:
        told = courseware.last_received_ms + pulse.received_ms - pulse.wall_ms
    return max(min(told, pulse.received_ms), known or 0)


def _is_recent(view: View, now_ms: int) -> bool:
    return view.last_file_ms is not None and now_ms - view.last_file_ms < _LATELY_MS
