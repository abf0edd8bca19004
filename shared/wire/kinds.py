"""The kinds of event of wire version 1 and what each must carry. Kinds not listed here are kept whole, unread."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, le=2**53)]
Seconds = Annotated[float, Field(ge=0, le=10**9, allow_inf_nan=False)]
Source = Literal["satellite", "department", "district", "disc", "unknown"]
EndReason = Literal["completed", "stopped", "error", "abandoned"]
StudyKind = Literal["三会一课", "政策理论", "实用技术", "专题讲座", "文化娱乐", "其他"]


class Data(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class CoursewareFile(Data):
    """A whole courseware file. `name` is its path below the watched directory, `size` in bytes."""

    sha256: Sha256
    name: str
    title: str
    size: Count
    source: Source = "satellite"
    duration_s: Seconds | None = None


class CoursewareRemoved(Data):
    sha256: Sha256
    name: str


class CoursewareListed(Data):
    """The whole inventory has been told anew, as `courseware.found`, within the last `took_s` seconds.

    What was not told since that began is no longer held.
    """

    took_s: Seconds


class CoursewareRejected(Data):
    """A file that is complete by its rest but broken. `reason`: truncated, lost_packets, unreadable or altered."""

    name: str
    size: Count
    reason: str
    detail: str = ""


class PlaybackStarted(Data):
    """One player began one file. `playback` names this playing for ever; `via` is the record it was read from."""

    playback: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    title: str
    name: str
    player: str
    via: str
    sha256: Sha256 | None = None
    duration_s: Seconds | None = None


class PlaybackProgress(PlaybackStarted):
    """State of a playing so far.

    `content_s` unique seconds of content, `played_s` seconds by the monotonic clock, `segments` the played pieces as
    the xAPI video profile writes them (`0[.]12.5[,]30[.]60`), `minutes` how many at each evidence level (E0-E4).
    `coverage` how much of that time the way out (picture, sound) was observed, None where an agent does not say.
    `begin_ms` wall time and `begin_mono` monotonic time of the start, as the station believed.
    """

    content_s: Seconds
    played_s: Seconds
    segments: str = ""
    minutes: dict[str, float] = Field(default_factory=dict)
    coverage: Annotated[float, Field(ge=0, le=1)] | None = None
    position_s: Seconds | None = None
    begin_ms: int = 0
    flags: list[str] = Field(default_factory=list)


class PlaybackEnded(PlaybackProgress):
    reason: EndReason


class SessionClaimed(Data):
    """A study session entered at the station. `people` at this gathering, `visits` as the form counts them."""

    session: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    kind: StudyKind
    topic: str
    begin_ms: int
    end_ms: int
    people: Count
    visits: Count
    operator: str = ""
    roster: Count | None = None


class HostBooted(Data):
    """The PC started. `clean` says whether the boot before ended by a shutdown (true) or by a power cut (false)."""

    clean: bool | None
    previous_boot: str = ""
    last_seen_ms: int | None = None


class ClockJumped(Data):
    """The wall clock moved against the monotonic one by `by_ms`."""

    by_ms: int


class DeviceChanged(Data):
    """Another device stands where `before` stood. `device` is the sensor that noticed, `place` its plug or nothing.

    `before` and `after` are what each tells of itself: vendor or maker, product or model, serial, name.
    """

    device: str
    before: dict[str, str]
    after: dict[str, str]
    place: str = ""


class HostRolledBack(Data):
    """The disk went back in time, as a restore card makes it: `turns` sensor turns it once remembered are gone.

    `last_seen_ms` is the wall time of the last sign of life that the witness on another disk kept.
    """

    turns: Count
    last_seen_ms: int | None = None


class CommandAnswered(Data):
    """What became of a command of the centre. `outcome`: done, refused (`reason` says why) or failed."""

    command: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    verb: str
    outcome: Literal["done", "refused", "failed"]
    reason: str = ""
    result: dict[str, Any] = Field(default_factory=dict)


class UpgradeEnded(Data):
    """A new `version` of the agent came to the end of its probation, told by the version `running` after it.

    `outcome`: kept, or taken_back for `reason`.
    """

    version: Annotated[str, StringConstraints(min_length=1, max_length=20)]
    outcome: Literal["kept", "taken_back"]
    running: Annotated[str, StringConstraints(min_length=1, max_length=20)]
    reason: str = ""


class StreamOpened(Data):
    """First line of a stream. `reason`: new, or corrupt when it replaces `previous`, whose last known seq is told."""

    reason: str
    previous: str = ""
    previous_last: Count = 0


class SpoolGap(Data):
    """Stands in place of evicted lines `first`..`last`: how many of each kind, and the chain head after the last."""

    first: Count
    last: Count
    counts: dict[str, int]
    head: Sha256


KINDS: Mapping[str, type[Data]] = {
    "courseware.received": CoursewareFile,
    "courseware.found": CoursewareFile,
    "courseware.removed": CoursewareRemoved,
    "courseware.listed": CoursewareListed,
    "courseware.rejected": CoursewareRejected,
    "playback.started": PlaybackStarted,
    "playback.progress": PlaybackProgress,
    "playback.ended": PlaybackEnded,
    "session.claimed": SessionClaimed,
    "host.booted": HostBooted,
    "clock.jumped": ClockJumped,
    "device.changed": DeviceChanged,
    "host.rolled_back": HostRolledBack,
    "command.answered": CommandAnswered,
    "upgrade.ended": UpgradeEnded,
    "stream.opened": StreamOpened,
    "spool.gap": SpoolGap,
}


def check(kind: str, data: Mapping[str, Any]) -> Data | None:
    """The typed data of a known kind, None for an unknown one.

    Raises pydantic.ValidationError when a known kind lacks a field.
    """
    model = KINDS.get(kind)
    return None if model is None else model.model_validate(data)
