"""Memory, idle CPU and start of one running agent with its session helper, enrolled at a real centre, every sensor on.

Both run with the packages and the variables of the Debian package, not with this folder's many. `.start` seconds from
the command to READY=1; `.rss` and `.helper_rss` in MiB after a while; `.cpu` of both as a share of one core over the
next minute, at a heartbeat of five minutes. Usage: `python -m bench.agent_footprint [--seconds 60]`.
"""

import argparse
import asyncio
import os
import runpy
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import files
from pathlib import Path

import psutil

from bench.intake import serve_centre
from bench.report import emit
from bench.station import furnish, projector
from collector import setup
from collector.settings import Settings

SETTLE_S = 20
ROOT = Path(__file__).parents[1]
MAIN = "import sys; sys.path.insert(0, {!r}); from agent.__main__ import main; sys.exit(main())"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _bench(Path(folder), options.seconds)


def _bench(folder: Path, seconds: int) -> None:
    settings = Settings(database=f"sqlite+aiosqlite:///{folder}/centre.db")
    asyncio.run(setup.init(settings, district_id=510802, name="利州区", register=None, total=245))
    codes = asyncio.run(setup.make_codes(settings, district_id=510802, township="宝轮镇"))
    program = [sys.executable, "-I", "-S", "-c", MAIN.format(str(_lay_out_packages(folder / "packages")))]
    environment = _environment(folder)
    with projector() as lamp, serve_centre("centre", settings.database) as (port, _):
        station = [*program, "--settings", str(furnish(folder, projector_port=lamp))]
        enroll = [*station, "enroll", codes[0][2], "--centre", f"http://127.0.0.1:{port}"]
        subprocess.run(enroll, check=True, stdout=subprocess.DEVNULL, env=environment)
        emit("agent_footprint.start", _time_start([*station, "run"], environment, folder), "s")
        bus = ["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address=unix:path={folder}/bus"]
        helper = [*program, "session", "--socket", str(folder / "session.sock")]
        with (
            _running(bus, environment),
            _running([*station, "run"], environment) as agent,
            _running(helper, environment) as session,
        ):
            _watch(psutil.Process(agent), psutil.Process(session), seconds)


def _watch(agent: psutil.Process, helper: psutil.Process, seconds: int) -> None:
    time.sleep(SETTLE_S)
    before = _spent_s(agent) + _spent_s(helper)
    time.sleep(seconds)
    spent = _spent_s(agent) + _spent_s(helper) - before
    for name, process in (("rss", agent), ("helper_rss", helper)):
        full = process.memory_full_info()
        emit(f"agent_footprint.{name}", full.rss / 2**20, "MiB", private_mib=round(full.uss / 2**20, 1))
    threads = agent.num_threads() + helper.num_threads()
    emit("agent_footprint.cpu", spent / seconds * 100, "% of a core", seconds=seconds, threads=threads)


def _spent_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _time_start(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> float:
    """Seconds until the agent says that it is ready, the best of three."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(folder / "notify"))
        ear.settimeout(30)
        taken = []
        for _ in range(3):
            began = time.monotonic()
            with _running(command, {**environment, "NOTIFY_SOCKET": str(folder / "notify")}):
                while ear.recv(100) != b"READY=1":
                    pass
                taken.append(time.monotonic() - began)
    return min(taken)


@contextmanager
def _running(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[int]:
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(60)


def _lay_out_packages(folder: Path) -> Path:
    """What the Debian package brings, as links."""
    folder.mkdir()
    closure: set[str] = runpy.run_path(str(ROOT / "deploy" / "deb" / "subset.py"))["list_closure"]("yuanjiao", "agent")
    for name in closure:
        held = [each for each in files(name) or [] if ".." not in each.parts]
        for top in {each.parts[0] for each in held}:
            path = Path(str(held[0].locate())).parents[len(held[0].parts) - 1] / top
            if path.exists() and top != "__pycache__" and not (folder / top).exists():
                (folder / top).symlink_to(path)
    for ours in ("agent", "shared"):
        (folder / ours).symlink_to(ROOT / ours)
    return folder


def _environment(folder: Path) -> dict[str, str]:
    """The variables of the unit, and a session of this bench's own."""
    unit = (ROOT / "deploy" / "systemd" / "yuanjiao-agent.service").read_text("utf-8")
    own = dict(
        each.split("=") for line in unit.splitlines() if line.startswith("Environment=") for each in line[12:].split()
    )
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={folder}/bus",
        "PULSE_SERVER": "unix:/nowhere",
        **own,
    }


if __name__ == "__main__":
    main()
