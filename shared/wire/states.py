"""What each sensor reports in the heartbeat, as both sides read it. Every field may be missing: None = not known."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class State(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class CoursewareState(State):
    """The watched directory. Times are epoch ms by the station's clock; `corrupt` names at most ten broken files.

    `capped` says that the walk stopped at its limit of files, so that the figures are too small.
    """

    files: int | None = None
    bytes: int | None = None
    last_received_ms: int | None = None
    last_received_mono: int | None = None
    incoming: int | None = None
    corrupt: list[str] = []
    digest: str = ""
    readable: bool = True
    capped: bool = False


class PlaybackState(State):
    """`playing` titles now running; `source` says what the figures rest on: journal, mpris, log or none."""

    playing: list[str] = []
    source: str = ""


class ProjectorState(State):
    """`power`: off, on, cooling, warming. `faults`: of fan, lamp, temperature, cover, filter, other → warning|error.

    `via` how it was asked: pjlink or serial. `maker`, `model` and `serial` tell which device it is, empty where it
    does not say. `lamp_hours_a_day` is how fast the lamp ages, over the last 30 days. `on_s` seconds it has been on
    without a break as far as seen, `after_hours_s` how many of them lie outside the opening hours; None when unknown.
    """

    reachable: bool | None = None
    power: str | None = None
    faults: dict[str, str] = {}
    lamp_hours: int | None = None
    name: str = ""
    error: str = ""
    via: str = ""
    maker: str = ""
    model: str = ""
    serial: str = ""
    lamp_hours_a_day: float | None = None
    on_s: int | None = None
    after_hours_s: int | None = None


class DisplayState(State):
    """The screen or projector at the video outputs. `screens` counts connected ones, a laptop's own panel apart.

    `connector`, `enabled` and the identity are those of the first. `vendor` three letters, `product` four hex digits,
    `serial` and `name` as its EDID says, empty where it says nothing. The cable tells nothing of a lamp.
    """

    outputs: int | None = None
    screens: int | None = None
    connector: str = ""
    enabled: bool | None = None
    vendor: str = ""
    product: str = ""
    serial: str = ""
    name: str = ""
    error: str = ""


class AlsaState(State):
    """Sound cards the kernel knows, by their ids, and those of their outputs that run now (`card/device`)."""

    cards: list[str] = []
    running: list[str] = []


class TextfileState(State):
    """What other programs dropped. `sensors`: name → {`age_s`, `title`, `state`}, the state as its program wrote it.

    `stale` names outlived their own term, `errors` tells of files not taken and why, `capped` of more than are read.
    """

    sensors: dict[str, dict[str, Any]] = {}
    stale: list[str] = []
    errors: dict[str, str] = {}
    capped: bool = False


class AudioState(State):
    """`sink` present or not (a null sink of the server counts as none), `sounding` whether sound comes out now."""

    server: bool | None = None
    sink: bool | None = None
    sink_name: str = ""
    muted: bool | None = None
    volume: float | None = None
    streams: int | None = None
    peak: float | None = None
    sounding: bool | None = None


class HostState(State):
    """`disk_free` and `disk_total` bytes of the file system that takes the courseware; `uptime_s` since boot.

    `disk_passed` is that disk's own verdict on its health, `disk_reallocated` sectors it has replaced (or, of a solid
    state disk, errors), `disk_pending` sectors it cannot read now, `disk_hours` of running. None: it may not be asked.
    """

    disk_free: int | None = None
    disk_total: int | None = None
    memory_available: int | None = None
    memory_total: int | None = None
    temperature_c: float | None = None
    load_1m: float | None = None
    uptime_s: int | None = None
    read_only: bool | None = None
    disk_passed: bool | None = None
    disk_reallocated: int | None = None
    disk_pending: int | None = None
    disk_hours: int | None = None


class ClockState(State):
    """`offset_ms` = centre's time minus the station's at the last answer; `jumps` since the agent started."""

    offset_ms: int | None = None
    jumps: int = 0
