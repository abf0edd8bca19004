"""Reads stored events into facts of usage. Pure.

Whatever a station wrote, what leaves here fits the tables: text without control characters and within its column,
moments between 1970 and 9999, finite numbers. An event that cannot be read is no fact and blocks nothing.
"""

import hashlib
import json
import math
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from collector.usage.records import Playback, SessionState, StudySession
from shared.months import day_of, month_of
from shared.wire import kinds

RESERVED = "c:"
"""Ids of sessions made at the centre begin with this; a station that uses it gets another name."""

_MIN_MS = 2 * 86_400_000
_MAX_MS = 253_360_000_000_000
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_NO_TEXT = frozenset({"Cc", "Cs"})
_LISTED_SLACK_MS = 60_000
"""Events of one inventory may be booked by differing measurements of the way here: none may end what it told."""
_LEVELS = ("E1", "E2", "E3", "E4")


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One line of the event log, with the time the intake booked it at."""

    stream: str
    seq: int
    kind: str
    at_ms: int
    booked_ms: int
    booked_month: int
    uncertain: bool
    line: bytes
    refused: str | None


@dataclass(frozen=True, slots=True)
class StockMove:
    """From `at_ms` on one copy of a file is on the disk (`present`) or gone. `copy` is a short hash of its name."""

    sha256: str
    copy: str
    at_ms: int
    present: bool
    title: str
    name: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """Every file held at `at_ms` has been told since `since_ms`."""

    at_ms: int
    since_ms: int


@dataclass(frozen=True, slots=True)
class Download:
    sha256: str
    at_ms: int
    day: int
    month: int
    title: str


@dataclass(frozen=True, slots=True)
class Work:
    """A courseware of the district's catalogue, as one event tells of it."""

    sha256: str
    title: str
    source: str
    size: int
    duration_s: float | None
    first_ms: int


@dataclass(slots=True)
class Facts:
    """What a batch of events says, still unmerged."""

    playbacks: list[Playback] = field(default_factory=list)
    claims: list[StudySession] = field(default_factory=list)
    moves: list[StockMove] = field(default_factory=list)
    inventories: list[Inventory] = field(default_factory=list)
    downloads: list[Download] = field(default_factory=list)
    works: list[Work] = field(default_factory=list)


def read_facts(station_id: int, events: Iterable[StoredEvent], *, zone: ZoneInfo) -> Facts:
    """Facts of one station's events, in their order. Refused and unreadable events say nothing."""
    facts = Facts()
    for event in events:
        data = _data(event)
        match data:
            case kinds.PlaybackStarted():
                facts.playbacks.append(_playback(station_id, event, data))
            case kinds.SessionClaimed():
                facts.claims.append(_claim(station_id, event, data, zone))
            case kinds.CoursewareFile():
                _file(facts, event, data, zone)
            case kinds.CoursewareRemoved():
                facts.moves.append(_move(event, data, present=False, title=""))
            case kinds.CoursewareListed() if not event.uncertain:
                facts.inventories.append(_inventory(event, data))
            case _:
                pass
    return facts


def gap_last(event: StoredEvent) -> int | None:
    """Last seq a declared gap stands for; None for every other event."""
    data = _data(event) if event.kind == "spool.gap" else None
    return data.last if isinstance(data, kinds.SpoolGap) else None


def moment(ms: float) -> int:
    """Epoch ms inside the years 1970 to 9999."""
    return int(min(max(ms, _MIN_MS), _MAX_MS))


def clean(text: str, limit: int) -> str:
    """At most `limit` characters without control characters and lone surrogates, which databases refuse."""
    if text.isprintable():
        return text[:limit]
    return "".join(sign for sign in text if unicodedata.category(sign) not in _NO_TEXT)[:limit]


def shift_day(day: int, days: int) -> int:
    """The calendar day (20260930) so many days later."""
    date = datetime(day // 10_000, day // 100 % 100, day % 100, tzinfo=UTC) + timedelta(days=days)
    return (date.year * 100 + date.month) * 100 + date.day


def _data(event: StoredEvent) -> kinds.Data | None:
    if event.refused is not None:
        return None
    try:
        return kinds.check(event.kind, json.loads(event.line)["data"])
    except (ValueError, LookupError, TypeError, ValidationError):
        return None


def _playback(station_id: int, event: StoredEvent, data: kinds.PlaybackStarted) -> Playback:
    """One observation of a playing; `usage.playing.join` makes one row out of all of them and gives it its day."""
    progress = data if isinstance(data, kinds.PlaybackProgress) else None
    reason = data.reason if isinstance(data, kinds.PlaybackEnded) else None
    played_s = progress.played_s if progress else 0.0
    begin_ms = moment(event.booked_ms if progress is None else _begin(event, progress, reason))
    # An abandoned playing is reported by the next boot: that moment says nothing about its end.
    is_witness = not event.uncertain and reason != "abandoned"
    return Playback(
        station_id=station_id,
        playback=clean(data.playback, 80),
        sha256=data.sha256,
        title=clean(data.title, 300),
        player=clean(data.player, 40),
        via=clean(data.via, 40),
        begin_ms=begin_ms,
        end_ms=begin_ms,
        seen_ms=moment(event.booked_ms) if is_witness else None,
        begun=progress is None,
        day=0,
        month=0,
        reason=reason,
        content_s=progress.content_s if progress else 0.0,
        played_s=played_s,
        segments=clean(progress.segments, 20_000) if progress else "",
        minutes=_minutes(progress.minutes) if progress else {},
        flags=[clean(flag, 40) for flag in progress.flags] if progress else [],
        uncertain=event.uncertain,
        session_id=None,
    )


def _begin(event: StoredEvent, data: kinds.PlaybackProgress, reason: str | None) -> float:
    """Begin as the station recorded it, moved by as much as the intake moved the event.

    A wall clock that jumped while playing makes that senseless (less than what was played, or a day of pauses);
    then the played time is all that is known.
    """
    played_ms = data.played_s * 1000
    elapsed = event.at_ms - data.begin_ms
    if data.begin_ms > 0 and played_ms <= elapsed + 1000 and (elapsed <= played_ms + _DAY_MS or reason == "abandoned"):
        return event.booked_ms - elapsed
    return event.booked_ms - played_ms


def _claim(station_id: int, event: StoredEvent, data: kinds.SessionClaimed, zone: ZoneInfo) -> StudySession:
    shift = event.booked_ms - event.at_ms
    begin_ms = moment(data.begin_ms + shift)
    end_ms = min(max(moment(data.end_ms + shift), begin_ms), begin_ms + _DAY_MS)
    session_id = clean(data.session, 80)
    return StudySession(
        station_id=station_id,
        session_id=f"station:{session_id}"[:80] if session_id.startswith(RESERVED) else session_id,
        begin_ms=begin_ms,
        end_ms=end_ms,
        day=day_of(begin_ms, zone),
        month=month_of(begin_ms, zone),
        kind=data.kind,
        topic=clean(data.topic, 300),
        people=data.people,
        visits=data.visits,
        state=SessionState.CLAIMED,
        source="station",
        entered_ms=moment(event.booked_ms),
        person_id=None,
        operator=clean(data.operator, 60),
        uncertain=event.uncertain,
        replaces=None,
        voided_ms=None,
        voided_by=None,
        void_reason="",
    )


def _file(facts: Facts, event: StoredEvent, data: kinds.CoursewareFile, zone: ZoneInfo) -> None:
    at_ms = moment(event.booked_ms)
    title = clean(data.title, 300)
    facts.moves.append(_move(event, data, present=True, title=title))
    facts.works.append(Work(data.sha256, title, data.source, data.size, data.duration_s, at_ms))
    if event.kind == "courseware.received":
        facts.downloads.append(Download(data.sha256, at_ms, day_of(at_ms, zone), month_of(at_ms, zone), title))


def _inventory(event: StoredEvent, data: kinds.CoursewareListed) -> Inventory:
    at_ms = moment(event.booked_ms)
    return Inventory(at_ms, moment(at_ms - data.took_s * 1000 - _LISTED_SLACK_MS))


def _move(
    event: StoredEvent, data: kinds.CoursewareFile | kinds.CoursewareRemoved, *, present: bool, title: str
) -> StockMove:
    name = clean(data.name, 1000)
    copy = hashlib.sha256(data.name.encode("utf-8", "replace")).hexdigest()[:16]
    return StockMove(data.sha256, copy, moment(event.booked_ms), present, title, name)


def _minutes(minutes: dict[str, float]) -> dict[str, float]:
    known = ((level, minutes.get(level, 0.0)) for level in _LEVELS)
    return {level: round(value, 3) for level, value in known if math.isfinite(value) and 0 < value < 10**6}
