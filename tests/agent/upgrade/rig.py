"""A station of real processes: the launcher as its own watchman, the agent of this source, no centre to be reached."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.identity import save_identity
from agent.upgrade.pointer import FOLDER, Place
from tests.releases import KEYS

CODE = "7K3M9QPD2VXW"
QUIET = "\n".join(f"[probes.{name}]\nenabled = false" for name in ("audio", "projector", "display", "alsa", "playback"))


@dataclass(slots=True)
class Station:
    """`trial_s` is how long a new agent has to prove itself."""

    folder: Path
    trial_s: int = 60
    _process: subprocess.Popen[bytes] | None = None

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def place(self) -> Place:
        return Place(self.state / FOLDER)

    @property
    def settings(self) -> Path:
        return self.folder / "agent.toml"

    def set_up(self) -> None:
        """Enrolled at a centre where nobody listens."""
        save_identity(self.state, code=CODE, station="510802/1", title="宝轮镇 爱国社区", centre="http://127.0.0.1:9")
        (self.folder / "keys.toml").write_text(f'keys = ["{KEYS.keys[0]}"]\n')
        upgrade = f'[upgrade]\nkeys = "{self.folder}/keys.toml"\ntrial_s = {self.trial_s}\n'
        session = f'[session]\nsocket = "{self.folder}/absent/session.sock"\n'
        self.settings.write_text(f'state_dir = "{self.state}"\n{session}{upgrade}{QUIET}\n')

    def command(self, *arguments: str, module: str = "agent") -> list[str]:
        return [sys.executable, "-I", "-B", "-m", module, "--settings", str(self.settings), *arguments]

    def carry_in(self, source: Path) -> str:
        """What the person with the stick sees."""
        done = subprocess.run(self.command("upgrade", str(source)), check=False, capture_output=True, timeout=60)
        return (done.stdout + done.stderr).decode()

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            command = self.command("run", module="agent.upgrade.launcher")
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self) -> int:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)

    def end(self) -> None:
        """Whatever state it is in, nothing of it goes on."""
        if self._process is not None and self._process.poll() is None:
            children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
            self._process.kill()
            self._process.wait(20)
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(child), signal.SIGKILL)

    def told(self) -> list[dict[str, Any]]:
        """All that the spool says of upgrades."""
        return [fact["data"] for fact in self.facts() if fact["kind"] == "upgrade.ended"]

    def facts(self) -> list[dict[str, Any]]:
        file = self.state / "spool" / "spool.db"
        if not file.exists():
            return []
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as db:
            rows = db.execute("SELECT line FROM lines ORDER BY no, seq").fetchall()
        return [json.loads(line) for (line,) in rows if line[:1] == b"{"]

    def log(self) -> str:
        file = self.folder / "log"
        return file.read_text("utf-8", "replace") if file.exists() else ""

    def wait_for_start(self, before: int) -> None:
        """Until one more agent than `before` has started."""
        self.wait_until(lambda: self.log().count("agent.started") > before, "a start")

    def wait_until(self, happened: Callable[[], bool], what: str, *, within_s: float = 90) -> None:
        limit = time.monotonic() + within_s
        while not happened():
            assert time.monotonic() < limit, f"{what} did not happen; {self.log()[-3000:]}"
            time.sleep(0.2)
