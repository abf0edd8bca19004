"""Real sound servers in a private runtime directory, and a real player that plays into them."""

import array
import json
import math
import os
import socket
import subprocess
import wave
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.probes.audio import PROBE, AudioSensor, AudioSettings
from tests.clocks import ManualClock
from tests.devices.processes import require_program, running, wait_until

NOW = ManualClock().now()


@dataclass(frozen=True)
class SoundServer:
    """`url` is what the sensor is set to, `pid` the process whose death is the server's."""

    folder: Path
    url: str
    environment: Mapping[str, str]
    pid: int

    def control(self, *arguments: str) -> str:
        """One command of pactl."""
        command = [require_program("pactl"), *arguments]
        environment = dict(self.environment)
        return subprocess.run(command, check=True, env=environment, capture_output=True, text=True, timeout=10).stdout

    def look(self, *, timeout_s: float = 3) -> dict[str, Any]:
        """One state of the sensor under test."""
        sensor = AudioSensor(AudioSettings(server=self.url, timeout_s=timeout_s, listen_s=0.3))
        state = sensor.read(NOW).state
        assert state is not None
        assert set(state) == set(PROBE.sample)
        return dict(state)

    def look_until(self, what: str, **expected: object) -> dict[str, Any]:
        """The first state that has all `expected` values; fails when none comes in time."""
        seen: dict[str, Any] = {}

        def happened() -> bool:
            seen.update(self.look())
            return all(seen[name] == value for name, value in expected.items())

        wait_until(happened, what)
        return seen


@dataclass(frozen=True)
class Player:
    ipc: Path

    def set(self, name: str, value: object) -> None:
        """One property of the running mpv."""
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(5)
            link.connect(str(self.ipc))
            link.sendall(json.dumps({"command": ["set_property", name, value]}).encode() + b"\n")
            assert b'"success"' in link.recv(4096)


@contextmanager
def start_pulseaudio(folder: Path) -> Iterator[SoundServer]:
    """PulseAudio without any sink."""
    environment = _surround(folder)
    address = folder / "native"
    modules = ["-L", f"module-native-protocol-unix socket={address}"]
    command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", *modules]
    with running(command, environment=environment, log=folder / "server.log") as process:
        wait_until(address.exists, "PulseAudio's socket appearing")
        yield SoundServer(folder, f"unix:{address}", environment | {"PULSE_SERVER": f"unix:{address}"}, process.pid)


@contextmanager
def start_pipewire(folder: Path) -> Iterator[SoundServer]:
    """PipeWire with its policy daemon, its PulseAudio face and a message bus of their own; without any sink."""
    bus, address = folder / "bus", folder / "pulse" / "native"
    environment = _surround(folder) | {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={bus}"}
    with ExitStack() as stack:

        def start(*command: str) -> int:
            log = folder / f"{command[0]}.log"
            return stack.enter_context(running(command, environment=environment, log=log)).pid

        start("dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address=unix:path={bus}")
        wait_until(bus.exists, "the message bus appearing")
        start("pipewire")
        wait_until((folder / "pipewire-0").exists, "PipeWire's socket appearing")
        start("wireplumber")
        pid = start("pipewire-pulse")
        wait_until(address.exists, "PipeWire's PulseAudio socket appearing")
        yield SoundServer(folder, f"unix:{address}", environment | {"PULSE_SERVER": f"unix:{address}"}, pid)


@contextmanager
def playing(server: SoundServer, sink: str, *, amplitude: float = 0.25, volume: int = 100) -> Iterator[Player]:
    """mpv playing a tone into `sink` over and over; amplitude 0 is a silent track."""
    track = server.folder / f"tone-{amplitude}.wav"
    _write_tone(track, amplitude)
    ipc = server.folder / "mpv.sock"
    ipc.unlink(missing_ok=True)
    output = ["--no-config", "--no-video", "--no-terminal", "--ao=pulse", f"--audio-device=pulse/{sink}"]
    command = ["mpv", *output, f"--volume={volume}", f"--input-ipc-server={ipc}", "--loop-file=inf", str(track)]
    with running(command, environment=server.environment, log=server.folder / "mpv.log"):
        server.look_until("the player's stream appearing", streams=1)
        yield Player(ipc)
    server.look_until("the player's stream going away", streams=0)


def _surround(folder: Path) -> dict[str, str]:
    """An environment in which neither the server nor its clients can meet the ones of this machine."""
    foreign = ("XDG_", "PULSE_", "PIPEWIRE_", "DBUS_", "DISPLAY", "WAYLAND_")
    own = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return own | {"XDG_RUNTIME_DIR": str(folder), "HOME": str(folder), "LC_ALL": "C.UTF-8"}


def _write_tone(path: Path, amplitude: float, *, hertz: int = 440, rate: int = 44_100) -> None:
    frames = array.array("h", (int(32_767 * amplitude * math.sin(math.tau * hertz * t / rate)) for t in range(rate)))
    with wave.open(str(path), "wb") as track:
        track.setnchannels(1)
        track.setsampwidth(2)
        track.setframerate(rate)
        track.writeframes(frames.tobytes())
