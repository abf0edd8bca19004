"""Watches whether sound comes out: is there a sink, is it muted, does a program play into it, is anything heard."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from agent.probes.base import Probe, ProbeSettings, Reading, Surroundings
from shared.clock import Instant
from shared.wire.states import AudioState

if TYPE_CHECKING:
    from agent.probes._pulse import Output, Stream

_NO_SINK = "auto_null"
_HEARD = 0.002
_LOUD_ENOUGH = 0.02


class AudioSettings(ProbeSettings):
    """`server` as libpulse names it (`unix:/run/…/native`), None for the user's own.

    `timeout_s` seconds for all answers of the server, `listen_s` seconds of listening while something plays.
    """

    server: str | None = None
    timeout_s: float = Field(default=3, gt=0, le=10)
    listen_s: float = Field(default=1, gt=0, le=1)


@dataclass(frozen=True, slots=True)
class AudioSensor:
    settings: AudioSettings

    def read(self, now: Instant) -> Reading:  # noqa: ARG002  # the contract's argument
        """A server that is absent, dead or hung is a state; a PC without libpulse has nothing to look at."""
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
    """The state of the sink that matters: the one being played into, else the default.

    `listen` gives the amplitude (0..1) a sink's monitor hears; it is called at most once, and only while one plays.
    """
    playing = [each for each in streams if not each.corked]
    output = _choose(outputs, playing, default)
    if output is None:
        return AudioState(server=True, sink=False, streams=len(playing), sounding=False)
    here = [each for each in playing if each.output == output.index]
    peak = listen(output) if here else None
    return AudioState(
        server=True,
        sink=True,
        sink_name=output.name,
        muted=output.muted,
        volume=round(min(output.volume, 1.0), 3),
        streams=len(playing),
        peak=None if peak is None else round(peak, 4),
        sounding=_sounds(output, here, peak or 0.0),
    )


def _choose(outputs: Sequence["Output"], playing: Sequence["Stream"], default: str | None) -> "Output | None":
    """Of the real sinks, first those played into, then the default one; the server's dummy sink is none."""
    busy = {each.output for each in playing}
    real = [each for each in outputs if each.name != _NO_SINK]
    return min(real, key=lambda each: (each.index not in busy, each.name != default), default=None)


def _sounds(output: "Output", streams: Sequence["Stream"], peak: float) -> bool:
    """PipeWire's monitor hears a sink before its mute and volume, PulseAudio's after: so both are asked as well."""
    heard = peak > _HEARD and any(not each.muted for each in streams)
    return heard and not output.muted and output.volume > _LOUD_ENOUGH


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
