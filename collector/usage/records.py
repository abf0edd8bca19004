"""What usage speaks about, as frozen values: playbacks, study sessions, stock. No database, no web."""

from dataclasses import dataclass
from enum import StrEnum


class SessionState(StrEnum):
    """Only claimed and confirmed sessions count. Proposed ones wait for a person; void ones are kept, never counted.

    `duplicate` is a claim for a gathering already confirmed at the centre; `impossible` one with senseless numbers.
    """

    PROPOSED = "proposed"
    CLAIMED = "claimed"
    CONFIRMED = "confirmed"
    VOID = "void"
    DUPLICATE = "duplicate"
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True, slots=True)
class Playback:
    """One player run over one file. `minutes` by evidence level; `flags` with `impossible` when it counts nowhere."""

    station_id: int
    playback: str
    sha256: str | None
    title: str
    player: str
    via: str
    begin_ms: int
    end_ms: int
    seen_ms: int | None
    begun: bool
    day: int
    month: int
    reason: str | None
    content_s: float
    played_s: float
    segments: str
    minutes: dict[str, float]
    flags: list[str]
    uncertain: bool
    session_id: str | None


@dataclass(frozen=True, slots=True)
class StudySession:
    """One gathering. `source`: playback (proposed by the centre), station (claimed there), centre (a correction).

    `entered_ms` says when a person typed it; of a proposed one it is the end of the last playback.
    """

    station_id: int
    session_id: str
    begin_ms: int
    end_ms: int
    day: int
    month: int
    kind: str
    topic: str
    people: int | None
    visits: int | None
    state: SessionState
    source: str
    entered_ms: int
    person_id: int | None
    operator: str
    uncertain: bool
    replaces: str | None
    voided_ms: int | None
    voided_by: int | None
    void_reason: str


@dataclass(frozen=True, slots=True)
class StockItem:
    """A courseware file on the station's disk since `since_ms`. `name` is its path below the watched directory."""

    sha256: str
    title: str
    name: str
    since_ms: int
