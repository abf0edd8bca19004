"""Judges what a sound server says: which output matters, and whether sound really comes out of it. Pure.

Shared by the agent's probe and the helper in the desktop session, so it loads nothing but the standard library.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.probes._pulse import Output, Stream

_NO_SINK = "auto_null"
_HEARD = 0.002
_LOUD_ENOUGH = 0.02


def judge(
    outputs: Sequence["Output"],
    streams: Sequence["Stream"],
    *,
    default: str | None,
    listen: Callable[["Output"], float],
) -> dict[str, Any]:
    """The fields of AudioState for the sink that matters: the one being played into, else the default.

    `listen` gives the amplitude (0..1) a sink's monitor hears; it is called at most once, and only while one plays.
    """
    playing = [each for each in streams if not each.corked]
    output = choose(outputs, playing, default)
    if output is None:
        return {"server": True, "sink": False, "streams": len(playing), "sounding": False}
    here = [each for each in playing if each.output == output.index]
    peak = listen(output) if here else None
    return {
        "server": True,
        "sink": True,
        "sink_name": output.name,
        "muted": output.muted,
        "volume": round(min(output.volume, 1.0), 3),
        "streams": len(playing),
        "peak": None if peak is None else round(peak, 4),
        "sounding": _sounds(output, here, peak or 0.0),
    }


def choose(outputs: Sequence["Output"], playing: Sequence["Stream"], default: str | None) -> "Output | None":
    """Of the real sinks, first those played into, then the default one; the server's dummy sink is none."""
    busy = {each.output for each in playing}
    real = [each for each in outputs if each.name != _NO_SINK]
    return min(real, key=lambda each: (each.index not in busy, each.name != default), default=None)


def _sounds(output: "Output", streams: Sequence["Stream"], peak: float) -> bool:
    """PipeWire's monitor hears a sink before its mute and volume, PulseAudio's after: so both are asked as well."""
    heard = peak > _HEARD and any(not each.muted for each in streams)
    return heard and not output.muted and output.volume > _LOUD_ENOUGH
