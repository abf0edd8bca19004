"""What a rule is, and the picture of a station it judges. A rule touches no database, no network and no clock.

A rule answers "is this fault there now?" once; waiting before opening and closing, tickets and messages are not its
business. Hysteresis is: `view.is_open(name)` tells that the fault is open, and then other limits hold.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.months import local
from shared.wire.states import (
    AlsaState,
    AudioState,
    ClockState,
    CoursewareState,
    DisplayState,
    HostState,
    PlaybackState,
    ProjectorState,
    State,
    TextfileState,
)

Facts = Mapping[str, Any]
Translate = Callable[[str], str]

STATES: Mapping[str, type[State]] = MappingProxyType(
    {
        "courseware": CoursewareState,
        "playback": PlaybackState,
        "projector": ProjectorState,
        "audio": AudioState,
        "host": HostState,
        "clock": ClockState,
        "display": DisplayState,
        "alsa": AlsaState,
        "textfile": TextfileState,
    }
)
SAMPLE_MS = 1_788_000_000_000
_NO_FACTS: Facts = {}


class Category(StrEnum):
    """Decides who is asked first."""

    OPERATOR = "operator"
    SOFTWARE = "software"
    HARDWARE_COMMON = "hardware_common"
    HARDWARE_MAJOR = "hardware_major"
    NETWORK = "network"
    POWER = "power"
    SATELLITE = "satellite"
    COURSEWARE = "courseware"


class Severity(StrEnum):
    """Critical faults may wake people."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"


class Limits(BaseModel):
    """The thresholds of a rule; each district may set its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)


SIGNS_KEPT_DAYS = 8
"""How far back a round reads signs that are told once, such as a swapped device."""

Days = Annotated[float, Field(gt=0, le=SIGNS_KEPT_DAYS)]


class SignLimits(Limits):
    """Of a rule that goes by such signs: opens on one of the last `open_days`, closes after `close_days` without."""

    open_days: Days = 1
    close_days: Days = 7

    def counts(self, at_ms: int, now_ms: int, *, is_open: bool) -> bool:
        """Whether a sign of that moment still speaks for the fault."""
        return now_ms - at_ms < (self.close_days if is_open else self.open_days) * 86_400_000


class Peers(NamedTuple):
    """The other stations of the district. `received_share` of them got a new file lately, None when none can tell."""

    received_share: float | None = None


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What of a station did not fit lately: how many pushes, the kind of the newest, and when it came."""

    count: int
    kind: str
    last_ms: int


class Swap(NamedTuple):
    """Another device where one stood: the sensor that noticed, what each tells of itself, and when it was told."""

    device: str
    before: str
    after: str
    at_ms: int


class Link(NamedTuple):
    """How a station's link has gone up and down lately: weighed changes in percent, the cuts, and the first of them."""

    percent: float
    cuts: int
    since_ms: int


REMEMBERED_MS = 92 * 86_400_000
"""How far back a past goes: three months."""


class Past(NamedTuple):
    """What the centre's books say of a station, looked up now and then.

    `used_ms` the newest day something was played or a session held, None for none in three months; of the last week
    `plays`, and how many `failed`; `lost` facts declared lost this month and the last, more since `lost_ms`;
    `missing` titles most others received lately and this station did not; how long it has been away, off or without a
    link: `absent_ms` since its newest courseware came, `unused_absent_ms` since it was last used.
    """

    used_ms: int | None = None
    plays: int = 0
    failed: int = 0
    lost: int = 0
    lost_ms: int | None = None
    missing: tuple[str, ...] = ()
    absent_ms: int = 0
    unused_absent_ms: int = 0


class View(NamedTuple):
    """One station as the centre sees it now. A probe that is not installed or says nothing is None.

    `wall_ms` is what the station believed when its newest heartbeat arrived at `received_ms`; `last_file_ms` is when
    its newest courseware came, by the centre's clock; `median_gap_ms` how far apart its files used to come. `failing`
    are the sensors that failed, with their errors; None while the station has told of no sensor yet.
    A station not `is_heard` has been enrolled at `received_ms` and never spoken since; `waiting` counts the lines it
    holds that the centre has not stored, `spool_full` says that it can hold no more, `starts` how often its agent has
    started in a day. It is expected on, or not, since `expected_since_ms`.
    """

    station_id: int
    received_ms: int
    first_received_ms: int
    wall_ms: int
    ready_since_ms: int
    period_s: int
    grace_s: int
    expected_on: bool = True
    expected_since_ms: int = 0
    last_file_ms: int | None = None
    median_gap_ms: int | None = None
    peers: Peers = Peers()
    failing: Mapping[str, str] | None = None
    is_heard: bool = True
    waiting: int | None = None
    spool_full: bool = False
    starts: int | None = None
    link: Link | None = None
    past: Past | None = None
    suspicion: Suspicion | None = None
    swap: Swap | None = None
    open: frozenset[str] = frozenset()
    courseware: CoursewareState | None = None
    playback: PlaybackState | None = None
    projector: ProjectorState | None = None
    audio: AudioState | None = None
    host: HostState | None = None
    clock: ClockState | None = None
    display: DisplayState | None = None
    alsa: AlsaState | None = None
    textfile: TextfileState | None = None

    def but(self, **changes: Any) -> "View":
        """The same station, changed in these."""
        return self._replace(**changes)

    def is_open(self, rule: str) -> bool:
        """Whether this rule's fault is already open at this station."""
        return rule in self.open

    def is_overdue(self, now_ms: int) -> bool:
        """Whether it has been silent for its period and grace, whoever is to blame."""
        return now_ms >= self.received_ms + (self.period_s + self.grace_s) * 1000

    @property
    def is_playing(self) -> bool:
        """Whether a player shows something now, as far as can be told."""
        return self.playback is not None and bool(self.playback.playing)

    @property
    def clock_offset_ms(self) -> int:
        """The centre's clock minus the station's."""
        return self.received_ms - self.wall_ms


class Finding(NamedTuple):
    """A fault a rule sees. `facts` are plain JSON. What is None is as the rule's card says, or begins now."""

    facts: Facts = _NO_FACTS
    since_ms: int | None = None
    category: Category | None = None
    severity: Severity | None = None


STILL = Finding()
"""Says: as before. For an open fault while nothing can be told of it; the facts already known are kept."""


def _plain(facts: Facts, _translate: Translate) -> Mapping[str, Any]:
    return facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What people read about a kind of fault. All texts are Chinese msgids.

    `text` is a sentence with {placeholders} that `fill` makes from the facts; `hint_plain` tells the operator at the
    station what to try, `hint_backbone` tells the "1" of the township. `by_word`: it has happened, and no sensor
    sees that it is mended, so a person's word ends it; its facts name the newest sign of it as `last_ms`.
    """

    name: str
    title: str
    text: str
    hint_plain: str
    hint_backbone: str
    category: Category
    severity: Severity
    by_word: bool = False
    fill: Callable[[Facts, Translate], Mapping[str, Any]] = _plain

    def finding(self, facts: Facts, translate: Translate = str) -> str:
        """The sentence that says what is seen."""
        return translate(self.text).format_map(_Blanks(self.fill(facts, translate)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A view with what the rule must say to it: `when_closed` and `when_open` are whether it sees the fault."""

    view: View
    now_ms: int
    when_closed: bool
    when_open: bool

    def open_view(self, rule: str) -> View:
        """The same picture while the fault is open."""
        return self.view.but(open=frozenset({rule}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Card):
    """The plugin a module exports as `RULE`; `name` is the module's name.

    `open_for_s` seconds (and heartbeat periods) the fault must last before it opens, `close_for_s` it must be gone
    before it closes. `judge(view, limits, now_ms)` must be pure. `samples` are run by the tests: at least one opens,
    one holds (no when closed, yes when open) and one closes.
    """

    judge: Callable[[View, Any, int], Finding | None]
    samples: tuple[Sample, ...]
    limits: type[Limits] = Limits
    open_for_s: int = 0
    open_for_periods: int = 0
    close_for_s: int = 0
    close_for_periods: int = 0


def when(ms: int, translate: Translate) -> str:
    """A moment as people say it: 9月10日 09:05."""
    moment = local(ms)
    return translate("{month}月{day}日 {time}").format(month=moment.month, day=moment.day, time=f"{moment:%H:%M}")


def sample_view(**changes: Any) -> View:
    """A healthy station that was heard just now, changed where a sample needs it. Its `now_ms` is SAMPLE_MS."""
    values: dict[str, Any] = {
        "station_id": 17,
        "received_ms": SAMPLE_MS,
        "first_received_ms": SAMPLE_MS - 90 * 86_400_000,
        "wall_ms": SAMPLE_MS,
        "ready_since_ms": SAMPLE_MS - 86_400_000,
        "period_s": 300,
        "grace_s": 600,
        "failing": {},
        "waiting": 0,
    }
    return View(**{**values, **changes, **read_states(changes)})


def read_states(reported: Mapping[str, Any]) -> dict[str, Any]:
    """The states a view is made of, from what probes reported under their names. An unreadable one is left out."""
    states: dict[str, Any] = {}
    for name, kind in STATES.items():
        if name in reported:
            with suppress(ValidationError):
                states[name] = kind.model_validate(reported[name])
    return states


class _Blanks(dict[str, Any]):
    """Facts written by an older program may lack a word: the sentence then shows a dash."""

    def __missing__(self, key: str) -> str:
        return "—"
