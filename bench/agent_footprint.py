"""Memory and idle CPU of one running agent, enrolled at a real centre, every sensor on.

`.rss` in MiB after a minute, `.cpu` as a share of one core over the next minute, at a heartbeat of five minutes.
Usage: `python -m bench.agent_footprint [--seconds 60]`.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from bench.intake import serve_centre
from bench.report import emit
from collector import setup
from collector.settings import Settings

SETTLE_S = 20


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
    with serve_centre("centre", settings.database) as (port, _):
        command = [sys.executable, "-m", "agent", "--settings", str(_write_settings(folder))]
        enroll = [*command, "enroll", codes[0][2], "--centre", f"http://127.0.0.1:{port}"]
        subprocess.run(enroll, check=True, stdout=subprocess.DEVNULL)
        agent = subprocess.Popen([*command, "run"], stderr=subprocess.DEVNULL)
        try:
            _watch(psutil.Process(agent.pid), seconds)
        finally:
            agent.terminate()
            agent.wait(20)


def _watch(process: psutil.Process, seconds: int) -> None:
    time.sleep(SETTLE_S)
    before = process.cpu_times()
    time.sleep(seconds)
    after = process.cpu_times()
    spent = after.user + after.system - before.user - before.system
    full = process.memory_full_info()
    emit("agent_footprint.rss", full.rss / 2**20, "MiB", private_mib=round(full.uss / 2**20, 1))
    emit("agent_footprint.cpu", spent / seconds * 100, "% of a core", seconds=seconds, threads=process.num_threads())


def _write_settings(folder: Path) -> Path:
    """Every sensor looks at something: a directory with files, a journal, a projector that is off, a sound server."""
    courseware, journal = folder / "courseware", folder / "journal"
    courseware.mkdir()
    journal.mkdir()
    for number in range(200):
        (courseware / f"课件 {number}.pdf").write_bytes(os.urandom(2000))
    lines = [
        f"state_dir = {json.dumps(str(folder / 'state'))}",
        f"probes.courseware.directory = {json.dumps(str(courseware))}",
        "probes.courseware.settle_s = 1",
        f"probes.playback.journal_dir = {json.dumps(str(journal))}",
        'probes.projector.host = "127.0.0.1"',
        "probes.projector.port = 9",
    ]
    path = folder / "agent.toml"
    path.write_text("\n".join(lines), "utf-8")
    return path


if __name__ == "__main__":
    main()
