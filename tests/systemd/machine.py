"""A PC of the tests' own: this machine's root under a layer, booted by the real systemd in namespaces of its own."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BOOT = Path(__file__).with_name("boot.sh")
PEEK = """
import json, sqlite3, sys
rows = sqlite3.connect("file:/var/lib/yuanjiao/spool/spool.db?mode=ro", uri=True).execute("SELECT line FROM lines")
print(json.dumps([json.loads(line) for (line,) in rows if line[:1] == b"{"]))
"""


class Machine:
    """`layer` holds all that the PC has written; it outlives a boot."""

    def __init__(self, layer: Path) -> None:
        self.layer = layer
        self._unshare: subprocess.Popen[bytes] | None = None

    def boot(self, *, package: Path | None = None, within_s: float = 40) -> None:
        """Start it and wait until it says that it runs."""
        command = ["unshare", "--pid", "--mount", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child"]
        command += ["sh", str(BOOT), str(self.layer), str(uuid.uuid4()), *([str(package)] if package else [])]
        log = (self.layer / "boot.log").open("ab")
        with log:
            self._unshare = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait_until(self._runs, "systemd running", within_s=within_s)

    def run(self, *command: str, check: bool = True, within_s: float = 20, given: bytes = b"") -> str:
        """One command inside, as root; its output and errors."""
        enter = ["nsenter", "-t", str(self._first_pid()), "-m", "-p", "-u", "-i", "-C", "-r", "-w", "--"]
        home = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            [*enter, *command],
            check=False,
            env=home,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=within_s,
        )
        said = done.stdout.decode("utf-8", "replace")
        assert not check or done.returncode == 0, f"{command}: {said}"
        return said

    def write(self, path: str, content: bytes) -> None:
        """A file that everybody may read, with the folders it needs."""
        self.run("sh", "-c", f"umask 022; mkdir -p $(dirname {path}); cat > {path}", given=content)

    def python(self, program: str, *arguments: str, user: str = "root") -> str:
        """What a small program prints, run by Debian's Python with the agent's packages."""
        become = ["setpriv", f"--reuid={user}", "--clear-groups", "--"]
        return self.run(*become, "/opt/yuanjiao/bin/python", "-I", "-c", program, *arguments, check=False)

    def show(self, unit: str, name: str) -> str:
        """One property of a unit."""
        return self.run("systemctl", "show", unit, "--property", name, "--value").strip()

    def facts(self) -> list[dict[str, Any]]:
        """All that the agent's spool holds."""
        said = self.python(PEEK)
        return list(json.loads(said)) if said.startswith("[") else []

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [dict(each["data"]) for each in self.facts() if each["kind"] == kind]

    def journal(self, unit: str = "yuanjiao-agent") -> str:
        return self.run("journalctl", "--no-pager", "--output=cat", "--unit", unit)

    def wait_until(self, happened: Callable[[], bool], what: str, *, within_s: float = 20) -> None:
        limit = time.monotonic() + within_s
        while not happened():
            assert time.monotonic() < limit, f"{what} did not happen within {within_s} s; {self._tail()}"
            time.sleep(0.1)

    def shut_down(self) -> None:
        """As its button does."""
        self.run("systemctl", "poweroff", check=False)
        self._wait(20)

    def cut_power(self) -> None:
        """At once, and whatever it was doing."""
        if self._unshare is not None and self._unshare.poll() is None:
            pids = _children(self._unshare.pid)
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            self._wait(20)

    def _wait(self, seconds: float) -> None:
        if self._unshare is not None:
            self._unshare.wait(seconds)
            self._unshare = None

    def _runs(self) -> bool:
        assert self._unshare is not None
        assert self._unshare.poll() is None, f"the machine died; {self._tail()}"
        pids = _children(self._unshare.pid)
        if not pids or Path(f"/proc/{pids[0]}/comm").read_text("ascii").strip() != "systemd":
            return False
        return self.run("systemctl", "is-system-running", check=False).strip() in {"running", "degraded"}

    def _first_pid(self) -> int:
        assert self._unshare is not None
        return _children(self._unshare.pid)[0]

    def _tail(self) -> str:
        logs = [self.layer / name for name in ("boot.log", "install.log")]
        return "\n".join(path.read_text("utf-8", "replace")[-1500:] for path in logs if path.exists())


def why_not() -> str:
    """Why no machine can be booted here; empty where one can."""
    if os.geteuid() != 0:
        return "booting a systemd takes root"
    if not Path("/lib/systemd/systemd").exists():
        return "no systemd is installed"
    asked = subprocess.run(
        ["unshare", "--pid", "--mount", "--cgroup", "--fork", "sh", "-c", "mount -t tmpfs tmpfs /mnt"],
        check=False,
        capture_output=True,
    )
    return "" if asked.returncode == 0 else f"no namespaces here: {asked.stderr.decode().strip()}"


@contextmanager
def lay_out() -> Iterator[Machine]:
    """A PC that is switched off; whatever happens nothing of it is left afterwards."""
    layer = Path(tempfile.mkdtemp(prefix="yuanjiao-pc-", dir="/var/tmp"))
    machine = Machine(layer)
    try:
        yield machine
    finally:
        machine.cut_power()
        shutil.rmtree(layer, ignore_errors=True)


def _children(pid: int) -> Sequence[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
    except OSError:
        return []
