"""One player over one file, followed line by line. Pure: what it yields is told by `agent/probes/playback.py`.

Content and played seconds never rest on the player's word alone: an interval counts for as much as the position moved,
and never for more than the monotonic clock allows.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict

from agent.probes import _evidence, _names
from agent.probes._evidence import Minute, Outside, Segment
from agent.probes._journal import Line, decode_path
from shared.clock import Instant
from shared.wire.kinds import EndReason, PlaybackEnded, PlaybackProgress, PlaybackStarted

CHECKPOINT_S = 60
_SLACK_S = 2.0
_STALE_S = 1.2
_END_S = 1.5
_QUIET_PERCENT = 5
_REASONS: dict[str, EndReason] = {"eof": "completed", "error": "error"}


class Playing(BaseModel):
    """All that is known of a playing; it lives in the memo between looks.

    `pos` seconds into the content at the moment `last`, None while it is not known (opening, seeking). `told` says its
    start has been told, `checkpoint_s` the played seconds at the last progress. `exact` False: the record has no
    positions (logs of players), so time stands for them. `known_s` are the played seconds in which the way out was
    observed: picture and, of a film with sound, sound count half each.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    playback: str
    player: str
    via: str
    path: str
    title: str
    begin: Instant
    last: Instant
    exact: bool = True
    told: bool = False
    sha256: str | None = None
    duration_s: float | None = None
    pos: float | None = None
    left: float | None = None
    speed: float = 1.0
    paused: bool = False
    silent: bool = False
    audio: bool = True
    segments: list[Segment] = []
    played_s: float = 0.0
    checkpoint_s: float = 0.0
    minute: Minute = Minute()
    minutes: dict[str, float] = {}
    known_s: float = 0.0
    flags: list[str] = []

    @property
    def is_due(self) -> bool:
        return self.played_s - self.checkpoint_s >= CHECKPOINT_S


def begin(line: Line, *, playback: str, player: str, via: str, exact: bool = True) -> Playing:
    return Playing(
        playback=playback,
        player=player,
        via=via,
        path=line.path,
        title=_title(line),
        begin=line.at,
        last=line.at,
        exact=exact,
    )


def follow(playing: Playing, line: Line, outside: Outside) -> Playing:
    """The playing after this line; `outside` is what is known of the moment of the line."""
    after = _close_minutes(_credit(playing, line), outside)
    seeking = line.ev == "seek"
    return after.model_copy(
        update={
            "last": line.at if line.mono >= playing.last.mono_ms else playing.last,
            "pos": None if seeking else _position(after, line),
            "left": after.pos if seeking else None if line.pos is not None else after.left,
            "flags": _with(after.flags, ["seek_to_end"] if _is_seek_to_end(after, line) else []),
            "duration_s": line.dur or playing.duration_s,
            "title": _title(line) if line.title else playing.title,
            "path": line.path or playing.path,
            "audio": line.audio if line.ev == "start" else playing.audio,
            "speed": line.speed,
            "paused": line.paused,
            "silent": line.muted or (line.vol is not None and line.vol <= _QUIET_PERCENT),
        },
    )


def finish(playing: Playing, reason: str, outside: Outside) -> tuple[Playing, EndReason]:
    """Close the books. `reason` as mpv says it, or `abandoned`."""
    closed = _close_minutes(playing, outside, rest=True)
    at_end = playing.duration_s is not None and playing.pos is not None and playing.pos >= playing.duration_s - _SLACK_S
    if reason == "abandoned":
        return closed, "abandoned"
    if reason == "eof" and playing.duration_s is not None and not at_end:
        return closed.model_copy(update={"flags": _with(closed.flags, ["cut_short"])}), "completed"
    # A player told to stay open pauses on the last picture and is closed by hand.
    return closed, _REASONS.get(reason, "completed" if at_end and playing.paused else "stopped")


def flag(playing: Playing, *flags: str) -> Playing:
    return playing.model_copy(update={"flags": _with(playing.flags, list(flags))})


def started(playing: Playing) -> dict[str, Any]:
    return PlaybackStarted.model_validate(_head(playing)).model_dump()


def progress(playing: Playing) -> dict[str, Any]:
    return PlaybackProgress.model_validate(_figures(playing)).model_dump()


def ended(playing: Playing, reason: EndReason) -> dict[str, Any]:
    return PlaybackEnded.model_validate({**_figures(playing), "reason": reason}).model_dump()


def name_of(path: str) -> str:
    """What the file is called, without its folders; an address stays whole."""
    raw = decode_path(path)
    return _names.text_of(raw if b"://" in raw else raw.rpartition(b"/")[2])


def _title(line: Line) -> str:
    """The title in the file; where a player knows none it gives the file's name, and the suffix is no title."""
    return line.title if line.title and line.title != name_of(line.path) else _names.title_of(decode_path(line.path))


def _head(playing: Playing) -> dict[str, Any]:
    keys = {"playback", "title", "player", "via", "sha256", "duration_s"}
    return {**playing.model_dump(include=keys), "name": name_of(playing.path)}


def _figures(playing: Playing) -> dict[str, Any]:
    content_s = _evidence.content_seconds(playing.segments)
    return {
        **_head(playing),
        "content_s": round(content_s, 2),
        "played_s": round(playing.played_s, 2),
        "segments": _evidence.write_segments(playing.segments) if playing.exact else "",
        "minutes": {level: round(minutes, 3) for level, minutes in sorted(playing.minutes.items())},
        "coverage": _coverage(playing),
        "position_s": None if playing.pos is None else round(playing.pos, 2),
        "begin_ms": playing.begin.wall_ms,
        "begin_mono": playing.begin.mono_ms,
        "flags": playing.flags,
    }


def _coverage(playing: Playing) -> float | None:
    """Of the minutes that are closed; None before the first."""
    graded_s = 60 * sum(playing.minutes.values())
    return round(min(1.0, playing.known_s / graded_s), 3) if graded_s else None


def _credit(playing: Playing, line: Line) -> Playing:
    """Count the interval up to this line, if content ran in it."""
    passed_s = max(0.0, (line.mono - playing.last.mono_ms) / 1000)
    if playing.pos is None or playing.paused or not passed_s:
        return playing
    due = passed_s * playing.speed
    end = _reached(playing, line, due)
    moved = min(max(0.0, end - playing.pos), due + _SLACK_S)
    # A PC that slept, or a player that waited for its disk, did not play while the clock ran.
    played_s = min(passed_s, moved / playing.speed + _SLACK_S)
    minute = playing.minute
    uneven = not _evidence.is_even(playing.speed)
    return playing.model_copy(
        update={
            "pos": playing.pos + moved,
            "segments": _evidence.add_segment(playing.segments, playing.pos, playing.pos + moved),
            "played_s": playing.played_s + played_s,
            "flags": _with(playing.flags, ["speed"] if uneven else []),
            "minute": Minute(
                played=minute.played + played_s,
                due=minute.due + due,
                moved=minute.moved + end - playing.pos,
                uneven=minute.uneven or uneven,
                silent=minute.silent or playing.silent,
            ),
        },
    )


def _reached(playing: Playing, line: Line, due: float) -> float:
    """Where the content stood at the end of the interval, in seconds."""
    start = playing.pos or 0.0
    ideal = start + due
    if line.ev not in {"seek", "end"}:
        known = line.pos if playing.exact else ideal
        return start if known is None else known
    if not playing.exact:
        return ideal
    if line.was is None:
        return start
    # What the script last saw may be a second old.
    end = min(max(ideal, line.was), line.was + _STALE_S * playing.speed)
    near_end = playing.duration_s is not None and abs(playing.duration_s - end) <= _END_S
    return playing.duration_s or end if near_end and line.reason == "eof" else end


def _position(playing: Playing, line: Line) -> float | None:
    """Where to count on from. An opened file does not run yet; a player closing one knows its position no more."""
    if playing.exact and line.ev in {"open", "start"}:
        return None
    return playing.pos if line.pos is None else line.pos


def _is_seek_to_end(playing: Playing, line: Line) -> bool:
    if playing.left is None or line.pos is None or not playing.duration_s:
        return False
    return line.pos >= 0.9 * playing.duration_s and line.pos - playing.left >= 0.3 * playing.duration_s


def _close_minutes(playing: Playing, outside: Outside, *, rest: bool = False) -> Playing:
    minute = playing.minute
    if minute.played < CHECKPOINT_S and not (rest and minute.played):
        return playing
    level, flags = _evidence.grade(minute, outside, has_sound=playing.audio)
    if not playing.exact:
        level = "E1"
    minutes = {**playing.minutes, level: playing.minutes.get(level, 0.0) + minute.played / 60}
    known_s = playing.known_s + minute.played * _evidence.known_share(outside, has_sound=playing.audio)
    closed = {"minute": Minute(), "minutes": minutes, "known_s": known_s, "flags": _with(playing.flags, flags)}
    return playing.model_copy(update=closed)


def _with(flags: list[str], more: list[str]) -> list[str]:
    return [*flags, *(flag for flag in more if flag not in flags)]
