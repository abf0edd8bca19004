"""Makes one playback out of all that was ever reported of it, and weighs a day of them. Pure.

`join` is a least upper bound: it may be fed in any order, in any pieces and twice, and says the same. The furthest
report gives the numbers; the best known beginning gives the day: certain before uncertain, a seen start before a
reported one, then the earliest.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from collector.usage import segments
from collector.usage.records import Playback
from collector.usage.rules import UsageRules
from shared.months import day_of, local, month_of

IMPOSSIBLE = "impossible"
UNCORROBORATED = "uncorroborated"
"""The station's own flag: no program held the file open while its player's record says that it ran."""
_REASONS = {"completed": 4, "stopped": 3, "error": 2, "abandoned": 1, None: 0}
_MOST_FLAGS = 50
_DAY_MS = 86_400_000


def join(reports: Sequence[Playback], *, zone: ZoneInfo) -> Playback:
    """The playback that these reports, or rows joined earlier, tell of. All carry the same id."""
    furthest = max(reports, key=_reach)
    began = min(reports, key=lambda each: (each.uncertain, not each.begun, each.begin_ms))
    reached = [each.seen_ms for each in reports if each.played_s == furthest.played_s and each.seen_ms is not None]
    seen_ms = min(reached, default=None)
    end_ms = max(began.begin_ms + round(furthest.played_s * 1000), seen_ms or 0)
    flags = {flag for each in reports for flag in each.flags if flag != IMPOSSIBLE}
    return replace(
        furthest,
        sha256=max((each.sha256 for each in reports if each.sha256 is not None), default=None),
        begin_ms=began.begin_ms,
        begun=began.begun,
        uncertain=began.uncertain,
        seen_ms=seen_ms,
        # No gathering lasts longer than a day: a player left open over the week-end ends here.
        end_ms=min(end_ms, began.begin_ms + _DAY_MS),
        day=day_of(began.begin_ms, zone),
        month=month_of(began.begin_ms, zone),
        reason=max((each.reason for each in reports), key=lambda reason: _REASONS.get(reason, 0)),
        flags=sorted(flags)[:_MOST_FLAGS],
        session_id=None,
    )


def mark_impossible(playbacks: Iterable[Playback], *, rules: UsageRules, zone: ZoneInfo) -> list[Playback]:
    """A station's playbacks of one day, in order of time; those that do not fit into the day are flagged.

    A playback that runs past midnight needs only what was left of the day it began on.
    """
    left_s = float(rules.day_s)
    marked = []
    for each in sorted(playbacks, key=lambda one: (one.begin_ms, one.playback)):
        needs_s = min(each.played_s, _until_midnight_s(each.begin_ms, zone))
        fits = each.played_s <= rules.day_s and needs_s <= left_s
        left_s -= needs_s if fits else 0
        own = [flag for flag in each.flags if flag != IMPOSSIBLE]
        marked.append(replace(each, flags=own if fits else [*own, IMPOSSIBLE]))
    return marked


def content_s(playbacks: Iterable[Playback]) -> int:
    """Seconds of content shown at least once: what a file showed twice that day counts once."""
    pieces: dict[str, list[segments.Piece]] = {}
    unknown_s = 0.0
    for each in playbacks:
        found = segments.parse(each.segments)
        if segments.union_s(found) > each.content_s + 1 or not found:
            unknown_s += each.content_s
        else:
            pieces.setdefault(each.sha256 or each.title, []).extend(found)
    return round(unknown_s + sum(segments.union_s(pieces[file]) for file in sorted(pieces)))


def level_seconds(playback: Playback) -> Mapping[str, int]:
    """Whole seconds at each evidence level, together never more than was played: the best levels are cut first."""
    left = round(playback.played_s)
    found = {}
    for level in ("E1", "E2", "E3", "E4"):
        found[level] = min(left, round(playback.minutes.get(level, 0) * 60))
        left -= found[level]
    return found


def _reach(each: Playback) -> tuple[Any, ...]:
    """A total order over exactly what is taken from the furthest report, so that the order of arrival never matters."""
    return (
        each.played_s,
        each.content_s,
        each.segments,
        sorted(each.minutes.items()),
        each.title,
        each.player,
        each.via,
    )


def _until_midnight_s(ms: int, zone: ZoneInfo) -> float:
    when = local(ms, zone)
    return 86_400 - (when.hour * 3600 + when.minute * 60 + when.second + when.microsecond / 1e6)
