"""Settings of the agent: one TOML file, read once, passed on as values. Without a file the defaults hold."""

import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import SettingsError
from shared.hours import OpenHours
from shared.wire.directions import Directed, find_unknown

DEFAULT_FILE = Path("/etc/yuanjiao/agent.toml")


class SessionSettings(BaseModel):
    """The socket to which helpers in desktop sessions speak; its folder must be there, or nobody is listened to.

    `users` are the uids let in; without the list every person's account (1000 to 59999) is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    socket: Path = Path("/run/yuanjiao/session.sock")
    users: list[int] | None = None

    @property
    def status(self) -> Path:
        """Beside the socket: the newest that a helper told of the sound. There only while a helper is."""
        return self.socket.with_name("session.json")


class UpgradeSettings(BaseModel):
    """Signed upgrades. `keys` names the file with the release keys; without it nothing but packages upgrades.

    `trial_s` is how long a new agent has to record and try a push, `ask_every_s` how often the centre is asked,
    `rate_kib_s` how fast a release is fetched at most.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    keys: Path = Path("/opt/yuanjiao/release_keys.toml")
    trial_s: Annotated[int, Field(ge=5, le=3600)] = 600
    ask_every_s: Annotated[int, Field(ge=5, le=604_800)] = 21_600
    rate_kib_s: Annotated[int, Field(ge=1, le=10_240)] = 32


class AgentSettings(BaseModel):
    """`probes` holds each sensor's own settings by its name; `heartbeat_s` and `flush_s` are seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state_dir: Path = Path("/var/lib/yuanjiao")
    centre: str = ""
    """Address of the centre, `https://centre.example.cn:8440`; enrolment keeps the one it used."""
    ca_file: Path | None = None
    heartbeat_s: Annotated[int, Field(ge=1, le=3600)] = 300
    flush_s: Annotated[int, Field(ge=0, le=3600)] = 30
    """How long new events may wait before they are sent, so that several share one push."""
    open_hours: OpenHours = ()
    """When this station is open: `["1-5 08:30-18:00"]`. Told to the centre, which then tells closed from broken."""
    session: SessionSettings = SessionSettings()
    upgrade: UpgradeSettings = UpgradeSettings()
    probes: dict[str, dict[str, Any]] = {}


def read_settings(path: Path | None) -> AgentSettings:
    """The settings of a file, or the defaults when there is none at the usual place.

    Raises SettingsError that names the file and the entry.
    """
    source = path or DEFAULT_FILE
    if path is None and not source.exists():
        return AgentSettings()
    try:
        return AgentSettings.model_validate(tomllib.loads(source.read_text("utf-8")))
    except OSError as error:
        message = f"读不到设置文件 {source}：{error.strerror}"
        raise SettingsError(message) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"设置文件 {source} 格式有误：{error}"
        raise SettingsError(message) from error
    except ValidationError as error:
        raise SettingsError(explain(str(source), error)) from error


def direct(settings: AgentSettings, directed: Directed) -> AgentSettings:
    """The station's settings with the centre's over them, field by field.

    Raises SettingsError for a field that is the station's own.
    """
    unknown = find_unknown(directed)
    if unknown:
        raise SettingsError(f"中心的设置里有不能远程修改的项目：{'、'.join(unknown[:5])}")
    probes = dict(settings.probes)
    for name, fields in directed.probes.items():
        probes[name] = {**probes.get(name, {}), **fields}
    changes = directed.model_dump(include={"heartbeat_s", "open_hours"}, exclude_none=True)
    return settings.model_copy(update={**changes, "probes": probes})


def explain(place: str, error: ValidationError) -> str:
    """What is wrong with which entry."""
    parts = "；".join(f"{'.'.join(map(str, each['loc']))}：{each['msg']}" for each in error.errors())
    return f"设置文件 {place} 有误：{parts}"
