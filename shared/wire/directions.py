"""What the centre may direct a station to do: settings it fetches, and a fixed list of verbs. Never a shell.

The push's answer names the version of the settings and the commands that wait. The settings are fetched with
`GET /api/v1/settings`, signed like a push over an empty body, with the version in force as `If-None-Match`. A
command is answered by a `command.answered` event; the same id always means the same command, and is done once.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.hours import OpenHours
from shared.wire.v1 import Count, Open

SETTINGS_PATH = "/api/v1/settings"
MAX_SETTINGS_BYTES = 32 * 1024
MAX_COMMANDS = 10

_DIRECTABLE = Path(__file__).with_name("directable.json")


class Verb(StrEnum):
    """All a station can be told to do. A verb is never reused for another meaning."""

    RESCAN = "rescan"
    SEND_INVENTORY = "send_inventory"
    SET_VOLUME = "set_volume"
    UNMUTE = "unmute"
    PROJECTOR_ON = "projector_on"
    PROJECTOR_OFF = "projector_off"
    RESTART_HELPER = "restart_helper"
    SEND_DIAGNOSTICS = "send_diagnostics"


class NoArguments(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Volume(NoArguments):
    """1 is full."""

    volume: float = Field(ge=0, le=1)


ARGUMENTS: Mapping[Verb, type[NoArguments]] = dict.fromkeys(Verb, NoArguments) | {Verb.SET_VOLUME: Volume}


class Command(Open):
    """One command in an answer. `verb` is text, for an older station must be able to refuse a newer verb."""

    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
    verb: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    arguments: dict[str, Any] = Field(default_factory=dict)


class Directed(BaseModel):
    """Settings the centre gives. What is absent stays as the station has it; `probes` by sensor and field."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    probes: dict[str, dict[str, Any]] = Field(default_factory=dict)
    heartbeat_s: Annotated[int, Field(ge=60, le=3600)] | None = None
    open_hours: OpenHours | None = None


class SettingsAnswer(Open):
    """The answer to a fetch. `settings` are kept as they came and judged by the station's own models."""

    version: Count
    settings: dict[str, Any] = Field(default_factory=dict)


def directable() -> Mapping[str, list[str]]:
    """Which fields of which sensors the centre may set, as the agent's models say (`directable.json`, made from them).

    Files, programs and secrets are not among them: those are set at the station.
    """
    names: dict[str, list[str]] = json.loads(_DIRECTABLE.read_text("utf-8"))
    return names


def find_unknown(settings: Directed) -> list[str]:
    """Names in `settings` that no station lets be set."""
    known = directable()
    return [
        f"probes.{probe}.{name}"
        for probe, fields in settings.probes.items()
        for name in (fields or {"": None})
        if name not in known.get(probe, [])
    ]
