"""Version 1 of the wire: envelope, events, answer. The law they obey is in the docstring of `shared.wire`."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.wire import kinds

PATH = "/api/v1/push"
ENROL_PATH = "/api/v1/enrol"
ROTATE_PATH = "/api/v1/rotate"
TRUST_PATH = "/api/v1/trust"
MAX_EVENTS = 500
MAX_LINE_BYTES = 64 * 1024
MAX_PACKED_BYTES = 1024 * 1024
MAX_BODY_BYTES = 4 * 1024 * 1024
MOST = 2**53
"""No number on the wire is larger: every JSON library reads it exactly."""

Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
StreamId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
BootId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f-]{1,36}$")]
StationName = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,12}/[0-9]{1,12}$")]
Milliseconds = Annotated[int, Field(ge=-MOST, le=MOST)]
Count = Annotated[int, Field(ge=0, le=MOST)]
Lease = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{32})?$")]
NEW_KEY = "new-key"
"""A word in `want`: make a new key and have it accepted at `ROTATE_PATH`, signed with the old one."""


class Open(BaseModel):
    """A model that keeps fields it does not know."""

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)


class ProbeReport(Open):
    """One sensor in the heartbeat: `status` ok, no_data or failed; `mono` when it was read; `state` what it saw."""

    status: Literal["ok", "no_data", "failed"]
    mono: Count
    state: dict[str, Any] = Field(default_factory=dict)
    error: str = ""


class SpoolReport(Open):
    """Depth of the spool: `last` seq written, `waiting` lines not yet acknowledged, `bytes` on disk, `full` or not.

    `stream` names the stream that `last` counts; empty where an agent does not say.
    """

    last: Count
    waiting: Count
    bytes: Count
    full: bool = False
    stream: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{32})?$")] = ""


class SettingsReport(Open):
    """`version` of the centre's settings in force, 0 for none; `refused` the one that cannot be, and `reason` why."""

    version: Count = 0
    refused: Count = 0
    reason: str = ""


class UpgradeReport(Open):
    """The release of the agent at hand (empty: none), bytes of it that are here, and why it is not in force."""

    version: Annotated[str, StringConstraints(max_length=20)] = ""
    offer: Count = 0
    have: Count = 0
    size: Count = 0
    reason: Annotated[str, StringConstraints(max_length=300)] = ""


class Heartbeat(Open):
    """The newest state of everything on the station. Never spooled; stamped when it is sent.

    `open_hours` are the station's (`shared/hours.py`), empty when it states none. `starts` is how often the agent has
    started within a day; None where it does not count.
    """

    wall: Milliseconds
    mono: Count
    boot: BootId
    agent: str = ""
    spool: SpoolReport
    probes: dict[str, ProbeReport] = Field(default_factory=dict)
    open_hours: list[str] = Field(default_factory=list)
    settings: SettingsReport = Field(default_factory=SettingsReport)
    upgrade: UpgradeReport = Field(default_factory=UpgradeReport)
    starts: Count | None = None


class Pledge(Open):
    """The station's own signature (128 hex digits) that its stream's chain stands at `head` after line `seq`.

    Made with the key that the push names; the stream is the envelope's (`shared/tags.py`).
    """

    seq: Annotated[int, Field(ge=1, le=MOST)]
    head: Hash
    signature: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$")]


class Envelope(Open):
    """First line of a push. `first` (on the wire: `from`) is the seq of the first event line, or the next one.

    `lease` is what the last answer gave, empty before the first; `trust` the version of `Trust` the station holds.
    `pledge` comes now and then with pushes that carry a tag in place of a signature.
    """

    wire: Literal[1]
    station: StationName
    stream: StreamId
    first: Annotated[int, Field(ge=1, le=MOST, alias="from")]
    head: Hash
    heartbeat: Heartbeat
    lease: Lease = ""
    trust: Count = 0
    pledge: Pledge | None = None


class Event(Open):
    """One fact of the past. `at` is wall time as the station believed, `mono` milliseconds since the boot `boot`."""

    seq: Annotated[int, Field(ge=1, le=MOST)]
    kind: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    at: Milliseconds
    boot: BootId
    mono: Count
    data: dict[str, Any]


class Pace(Open):
    """How fast the station may go on: at most `max_events` a push, not before `wait_ms` from now."""

    max_events: Count = MAX_EVENTS
    wait_ms: Count = 0


class Trust(Open):
    """The certificate authorities (PEM) under which the centre may show itself, signed with the centre's key.

    Given at enrolment and, ahead of a change, to stations that hold an older `version`.
    """

    version: Annotated[int, Field(ge=1, le=MOST)]
    authorities: Annotated[list[Annotated[str, StringConstraints(max_length=8192)]], Field(min_length=1, max_length=4)]
    signature: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$")]


class Answer(Open):
    """What the centre says to a push. `stored` rules the station's cursor, `time` is the centre's clock (epoch ms).

    `lease` is to be shown by the next push; empty: go on showing the one you have.
    """

    stored: Count
    time: Milliseconds
    pace: Pace = Field(default_factory=Pace)
    settings_version: Count = 0
    want: list[str] = Field(default_factory=list)
    commands: list[dict[str, Any]] = Field(default_factory=list)
    lease: Lease = ""
    trust: Trust | None = None


class EnrolRequest(Open):
    """Sent once by a new station, signed by the key it has just made (`public_key`: 64 hex digits)."""

    code: Annotated[str, StringConstraints(min_length=12, max_length=20)]
    public_key: Hash
    agent: str = ""
    fingerprint: str = ""


class EnrolAnswer(Open):
    """`station` is the station's name on the wire, `title` its name for people (乡镇 村).

    `centre_key` (64 hex digits) is what the centre signs answers and `trust` with; both are empty where it has none.
    """

    station: StationName
    title: str
    time: Milliseconds
    heartbeat_s: Count = 300
    centre_key: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")] = ""
    trust: Trust | None = None


class RotateRequest(Open):
    """Asks that `public_key` follow the key that signs this request.

    `proof` (128 hex digits) is the new key's own signature, so that nobody can claim a key he does not hold.
    """

    public_key: Hash
    proof: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$")]


class RotateAnswer(Open):
    """The new key is valid from now on, the old one until `old_until`."""

    key: str
    old_until: Milliseconds


def dump_line(value: Mapping[str, Any]) -> bytes:
    """The canonical bytes of one line: UTF-8 JSON without spaces and without the line feed.

    Lone surrogates, which file names that are not UTF-8 bring, become the replacement character.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace")


def read_event(line: bytes) -> Event:
    """An event line. Raises pydantic.ValidationError when it is no event or a known kind lacks a field."""
    event = Event.model_validate_json(line)
    kinds.check(event.kind, event.data)
    return event
