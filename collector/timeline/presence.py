"""What a station's time line says at a moment, and since when; and what the records of a returning station make of it.

Pure. Down is silence that has lasted a period and a grace while the station is expected on; unknown is what could not
be heard because the centre itself was not listening. A stretch of silence is judged anew when the station is back: its
boots tell whether the PC was off, or only the link was cut.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter
from typing import NamedTuple


class Presence(StrEnum):
    """`OFF`: not expected on (outside the opening hours, a holiday, a reported power cut), whatever it does."""

    UP = "up"
    DOWN = "down"
    OFF = "off"
    UNKNOWN = "unknown"


SILENT = frozenset({Presence.DOWN, Presence.UNKNOWN})


class Stretch(NamedTuple):
    """One piece of a time line. `to_ms` None: it lasts."""

    station_id: int
    from_ms: int
    to_ms: int | None
    presence: Presence
    checked: bool


class Sight(NamedTuple):
    """A station as the tick sees it: last heard at `received_ms`; expected on or not since `expected_since_ms`.

    `in_gap`: from when it was expected on, or not, while the centre was deaf; empty when it was not deaf.
    """

    station_id: int
    received_ms: int
    is_expected: bool
    expected_since_ms: int
    in_gap: Sequence[tuple[int, bool]] = ()


@dataclass(frozen=True, slots=True)
class Ear:
    """The centre at this moment. It hears since `ready_since_ms`; `gap` is a time just past that nobody kept."""

    ready_since_ms: int
    period_ms: int
    grace_ms: int
    now_ms: int
    gap: tuple[int, int] | None = None


Step = tuple[Presence, int]
"""What holds from a moment on."""


@dataclass(frozen=True, slots=True)
class Boot:
    """A boot of the station's PC: when it began, and the last sign of life of the boot before it."""

    began_ms: int
    last_seen_ms: int | None


def find_gap(until_ms: int | None, *, ready_since_ms: int, period_ms: int, grace_ms: int, now_ms: int) -> Ear:
    """The centre now, when its last tick was at `until_ms`. A pause shorter than a period costs no knowledge."""
    gap = None
    if until_ms is not None and ready_since_ms - until_ms >= period_ms:
        gap = (until_ms, min(ready_since_ms, now_ms))
    elif until_ms is not None and now_ms - until_ms >= period_ms + grace_ms:
        gap = (until_ms, now_ms)
    return Ear(ready_since_ms, period_ms, grace_ms, now_ms, gap)


def move(sight: Sight, before: Stretch | None, ear: Ear) -> list[Stretch]:
    """The stretches that follow `before`, the one that lasts: nothing new is an empty list, the last one is open."""
    steps: list[Step] = []
    if before is not None and ear.gap is not None and before.from_ms < ear.gap[0]:
        steps = [(Presence.UNKNOWN if is_on else Presence.OFF, at_ms) for at_ms, is_on in sight.in_gap]
    last = steps[-1] if steps else None if before is None else (before.presence, before.from_ms)
    seen = _see(sight, last, ear)
    if seen is not None and (last is None or last[0] is not seen[0]):
        steps.append(seen)
    return _lay(sight, before, steps, ear.now_ms) if steps else []


def _lay(sight: Sight, before: Stretch | None, steps: Sequence[Step], now_ms: int) -> list[Stretch]:
    """Steps laid end to end, none before what it follows; a first stretch does not begin before the last receipt."""
    floor_ms = sight.received_ms if before is None else before.from_ms
    laid: list[Stretch] = []
    for presence, since_ms in steps:
        floor_ms = min(max(since_ms, floor_ms), now_ms)
        if laid:
            laid[-1] = laid[-1]._replace(to_ms=floor_ms)
        laid.append(Stretch(sight.station_id, floor_ms, None, presence, presence not in SILENT))
    return [each for each in laid if each.to_ms != each.from_ms]


def _see(sight: Sight, last: Step | None, ear: Ear) -> Step | None:
    """What holds now and since when. None: it cannot be told yet, and what held before goes on."""
    since_ms, received_ms = sight.expected_since_ms, sight.received_ms
    if not sight.is_expected:
        return Presence.OFF, since_ms
    patience_ms = ear.period_ms + ear.grace_ms
    if last is not None and last[0] is Presence.OFF and since_ms <= last[1]:
        # What made it off ended without a word.
        return Presence.UP if ear.now_ms < received_ms + patience_ms else Presence.DOWN, ear.now_ms
    is_unknown = last is not None and last[0] is Presence.UNKNOWN
    is_new = not is_unknown or last is None or received_ms > last[1]
    if ear.now_ms < received_ms + patience_ms and is_new:
        on_time = not is_unknown and received_ms - since_ms < patience_ms
        return Presence.UP, since_ms if on_time else received_ms
    if ear.ready_since_ms >= ear.now_ms:  # the centre is deaf
        return Presence.UNKNOWN, since_ms
    if ear.now_ms < max(received_ms, ear.ready_since_ms, since_ms) + patience_ms:
        return None
    heard_ms = max(received_ms, ear.ready_since_ms) if is_unknown else received_ms
    return Presence.DOWN, max(heard_ms + ear.period_ms, since_ms)


def list_off(boots: Iterable[Boot], *, from_ms: int, to_ms: int) -> list[tuple[int, int]]:
    """When the PC was off within this time, by its boots in order: from a last sign of life to the next boot."""
    spans: list[tuple[int, int]] = []
    for boot in boots:
        last_ms = boot.last_seen_ms
        begin_ms = from_ms if last_ms is None or last_ms > boot.began_ms else max(from_ms, last_ms)
        end_ms = min(to_ms, boot.began_ms)
        if begin_ms < end_ms:
            spans.append((begin_ms, end_ms))
    return spans


def judge_again(stretch: Stretch, boots: Sequence[Boot], *, alive_since_ms: int) -> list[Stretch]:
    """A closed stretch of silence by what the station's records say: down while the PC was off, else up.

    `alive_since_ms` is when its present boot began. Where no record reaches, the stretch stays as it is.
    """
    end_ms = stretch.to_ms or stretch.from_ms
    later = sorted((each for each in boots if each.began_ms > stretch.from_ms), key=lambda each: each.began_ms)
    known_from_ms = alive_since_ms
    if later:
        # A boot that began in between would have told of itself.
        known_from_ms = later[0].began_ms if later[0].last_seen_ms is None else stretch.from_ms
    pieces: list[tuple[int, int, Presence]] = []
    at_ms = stretch.from_ms
    if known_from_ms > at_ms:
        at_ms = min(known_from_ms, end_ms)
        pieces.append((stretch.from_ms, at_ms, stretch.presence))
    for begin_ms, off_to_ms in list_off(later, from_ms=at_ms, to_ms=end_ms):
        if begin_ms > at_ms:
            pieces.append((at_ms, begin_ms, Presence.UP))
        if off_to_ms > max(at_ms, begin_ms):
            pieces.append((max(at_ms, begin_ms), off_to_ms, Presence.DOWN))
            at_ms = off_to_ms
    if at_ms < end_ms:
        pieces.append((at_ms, end_ms, Presence.UP))
    return [Stretch(stretch.station_id, begin, end, presence, checked=True) for begin, end, presence in pieces]


def excuse(stretch: Stretch, spans: Sequence[tuple[int, int]], *, now_ms: int) -> list[Stretch]:
    """The same time, off within these spans, which are in order and apart. One that lasts beyond now stays open."""
    pieces: list[Stretch] = []
    at_ms, end_ms = stretch.from_ms, stretch.to_ms
    for begin_ms, over_ms in spans[bisect_right(spans, at_ms, key=itemgetter(1)) :]:
        from_ms = max(begin_ms, at_ms)
        if end_ms is not None:
            to_ms: int | None = min(over_ms, end_ms)
        else:
            to_ms = over_ms if over_ms <= now_ms else None
        if from_ms >= (now_ms if to_ms is None else to_ms):
            break
        if from_ms > at_ms:
            pieces.append(stretch._replace(from_ms=at_ms, to_ms=from_ms))
        pieces.append(Stretch(stretch.station_id, from_ms, to_ms, Presence.OFF, checked=True))
        if to_ms is None or to_ms == end_ms:
            return pieces
        at_ms = to_ms
    return [*pieces, stretch._replace(from_ms=at_ms)]


def join(stretches: Iterable[Stretch]) -> list[Stretch]:
    """The stretches of one station in order of time, neighbours that say the same made one."""
    joined: list[Stretch] = []
    for each in stretches:
        last = joined[-1] if joined else None
        if last is not None and last.presence is each.presence and last.to_ms == each.from_ms:
            joined[-1] = Stretch(last.station_id, last.from_ms, each.to_ms, last.presence, last.checked)
        else:
            joined.append(each)
    return joined
