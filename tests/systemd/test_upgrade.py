"""Signed upgrades on a PC that really boots: from the centre and from a stick, under the unit's own limits."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.intake import serve_centre
from collector import setup
from collector.settings import Settings
from collector.setup import Ring
from tests.releases import KEYS, make_release, read_source
from tests.systemd.conftest import QUICK
from tests.systemd.machine import Machine, lay_out

pytestmark = [pytest.mark.device, pytest.mark.timeout(400)]
AGENT = "yuanjiao-agent"
STATE = "/var/lib/yuanjiao"
DISTRICT = 510802
SETTINGS = """
[upgrade]
keys = "/etc/yuanjiao/release_keys.toml"
trial_s = 20
ask_every_s = 5
"""
HANGS = {"agent/app.py": ("    stop = threading.Event()\n", "    threading.Event().wait()\n")}
CRASHES = {"agent/app.py": ("def run(", "raise RuntimeError('a bug')\n\n\ndef run(")}


@pytest.fixture(scope="module")
def pc(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A station of a centre that offers it version 0.2.0 from its first minute on."""
    url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('centre')}/centre.db"
    settings = Settings(database=url)
    asyncio.run(setup.init(settings, district_id=DISTRICT, name="利州区", register=None, total=245))
    codes = asyncio.run(setup.make_codes(settings, district_id=DISTRICT, township="宝轮镇"))
    offer(settings, make_release("0.2.0", read_source("0.2.0")), codes[0][0])
    with serve_centre("centre", url) as (port, _), lay_out() as machine:
        machine.boot(package=package)
        machine.write(f"/etc/systemd/system/{AGENT}.service.d/quick.conf", QUICK.encode())
        machine.write("/etc/yuanjiao/release_keys.toml", f'keys = ["{KEYS.keys[0]}"]\n'.encode())
        machine.run("sh", "-c", "cat >> /etc/yuanjiao/agent.toml", given=SETTINGS.encode())
        machine.run(AGENT, "enroll", codes[0][2], "--centre", f"http://127.0.0.1:{port}")
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "start", AGENT)
        yield machine


def offer(settings: Settings, release: bytes, station: str) -> None:
    version = asyncio.run(setup.add_release(settings, district_id=DISTRICT, content=release, keys=KEYS))
    ring = Ring([station], None, everybody=False)
    asyncio.run(setup.offer_release(settings, district_id=DISTRICT, version=version, chosen=ring, untried=False))


def ended(machine: Machine) -> list[tuple[str, str]]:
    return [(each["version"], each["outcome"]) for each in machine.told("upgrade.ended")]


def carry(machine: Machine, release: bytes) -> str:
    machine.write("/srv/stick/yuanjiao.release", release)
    return machine.run(AGENT, "upgrade", "/srv/stick", check=False)


def test_what_the_centre_offers_runs_under_the_units_limits_and_keeps_the_spool(pc: Machine) -> None:
    pc.wait_until(lambda: ended(pc) == [("0.2.0", "kept")], "the upgrade from the centre", within_s=120)
    assert pc.show(AGENT, "ActiveState") == "active"
    command = pc.run("cat", f"/proc/{pc.show(AGENT, 'MainPID')}/cmdline").split("\0")
    assert f"{STATE}/upgrade/a/code" in command
    facts = pc.facts()
    assert [each["seq"] for each in facts] == list(range(1, len(facts) + 1))
    assert facts[0]["data"]["reason"] == "new"
    assert pc.run("find", f"{STATE}/", "!", "-user", "yuanjiao") == ""
    status = pc.run("cat", f"/proc/{pc.show(AGENT, 'MainPID')}/status").splitlines()
    assert [line.split()[1] for line in status if line.startswith("CapEff")] == ["0" * 16]


def test_one_that_hangs_is_killed_in_time_and_the_one_before_goes_on(pc: Machine) -> None:
    said = carry(pc, make_release("0.3.0", read_source("0.3.0", HANGS)))
    assert "升级包 0.3.0 已核对并收下" in said
    pc.wait_until(lambda: ("0.3.0", "taken_back") in ended(pc), "the one that hangs being taken back", within_s=150)
    assert pc.show(AGENT, "ActiveState") == "active"
    assert f"{STATE}/upgrade/a/code" in pc.run("cat", f"/proc/{pc.show(AGENT, 'MainPID')}/cmdline")


def test_one_that_crashes_at_once_is_taken_back(pc: Machine) -> None:
    carry(pc, make_release("0.4.0", read_source("0.4.0", CRASHES)))
    pc.wait_until(lambda: ("0.4.0", "taken_back") in ended(pc), "the one that crashes being taken back", within_s=150)
    assert pc.show(AGENT, "ActiveState") == "active"


def test_a_power_cut_on_probation_is_no_reason_to_go_back(pc: Machine) -> None:
    carry(pc, make_release("0.5.0", read_source("0.5.0")))
    pc.wait_until(lambda: "upgrade.switching" in pc.journal(), "the switch", within_s=60)
    pc.cut_power()
    pc.boot()
    pc.wait_until(lambda: ("0.5.0", "kept") in ended(pc), "the new one proving itself", within_s=90)


def test_root_runs_the_packages_own_program_and_never_what_the_agent_has_written(pc: Machine) -> None:
    pc.run("sh", "-c", f"echo 'raise SystemExit(77)' > {STATE}/upgrade/b/code/__main__.py")
    assert "✓ 本站密钥已就绪" in pc.run(AGENT, "doctor", check=False)
