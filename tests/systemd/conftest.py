"""A village PC with the very package installed, a villager's session open, and enrolled at a real centre."""

import asyncio
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.intake import serve_centre
from collector import setup
from collector.settings import Settings
from tests import media
from tests.systemd.machine import Machine, lay_out, why_not

ROOT = Path(__file__).parents[2]
# The agent's limits are minutes; a test has seconds. The sandbox brings a fresh /proc, where the boot's name that
# boot.sh made up would be lost.
QUICK = """[Service]
WatchdogSec=6
RestartSec=1
BindReadOnlyPaths=/run/boot_id:/proc/sys/kernel/random/boot_id
"""


@dataclass(frozen=True)
class Pc:
    machine: Machine
    package: Path
    said: str
    """What enrolment printed."""


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Debian package of this very source."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    out = tmp_path_factory.mktemp("deb")
    command = ["sh", str(ROOT / "deploy" / "deb" / "build.sh"), str(out)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def pc(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pc]:
    url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('centre')}/centre.db"
    asyncio.run(setup.init(Settings(database=url), district_id=510802, name="利州区", register=None, total=245))
    codes = asyncio.run(setup.make_codes(Settings(database=url), district_id=510802, township="宝轮镇"))
    with serve_centre("centre", url) as (port, _), lay_out() as machine:
        machine.boot(package=package)
        machine.write("/etc/systemd/system/yuanjiao-agent.service.d/quick.conf", QUICK.encode())
        machine.write("/srv/courseware/a.mp4", media.mp4(3))
        said = machine.run("yuanjiao-agent", "enroll", codes[0][2], "--centre", f"http://127.0.0.1:{port}")
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "start", "yuanjiao-agent", check=False)
        assert machine.show("yuanjiao-agent", "ActiveState") == "active", machine.journal()
        yield Pc(machine, package, said)
