"""A player that writes its journal as our script does, and the station whose sensor reads it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.probes.playback import PlaybackSensor, PlaybackSettings
from tests.agent.probes.rig import Rig
from tests.clocks import ManualClock

LESSON = "/srv/courseware/水稻 第1讲.mp4"
SHA = "a" * 64
PROJECTOR_ON = {"power": "on"}
SOUNDING = {"sink": True, "muted": False, "volume": 0.6, "sounding": True}


class Player:
    """Writes a journal as the Lua script does, ten seconds to a tick."""

    def __init__(self, folder: Path, clock: ManualClock, sid: str = "bbbbbbbbbbbb-4242-600000") -> None:
        self.path = folder / f"play-{sid}.jsonl"
        self.clock, self.item = clock, 0
        self.fields: dict[str, Any] = {"pid": 4242, "speed": 1, "paused": False, "muted": False, "vol": 100}

    def say(self, event: str, **more: Any) -> None:
        now = self.clock.now()
        told = {"ev": event, "n": self.item, "wall": now.wall_ms, "mono": now.mono_ms, "boot": now.boot}
        self.write(json.dumps(told | self.fields | more, ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n")

    def write(self, raw: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(raw)

    def start(self, path: str = LESSON, *, duration_s: float = 2400, audio: bool = True) -> None:
        self.item += 1
        self.fields["dur"] = duration_s
        self.say("open", path=path, title=path.rpartition("/")[2])
        self.say("start", path=path, title=path.rpartition("/")[2], audio=audio)
        self.seek_to(0)

    def seek_to(self, position: float) -> None:
        self.fields["pos"] = position
        self.say("restart")

    def run(self, seconds: float, *, rate: float = 1.0) -> None:
        """Let time pass while the content moves `rate` times as fast."""
        for step in [10.0] * int(seconds // 10) + [seconds % 10]:
            self.clock.advance(seconds=step)
            self.fields["pos"] += step * rate
            self.say("tick")

    def seek(self, position: float) -> None:
        self.say("seek", was=self.fields["pos"], pos=position)
        self.seek_to(position)

    def end(self, reason: str = "quit") -> None:
        was = self.fields.pop("pos", None)
        self.say("end", reason=reason, was=was)

    def exit(self) -> None:
        self.say("exit")


class Station:
    """A journal folder with its sensor and a runner."""

    def __init__(self, folder: Path, clock: ManualClock) -> None:
        self.folder, self.clock, self.rig = folder, clock, Rig()
        self.settings = PlaybackSettings(journal_dir=folder)
        self.alive = True
        self.restart()

    def restart(self) -> None:
        self.sensor = PlaybackSensor(self.settings, self.rig, lambda _pid, _since: self.alive, lambda _name: self.alive)

    def look(self) -> Mapping[str, Any]:
        return self.rig.look(self.sensor, self.clock.now())

    def look_after(self, seconds: float) -> Mapping[str, Any]:
        self.clock.advance(seconds=seconds)
        return self.look()

    def ended(self) -> Mapping[str, Any]:
        told = self.rig.told("playback.ended")
        assert len(told) == 1
        return told[0]
