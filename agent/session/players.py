"""Turns snapshots of one MPRIS player into the lines of a journal, as our mpv script writes them. Pure.

A snapshot is the whole picture each time, so that lost, late or doubled signals change nothing. Only files and discs
are told: what somebody watches on the web is nobody's business.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote_to_bytes

from shared.clock import Instant

POLL_MS = 5000
CLOSE_MS = 1000
"""Between looks near the end of a film, so that its end is known to a second."""

_PAUSED_TICK_MS = 60_000
_NEAR_END_S = 7.0
_AT_END_S = 1.5
_JUMP_S = 3.0
_SOUGHT_JUMP_S = 1.0
_MAX_TITLE, _MAX_PATH = 300, 4096
_DISCS = ("cdda://", "dvd://", "dvdnav://", "vcd://", "bluray://", "bd://")
_PREFIX = "org.mpris.MediaPlayer2."
_NO_PLAYERS = ("playerctld", "kdeconnect", "plasma-browser-integration", "chromium", "chrome", "firefox", "edge")

Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a player says of itself. Seconds; `volume` in percent; `path` with surrogates for bytes that are no text."""

    status: str = "Stopped"
    path: str = ""
    track: str = ""
    title: str = ""
    length_s: float | None = None
    position_s: float | None = None
    rate: float = 1.0
    volume: float | None = None

    @property
    def runs(self) -> bool:
        return self.status == "Playing"

    @property
    def is_open(self) -> bool:
        return bool(self.path) and self.status in {"Playing", "Paused"}


def player_of(name: str) -> str | None:
    """`vlc` for `org.mpris.MediaPlayer2.vlc.instance42`; None for browsers, relays and what is no player."""
    plain = re.sub(r"[^0-9a-z]", "", name.removeprefix(_PREFIX).partition(".")[0].lower())[:16]
    if not name.startswith(_PREFIX) or not plain or name.removeprefix(_PREFIX).lower().startswith(_NO_PLAYERS):
        return None
    return plain


def read_snapshot(properties: Mapping[str, Any]) -> Snapshot:
    """A snapshot from MPRIS's properties with variants taken off. What has the wrong type counts as not said."""
    metadata = properties.get("Metadata")
    held: Mapping[str, Any] = metadata if isinstance(metadata, dict) else {}
    volume, rate = _number(properties.get("Volume")), _number(properties.get("Rate"))
    return Snapshot(
        status=str(properties.get("PlaybackStatus") or "Stopped"),
        path=read_path(str(held.get("xesam:url") or "")),
        track=str(held.get("mpris:trackid") or ""),
        title=str(held.get("xesam:title") or "")[:_MAX_TITLE],
        length_s=_seconds(held.get("mpris:length"), least=1),
        position_s=_seconds(properties.get("Position"), least=0),
        rate=rate if rate is not None and 0.01 <= rate <= 100 else 1.0,
        volume=None if volume is None else round(volume * 100, 1),
    )


def read_path(url: str) -> str:
    """The absolute path of a `file://` address, a disc's address as it is, empty for anything else."""
    if url.startswith("file:///"):
        return unquote_to_bytes(url.removeprefix("file://"))[:_MAX_PATH].decode("utf-8", "surrogateescape")
    return url[:_MAX_PATH] if url.startswith(_DISCS) else ""


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and abs(value) < 2**53 else None


def _seconds(microseconds: Any, *, least: int) -> float | None:
    value = _number(microseconds)
    return None if value is None or value < least else round(value / 1e6, 3)


@dataclass(slots=True)
class Watched:
    """One player. `see` and `lose` return the lines to tell; `seen` is the snapshot they rest on, at `at`.

    `resumes` is the film of `item` that the helper before this one has begun to tell.
    """

    sid: str
    player: str
    pid: int
    item: int = 0
    seen: Snapshot = field(default_factory=Snapshot)
    at: Instant | None = None
    ticked_ms: int = 0
    told_ms: int = 0
    was_loud: bool = False
    resumes: str = ""

    def due_ms(self) -> int:
        """Monotonic ms of the next look."""
        if self.at is None:
            return 0
        left_s = (self.seen.length_s or 1e9) - (self.seen.position_s or 0.0)
        near = self.seen.runs and left_s / self.seen.rate < _NEAR_END_S
        return self.at.mono_ms + (CLOSE_MS if near else POLL_MS)

    def see(self, new: Snapshot, now: Instant, *, sought: bool = False) -> list[Line]:
        """`sought`: the player has just said that somebody moved the position."""
        before, self.was_loud = self.seen, self.was_loud or bool(new.volume)
        lines: list[Line] = []
        if before.is_open and (not new.is_open or self._is_other(new)):
            lines.append(self._close(now))
            before = replace(before, path="")
        opened = new.is_open and not before.is_open
        if opened:
            self.item += new.path != self.resumes
            lines += [self._say(event, now, new, pos=None) for event in ("open", "start")]
        if new.is_open:
            lines += self._go_on(new, now, sought=sought, opened=opened)
        self.seen, self.at, self.resumes = new, now, ""
        return lines

    def lose(self, now: Instant) -> list[Line]:
        """The player has left the bus. Whether it was closed or killed cannot be told apart here."""
        closing = [self._close(now)] if self.seen.is_open else []
        self.seen = Snapshot()
        return [*closing, self._say("exit", now, Snapshot(), pos=None)]

    def _is_other(self, new: Snapshot) -> bool:
        """Whether another film runs now, or the same file from a second place of the playlist.

        Another track alone proves nothing: mpv names tracks by their place in the playlist, which moves when films are
        put before it, and has another name for the first film while it starts. Only a second showing begins anew.
        """
        began_anew = (new.position_s or 0.0) < (self.seen.position_s or 0.0)
        return new.path != self.seen.path or (new.track != self.seen.track and began_anew)

    def _go_on(self, new: Snapshot, now: Instant, *, sought: bool, opened: bool) -> list[Line]:
        if new.position_s is None:
            return []
        if opened or self.seen.position_s is None:
            return [self._say("restart", now, new)]
        if abs(new.position_s - self._expected(now)) > (_SOUGHT_JUMP_S if sought else _JUMP_S):
            seek = self._say("seek", now, new, was=self.seen.position_s)
            return [seek, self._say("restart", now, new)]
        event = self._what_changed(new, now)
        return [self._say(event, now, new)] if event else []

    def _what_changed(self, new: Snapshot, now: Instant) -> str:
        old = self.seen
        if old.status != new.status:
            return "play" if new.runs else "pause"
        if (old.rate, old.volume) != (new.rate, new.volume):
            return "speed" if old.rate != new.rate else "sound"
        return "tick" if new.runs or now.mono_ms - self.ticked_ms >= _PAUSED_TICK_MS else ""

    def _expected(self, now: Instant) -> float:
        """Where the content stands now if nobody touched it."""
        passed_s = 0.0 if self.at is None or not self.seen.runs else (now.mono_ms - self.at.mono_ms) / 1000
        return (self.seen.position_s or 0.0) + passed_s * self.seen.rate

    def _close(self, now: Instant) -> Line:
        length_s = self.seen.length_s
        at_end = length_s is not None and self.seen.runs and self._expected(now) >= length_s - _AT_END_S
        return self._say("end", now, self.seen, pos=None, was=self.seen.position_s, reason="eof" if at_end else "quit")

    def _say(self, event: str, now: Instant, what: Snapshot, **more: Any) -> Line:
        # No two lines of a player share a moment, so that the inbox knows a repeated line by its moment alone.
        self.told_ms = max(now.mono_ms, self.told_ms + 1)
        self.ticked_ms = now.mono_ms
        line: Line = {"tell": "played", "player": self.player, "sid": self.sid, "ev": event, "n": self.item}
        line |= {"wall": now.wall_ms, "mono": self.told_ms, "boot": now.boot, "pid": self.pid}
        line |= {"pos": what.position_s, "dur": what.length_s, "speed": what.rate, "paused": not what.runs}
        # VLC says volume 0 until its sound output is open.
        line |= {"vol": what.volume if self.was_loud else None, "path": what.path, "title": what.title}
        line |= more
        return {key: value for key, value in line.items() if value not in {None, ""}}
