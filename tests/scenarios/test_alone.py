"""An agent on a system without systemd: nothing but the program itself, a real process against a real centre."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from collector.db.engine import Database
from collector.intake.models import events
from shared.clock import read_boot_id, wall_ms
from tests.clocks import ManualClock
from tests.devices.processes import wait_until
from tests.secure import SecureCentre, secure_centre

pytestmark = pytest.mark.timeout(180)
SYSTEMD = {"NOTIFY_SOCKET", "INVOCATION_ID", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM"}


def agent_command(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "agent", "--settings", str(folder / "agent.toml"), *words]


def bare_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in SYSTEMD}


def kinds_stored(centre: SecureCentre) -> list[str]:
    async def load() -> list[str]:
        database = Database(centre.settings.database)
        async with database.read() as connection:
            rows = await connection.execute(select(events.c.kind).order_by(events.c.seq))
        await database.close()
        return list(rows.scalars())

    return asyncio.run(load())


def test_without_systemd_it_starts_records_pushes_and_ends_cleanly_when_told(tmp_path: Path, sqlite_url: str) -> None:
    films = tmp_path / "films"
    films.mkdir()
    lines = [f'state_dir = "{tmp_path}/state"', "flush_s = 0", f'session.socket = "{tmp_path}/nowhere/session.sock"']
    lines += [f'probes.courseware.directory = "{films}"', 'probes.playback.journal_dir = "/nowhere"']
    (tmp_path / "agent.toml").write_text("\n".join(lines))
    with secure_centre(tmp_path / "centre", sqlite_url, ManualClock(wall_ms())) as centre:
        code = centre.new_code(now_ms=wall_ms())
        enrol = agent_command(tmp_path, "enroll", code, centre.fingerprint, "--centre", centre.url)
        subprocess.run(enrol, check=True, capture_output=True, timeout=60, env=bare_environment())
        process = subprocess.Popen(agent_command(tmp_path, "run"), stderr=subprocess.DEVNULL, env=bare_environment())
        try:
            first = {"stream.opened", "host.booted"}
            wait_until(lambda: first <= set(kinds_stored(centre)), "the push of the first boot", within_s=90)
            process.send_signal(signal.SIGTERM)
            ended = process.wait(60)
        finally:
            process.kill()

    assert ended == 0
    assert (tmp_path / "state" / "clean").read_text("ascii") == read_boot_id()
