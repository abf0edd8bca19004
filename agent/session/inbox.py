"""Where the agent keeps what helpers bring: a journal for each player, and one file with the newest sound.

The probes `playback` and `audio` read these files and know nothing of sockets. Whoever speaks here is a desktop user,
so nothing is believed that could not also stand in a journal, and all of it together stays below 32 MiB.
"""

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.probes import _journal
from shared.clock import Instant
from shared.wire.states import AudioState

MAX_BYTES = 32 * 2**20
MAX_FILES = 64

_SID = re.compile(r"[0-9a-f]{1,12}-[0-9]{1,8}-[0-9]{1,16}")
_PLAYER = re.compile(r"[0-9a-z]{1,16}")
_TAIL = 32 * 1024
_AHEAD_MS = 1000
_AUDIO = frozenset(AudioState.model_fields)


@dataclass(slots=True)
class Inbox:
    """`folder` takes the journals, `status` the sound and whether a helper is there. Not for several threads."""

    folder: Path
    status: Path
    told: dict[str, int] = field(default_factory=dict)
    """By file name, the moment (monotonic ms) of its last line."""

    def take(self, raw: bytes, now: Instant) -> str | None:
        """Keep one line; returns what it told (`played`, `sound`) or None for a line that is no good.

        Raises OSError when it cannot be kept: the disk or the bounds are full.
        """
        line = _read(raw)
        if line is None or line.get("boot") != now.boot or not _is_moment(line.get("mono"), now):
            return None
        if line.get("tell") == "sound":
            return self._take_sound(line)
        return self._take_played(raw, line) if line.get("tell") == "played" else None

    def clear_status(self) -> None:
        """No helper is there any more."""
        with suppress(OSError):
            self.status.unlink()

    def _take_sound(self, line: dict[str, Any]) -> str | None:
        held: Any = line.get("audio")
        try:
            audio = AudioState.model_validate({key: value for key, value in dict(held).items() if key in _AUDIO})
        except (TypeError, ValueError):
            return None
        told = {"boot": line["boot"], "mono": line["mono"], "audio": audio.model_dump()}
        beside = self.status.with_name(self.status.name + ".new")
        beside.write_text(json.dumps(told), "ascii")
        beside.chmod(0o644)
        beside.replace(self.status)
        return "sound"

    def _take_played(self, raw: bytes, line: dict[str, Any]) -> str | None:
        player, sid, mono = str(line.get("player")), str(line.get("sid")), int(line["mono"])
        if not _PLAYER.fullmatch(player) or not _SID.fullmatch(sid) or _journal.parse(raw) is None:
            return None
        name = f"play-{player}-{sid}.jsonl"
        path = self.folder / name
        if name not in self.told:
            self.told = {known: at for known, at in self.told.items() if (self.folder / known).exists()}
            self.told[name] = _last_moment(path)
        if mono > self.told[name]:
            kept = json.dumps(line, separators=(",", ":")).encode() + b"\n"
            self._require_room(len(kept))
            _append(path, kept)
            self.told[name] = mono
        return "played"

    def _require_room(self, size: int) -> None:
        with os.scandir(self.folder) as entries:
            sizes = [entry.stat(follow_symlinks=False).st_size for entry in entries]
        if len(sizes) >= MAX_FILES or sum(sizes) + size > MAX_BYTES:
            raise OSError("the session's journals have reached their bound")


def read_sound(status: Path) -> Mapping[str, Any] | None:
    """The newest that a helper told of the sound, however old; None when no helper is there."""
    try:
        told = json.loads(status.read_bytes())
        return dict(told["audio"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _read(raw: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) else None


def _is_moment(mono: Any, now: Instant) -> bool:
    return type(mono) is int and 0 <= mono <= now.mono_ms + _AHEAD_MS


def _append(path: Path, line: bytes) -> None:
    """All of the line or nothing: a torn one would hide that it was not taken."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        before = os.fstat(descriptor).st_size
        if os.write(descriptor, line) != len(line):
            os.ftruncate(descriptor, before)
            raise OSError("no room left for a line")
    finally:
        os.close(descriptor)


def _last_moment(path: Path) -> int:
    """When the last whole line of a file was told, -1 for none: after a restart helpers tell again what was taken."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            lines = [_journal.parse(raw) for raw in file.read().splitlines()]
    except OSError:
        return -1
    return max((line.mono for line in lines if line is not None), default=-1)
