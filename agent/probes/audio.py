"""Watches whether sound comes out: is there a sink, is it muted, does a program play into it, is anything heard."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, ValidationError

from agent.probes._sounding import judge
from agent.probes.base import Probe, ProbeSettings, Reading, Surroundings
from shared.clock import Instant
from shared.wire.states import AudioState

if TYPE_CHECKING:
    from agent.probes._pulse import Output, Stream

_FRESH_MS = 150_000


class AudioSettings(ProbeSettings):
    """`server` as libpulse names it (`unix:/run/…/native`), None for the user's own.

    `timeout_s` seconds for all answers of the server, `listen_s` seconds of listening while something plays.
    `session` is the file with what a helper in the desktop session tells; it is believed unless a server is named.
    """

    station_only: ClassVar[frozenset[str]] = frozenset({"server"})

    server: str | None = None
    timeout_s: float = Field(default=3, gt=0, le=10)
    listen_s: float = Field(default=1, gt=0, le=1)
    session: Path | None = None


@dataclass(frozen=True, slots=True)
class AudioSensor:
    settings: AudioSettings

    def read(self, now: Instant) -> Reading:
        """A server that is absent, dead or hung is a state; a PC without libpulse has nothing to look at.

        Nor has a system service: what the desktop user hears is only heard in that user's session.
        """
        if self.settings.server is None:
            told = read_told(self.settings.session, now)
            if told is not None:
                return Reading(state=told.model_dump())
            if not os.environ.get("XDG_RUNTIME_DIR"):
                return Reading(state=None)
        return self._look()

    def _look(self) -> Reading:
        try:
            from agent.probes import _pulse  # noqa: PLC0415  # 4 MB that a PC without sound does not pay
        except (ImportError, OSError):
            return Reading(state=None)
        asked = self.settings
        try:
            with _pulse.connect(asked.server, within_s=asked.timeout_s) as link:
                state = describe(
                    link.list_outputs(),
                    link.list_streams(),
                    default=link.get_default(),
                    listen=lambda output: link.listen(output, asked.listen_s),
                )
        except _pulse.NoSoundServerError:
            state = AudioState(server=False)
        return Reading(state=state.model_dump())


def describe(
    outputs: Sequence["Output"],
    streams: Sequence["Stream"],
    *,
    default: str | None,
    listen: Callable[["Output"], float],
) -> AudioState:
    """The state of the sink that matters; `listen` as in `agent/probes/_sounding.py`."""
    return AudioState.model_validate(judge(outputs, streams, default=default, listen=listen))


def read_told(status: Path | None, now: Instant) -> AudioState | None:
    """What a helper in the desktop session told, as long as it is fresh."""
    try:
        told = json.loads(status.read_bytes()) if status is not None else {}
        if told.get("boot") != now.boot or not 0 <= now.mono_ms - told["mono"] <= _FRESH_MS:
            return None
        return AudioState.model_validate(told["audio"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ValidationError):
        return None


def _make(settings: AudioSettings, surroundings: Surroundings) -> AudioSensor:  # noqa: ARG001  # the contract
    return AudioSensor(settings)


PROBE = Probe(
    settings=AudioSettings,
    every_s=60,
    limit_s=15,
    make=_make,
    sample={
        "server": True,
        "sink": True,
        "sink_name": "alsa_output.pci-0000_00_1f.3.hdmi-stereo",
        "muted": False,
        "volume": 0.8,
        "streams": 1,
        "peak": 0.128,
        "sounding": True,
    },
)
