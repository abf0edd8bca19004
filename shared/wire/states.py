"""What each sensor reports in the heartbeat, as both sides read it. Every field may be missing: None = not known."""

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
    """`power`: off, on, cooling, warming. `faults`: of fan, lamp, temperature, cover, filter, other → warning|error."""

    reachable: bool | None = None
    power: str | None = None
    faults: dict[str, str] = {}
    lamp_hours: int | None = None
    name: str = ""
    error: str = ""


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
    """`disk_free` and `disk_total` bytes of the file system that takes the courseware; `uptime_s` since boot."""

    disk_free: int | None = None
    disk_total: int | None = None
    memory_available: int | None = None
    memory_total: int | None = None
    temperature_c: float | None = None
    load_1m: float | None = None
    uptime_s: int | None = None
    read_only: bool | None = None


class ClockState(State):
    """`offset_ms` = centre's time minus the station's at the last answer; `jumps` since the agent started."""

    offset_ms: int | None = None
    jumps: int = 0
