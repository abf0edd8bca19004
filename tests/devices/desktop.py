"""A desktop user's session in small: a message bus, the helper as its own process, and an agent's ear to it."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.probes.playback import PlaybackSensor, PlaybackSettings
from agent.session.inbox import Inbox
from agent.session.listener import Listener
from shared.clock import Instant, SystemClock
from tests.agent.probes.rig import Rig
from tests.devices.processes import running, wait_until

ROOT = Path(__file__).parents[2]
# VLC refuses to be root, so a bus of root's must let others in.
BUS = """<busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth><policy context="default">
<allow user="*"/><allow own="*"/><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
</policy></busconfig>"""
LATER_MS = 12_000
"""Beyond the moment for which the sensor waits for our script's journal."""


@dataclass
class Desktop:
    """`look` is a look of the sensor that reads the helper's inbox, as if some seconds had passed."""

    folder: Path
    environment: Mapping[str, str]
    helper: int
    """Its process id."""
    rig: Rig = field(default_factory=Rig)
    clock: SystemClock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        settings = PlaybackSettings(journal_dir=self.folder / "journal", session_dir=self.folder / "inbox")
        self.sensor = PlaybackSensor(settings, self.rig)

    def look(self, *, later_ms: int = LATER_MS) -> Mapping[str, Any]:
        now = self.clock.now()
        return self.rig.look(self.sensor, Instant(now.wall_ms + later_ms, now.mono_ms + later_ms, now.boot))

    def lines(self) -> str:
        """All that the helper has brought and that is not told yet."""
        return "".join(path.read_text("utf-8") for path in sorted((self.folder / "inbox").glob("play-*.jsonl")))

    def wait_for(self, text: str, *, times: int = 1, within_s: float = 15) -> None:
        wait_until(lambda: self.lines().count(text) >= times, f"{times} × {text} in the inbox", within_s=within_s)


@contextmanager
def serve(folder: Path) -> Iterator[Listener]:
    """The agent's ear, for helpers of this very user."""
    inbox = Inbox(folder / "inbox", folder / "session.json")
    listener = Listener(folder / "session.sock", inbox, SystemClock(), {os.getuid()}.__contains__)
    listener.start()
    try:
        yield listener
    finally:
        listener.close()


@contextmanager
def open_desktop(folder: Path, *, sound: str = "unix:/nowhere") -> Iterator[Desktop]:
    """Bus, ear and helper, from their start to their end."""
    (folder / "journal").mkdir()
    bus = folder / "bus"
    foreign = ("XDG_", "PULSE_", "DBUS_", "DISPLAY", "WAYLAND_")
    own = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    environment = own | {
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={bus}",
        "XDG_RUNTIME_DIR": str(folder),
        "HOME": str(folder),
        "PULSE_SERVER": sound,
        "PYTHONPATH": str(ROOT),
    }
    with ExitStack() as stack:
        (folder / "bus.conf").write_text(BUS.format(bus))
        command = ["dbus-daemon", "--nofork", "--nopidfile", f"--config-file={folder}/bus.conf"]
        stack.enter_context(running(command, environment=environment, log=folder / "bus.log"))
        wait_until(bus.exists, "the message bus appearing")
        stack.enter_context(serve(folder))
        yield Desktop(folder, environment, stack.enter_context(helping(folder, environment)))


@contextmanager
def helping(folder: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """The helper; yields its process id once the agent has heard of the sound."""
    command = [sys.executable, "-m", "agent", "session", "--socket", str(folder / "session.sock")]
    (folder / "session.json").unlink(missing_ok=True)
    with running(command, environment=environment, log=folder / "helper.log") as process:
        wait_until((folder / "session.json").exists, "the helper's first word")
        yield process.pid
