"""An inbox in a folder, and a peer that says lines to a listener."""

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.session.inbox import Inbox
from agent.session.listener import Listener
from tests.clocks import ManualClock

SID = "bbbbbbbbbbbb-42-600000"


def line(clock: ManualClock, **more: Any) -> bytes:
    """A good line, or one that a test has spoilt."""
    now = clock.now()
    told: dict[str, Any] = {"tell": "played", "player": "vlc", "sid": SID, "ev": "tick", "n": 1}
    told |= {"wall": now.wall_ms, "mono": now.mono_ms, "boot": now.boot, "pos": 1.0}
    return json.dumps(told | more).encode()


@dataclass
class Ear:
    folder: Path
    clock: ManualClock

    def __post_init__(self) -> None:
        (self.folder / "inbox").mkdir(exist_ok=True)
        self.inbox = Inbox(self.folder / "inbox", self.folder / "session.json")
        self.listener = Listener(self.folder / "sock", self.inbox, self.clock, {os.getuid()}.__contains__)

    def connect(self) -> socket.socket:
        link = socket.socket(socket.AF_UNIX)
        link.settimeout(10)
        link.connect(str(self.folder / "sock"))
        return link

    def kept(self) -> list[dict[str, Any]]:
        files = sorted((self.folder / "inbox").iterdir())
        return [json.loads(each) for path in files for each in path.read_bytes().splitlines()]
