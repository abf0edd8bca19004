"""Drives real players without screen and sound card, and waits for them with a limit."""

import fcntl
import json
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parents[2] / "agent" / "players" / "station_journal.lua"
_LIMIT_S = 15.0


def require_program(name: str) -> str:
    """Path of a program the tests cannot do without; fails, never skips."""
    path = shutil.which(name)
    assert path, f"{name} is not installed: apt-get install mpv vlc-bin vlc-plugin-base ffmpeg"
    return path


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for at most fifteen seconds."""
    limit = time.monotonic() + _LIMIT_S
    while not condition():
        assert time.monotonic() < limit, f"waited {_LIMIT_S:.0f} s for {what}"
        time.sleep(0.03)


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder every user may write to: VLC refuses to run as root, and pytest's own folders are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="player-"))
    folder.chmod(0o777)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def only_vlc() -> Iterator[None]:
    """No other test runs VLC meanwhile: the sensor that reads its log can only ask whether any VLC is there."""
    with (Path(tempfile.gettempdir()) / "yuanjiao-tests-vlc.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Mpv:
    """A running mpv that is told what to do through its IPC socket."""

    def __init__(self, folder: Path, *paths: str | bytes, options: tuple[str, ...] = ()) -> None:
        self._socket = folder / "ipc"
        program = require_program("mpv")
        fixed = ["--no-config", "--vo=null", "--ao=null", "--no-terminal", f"--input-ipc-server={self._socket}"]
        journal = {"YUANJIAO_JOURNAL": str(folder / "journal")}
        command = [program, *fixed, f"--script={SCRIPT}", *options, "--", *paths]
        self.process = subprocess.Popen(command, env=os.environ | journal)

    def ask(self, *command: object) -> Any:
        """Send one command; returns its data, None while it cannot be answered."""
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(5)
            try:
                link.connect(str(self._socket))
            except OSError:
                return None
            link.sendall(json.dumps({"command": command}).encode() + b"\n")
            for line in link.makefile("rb"):
                answer = json.loads(line)
                if "error" in answer:
                    return answer.get("data")
        return None

    def wait_for_position(self, seconds: float) -> None:
        wait_until(lambda: (self.ask("get_property", "time-pos") or -1) >= seconds, f"position {seconds}")

    def wait(self) -> int:
        return self.process.wait(_LIMIT_S)


class Vlc:
    """A running VLC, as a user who is not root, that writes its log."""

    def __init__(self, folder: Path, *paths: Path) -> None:
        require_program("vlc")
        self.log = folder / "vlc.log"
        options = ["-I", "dummy", "-V", "vdummy", "-A", "dummy", "--no-media-library", "--play-and-exit"]
        logging = ["--file-logging", f"--logfile={self.log}", "--log-verbose=2"]
        home = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "PATH": os.environ["PATH"]}
        command = [*_as_plain_user(), "vlc", *options, *logging, *map(str, paths)]
        self.process = subprocess.Popen(
            command, env=home, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def wait_for_log(self, text: bytes) -> None:
        wait_until(lambda: self.log.exists() and text in self.log.read_bytes(), f"{text!r} in VLC's log")

    def wait(self) -> int:
        return self.process.wait(_LIMIT_S)


def _as_plain_user() -> list[str]:
    if os.getuid() != 0:
        return []
    nobody = pwd.getpwnam("nobody")
    # setpriv replaces itself by the program, so that a signal to it reaches the player.
    return [require_program("setpriv"), f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]


@contextmanager
def running(player: Mpv | Vlc) -> Iterator[Any]:
    """The player; whatever happens it is gone afterwards."""
    try:
        yield player
    finally:
        player.process.kill()
        player.process.wait(_LIMIT_S)
