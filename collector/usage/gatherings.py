"""Settles one day of one station: which playbacks belong to which study session, what to propose, the day's sums.

Pure, and a function of the tables alone: settling a day again, after late events or a person's entry, gives what
settling it once at the end would have given. A gathering belongs to the day it begins on.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from collector.usage.facts import RESERVED, shift_day
from collector.usage.playing import IMPOSSIBLE, UNCORROBORATED, content_s, level_seconds, mark_impossible
from collector.usage.records import Playback, SessionState, StudySession
from collector.usage.rules import UsageRules
from shared.months import day_of

COUNTED = frozenset({SessionState.CLAIMED, SessionState.CONFIRMED})
# Whose playbacks are spoken for, and who speaks first where several overlap.
_COVERING = (SessionState.CONFIRMED, SessionState.CLAIMED, SessionState.DUPLICATE, SessionState.VOID)


@dataclass(frozen=True, slots=True)
class Settled:
    """A day worked out: playbacks with flags and sessions, the sessions of that day, sums for `daily`."""

    playbacks: tuple[Playback, ...]
    sessions: tuple[StudySession, ...]
    sums: Mapping[str, int]


def settle_day(
    day: int,
    playbacks: Iterable[Playback],
    sessions: Sequence[StudySession],
    *,
    downloaded: int,
    rules: UsageRules,
    zone: ZoneInfo,
) -> Settled:
    """Settle `day` from its playbacks and the sessions of that day and its neighbours, proposed ones left out."""
    judged = [judge(each, sessions, rules=rules) for each in sessions]
    marked = mark_impossible(playbacks, rules=rules, zone=zone)
    placed = [replace(each, session_id=_cover(each, judged, rules=rules)) for each in marked]
    free = [each for each in placed if each.session_id is None and IMPOSSIBLE not in each.flags]
    groups = [group for group in _groups(free, rules) if sum(each.content_s for each in group) >= rules.proposal_s]
    taken = {each.session_id for each in judged}
    proposed = {}
    for group in groups:
        session = _propose(group, taken)
        proposed.update(dict.fromkeys((each.playback for each in group), session))
    settled = [
        replace(each, session_id=proposed[each.playback].session_id) if each.playback in proposed else each
        for each in placed
    ]
    own = [each for each in judged if each.day == day]
    own.extend({each.session_id: each for each in proposed.values()}.values())
    return Settled(tuple(settled), tuple(own), {"downloaded": downloaded, **_sums(settled, own)})


def judge(session: StudySession, others: Iterable[StudySession], *, rules: UsageRules) -> StudySession:
    """The session with the state it deserves. What people entered stays as entered; a station's claim is weighed.

    A claim for a gathering that was already confirmed at the centre is a duplicate: one room, one gathering.
    """
    if session.source != "station" or session.voided_ms is not None:
        return session
    state = SessionState.CLAIMED
    if not is_sane(session.people or 0, session.visits or 0, rules=rules):
        state = SessionState.IMPOSSIBLE
    elif any(each.state is SessionState.CONFIRMED and _overlap_ms(session, each) > 0 for each in others):
        state = SessionState.DUPLICATE
    return replace(session, state=state)


def latest_claim(reports: Sequence[StudySession]) -> StudySession:
    """What the station said last of one session; voiding by a person outlives it."""
    latest = max(reports, key=_said)
    void = next((each for each in reports if each.voided_ms is not None), None)
    if void is None:
        return latest
    return replace(
        latest, state=void.state, voided_ms=void.voided_ms, voided_by=void.voided_by, void_reason=void.void_reason
    )


def touched_days(session: StudySession, *, zone: ZoneInfo) -> set[int]:
    """Days whose playbacks the session may cover: its own, and those a playing could reach it from or it reaches."""
    return {shift_day(session.day, -1), session.day, shift_day(session.day, 1), day_of(session.end_ms, zone)}


def is_sane(people: int, visits: int, *, rules: UsageRules) -> bool:
    return 1 <= people <= rules.max_people and people <= visits <= rules.max_visits


def _said(each: StudySession) -> tuple[Any, ...]:
    return (
        each.entered_ms,
        not each.uncertain,
        each.begin_ms,
        each.end_ms,
        each.people or 0,
        each.visits or 0,
        each.kind,
        each.topic,
        each.operator,
    )


def _cover(playback: Playback, sessions: Iterable[StudySession], *, rules: UsageRules) -> str | None:
    """Id of the session this playback belongs to, None when no session speaks for it.

    A session that grew out of playbacks takes in one that arrives late, as the group would have done.
    """
    best: tuple[int, int, int, str] | None = None
    for each in sessions:
        if each.state in _COVERING:
            slack_ms = 0 if each.source == "station" else rules.gap_s * 1000
            overlap_ms = _overlap_ms(each, playback, slack_ms=slack_ms)
            if overlap_ms >= 0:
                rank = (_COVERING.index(each.state), -overlap_ms, each.begin_ms, each.session_id)
                best = rank if best is None else min(best, rank)
    return None if best is None else best[3]


def _overlap_ms(one: StudySession, two: StudySession | Playback, *, slack_ms: int = 0) -> int:
    """Common time; negative when there is a pause between them."""
    return min(one.end_ms + slack_ms, two.end_ms) - max(one.begin_ms - slack_ms, two.begin_ms)


def _groups(playbacks: Iterable[Playback], rules: UsageRules) -> list[list[Playback]]:
    """Playbacks in order of time, parted where the room was silent for longer than the gap."""
    groups: list[list[Playback]] = []
    reached_ms = 0
    for each in playbacks:
        if groups and each.begin_ms - reached_ms <= rules.gap_s * 1000:
            groups[-1].append(each)
        else:
            groups.append([each])
            reached_ms = each.end_ms
        reached_ms = max(reached_ms, each.end_ms)
    return groups


def _propose(group: Sequence[Playback], taken: Collection[str]) -> StudySession:
    first = group[0]
    end_ms = max(each.end_ms for each in group)
    longest = max(group, key=lambda each: (each.content_s, each.title))
    return StudySession(
        station_id=first.station_id,
        session_id=proposed_id(first.station_id, first.playback, taken),
        begin_ms=first.begin_ms,
        end_ms=end_ms,
        day=first.day,
        month=first.month,
        kind="其他",
        topic=longest.title,
        people=None,
        visits=None,
        state=SessionState.PROPOSED,
        source="playback",
        entered_ms=end_ms,
        person_id=None,
        operator="",
        uncertain=any(each.uncertain for each in group),
        replaces=None,
        voided_ms=None,
        voided_by=None,
        void_reason="",
    )


def proposed_id(station_id: int, first: str, taken: Collection[str]) -> str:
    """The same id for the same station and first playback, unless a person already used it up."""
    stem = RESERVED + hashlib.sha256(f"{station_id}/{first}".encode()).hexdigest()[:24]
    found, number = stem, 1
    while found in taken:
        number += 1
        found = f"{stem}.{number}"
    return found


def _sums(playbacks: Iterable[Playback], sessions: Iterable[StudySession]) -> dict[str, int]:
    every, gathered = list(playbacks), list(sessions)
    good = [each for each in every if IMPOSSIBLE not in each.flags]
    counted = [each for each in gathered if each.state in COUNTED]
    levels = [level_seconds(each) for each in good]
    return {
        "playbacks": len(good),
        "uncorroborated_s": sum(round(each.played_s) for each in good if UNCORROBORATED in each.flags),
        "impossible": len(every) - len(good),
        "content_s": content_s(good),
        "played_s": sum(round(each.played_s) for each in good),
        **{f"{level.lower()}_s": sum(each[level] for each in levels) for level in ("E1", "E2", "E3", "E4")},
        "sessions": len(counted),
        "proposed": sum(each.state is SessionState.PROPOSED for each in gathered),
        "people": sum(each.people or 0 for each in counted),
        "visits": sum(each.visits or 0 for each in counted),
        "uncertain": sum(each.uncertain for each in good) + sum(each.uncertain for each in counted),
    }
