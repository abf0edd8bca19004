"""How sure it is that a minute of content was shown: levels E1 to E3, and the played pieces behind them. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

Segment = tuple[float, float]
"""From and to, in seconds of content."""

_MAX_SEGMENTS = 200
_SAME_S = 0.1
_OFF_S = 2.0
_LEAST_OFF_S = 0.75
_SLOWEST, _FASTEST = 0.9, 1.1
_QUIET = 0.05


@dataclass(frozen=True, slots=True)
class Outside:
    """What other sensors say of the way from the player to the people: True, contradicted (False) or not known."""

    picture: bool | None = None
    sound: bool | None = None


class Minute(BaseModel):
    """A minute in the making, in seconds: `played`, and how far the content should have moved and did."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    played: float = 0.0
    due: float = 0.0
    moved: float = 0.0
    uneven: bool = False
    silent: bool = False


def outside_of(projector: Mapping[str, Any] | None, audio: Mapping[str, Any] | None) -> Outside:
    """Read the newest states of the projector and the sound server."""
    power = (projector or {}).get("power")
    sound = audio or {}
    volume = sound.get("volume")
    heard = sound.get("muted") is False and sound.get("sounding") is True and volume is not None and volume > _QUIET
    return Outside(
        picture={"on": True, "off": False}.get(str(power)),
        sound=False if sound.get("muted") is True else (True if heard else None),
    )


def known_share(outside: Outside, *, has_sound: bool) -> float:
    """How much of the way out is known, whatever it says: picture and sound count half each."""
    known = [outside.picture is not None, *([outside.sound is not None] if has_sound else [])]
    return sum(known) / len(known)


def is_even(speed: float) -> bool:
    return _SLOWEST <= speed <= _FASTEST


def grade(minute: Minute, outside: Outside, *, has_sound: bool) -> tuple[str, list[str]]:
    """Level of the minute and its flags. What is not known never lowers the level, what contradicts does."""
    flags = []
    if outside.picture is False:
        flags.append("projector_off")
    if has_sound and (minute.silent or outside.sound is False):
        flags.append("muted")
    # Two seconds in sixty, but the player's own steps of a second must fit into a short rest.
    steady = abs(minute.moved - minute.due) <= max(_LEAST_OFF_S, _OFF_S * minute.due / 60)
    if flags or minute.uneven or not steady:
        return "E1", flags
    shown = outside.picture is True and (outside.sound is True or not has_sound)
    return ("E3" if shown else "E2"), flags


def add_segment(segments: Sequence[Segment], start: float, end: float) -> list[Segment]:
    """Go on with the last piece or begin a new one. Beyond 200 pieces only their union is kept."""
    kept = list(segments)
    if end <= start:
        return kept
    if kept and abs(kept[-1][1] - start) <= _SAME_S:
        kept[-1] = (kept[-1][0], end)
    else:
        kept.append((start, end))
    return union(kept) if len(kept) > _MAX_SEGMENTS else kept


def union(segments: Iterable[Segment]) -> list[Segment]:
    joined: list[Segment] = []
    for start, end in sorted(segments):
        if joined and start <= joined[-1][1] + _SAME_S:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def content_seconds(segments: Iterable[Segment]) -> float:
    """Seconds of content seen at least once."""
    return sum(end - start for start, end in union(segments))


def write_segments(segments: Iterable[Segment]) -> str:
    """As the xAPI video profile writes them: `0[.]12.5[,]30[.]60`."""
    return "[,]".join(f"{round(start, 2):.10g}[.]{round(end, 2):.10g}" for start, end in segments)
