"""The agent and its helper on a PC that really boots: started, killed, hung, shut down, cut off, upgraded, purged."""

import json
import subprocess
from pathlib import Path

import pytest

from tests import media
from tests.systemd.conftest import Pc
from tests.systemd.machine import Machine

pytestmark = [pytest.mark.device, pytest.mark.timeout(240)]
AGENT = "yuanjiao-agent"
STATE = "/var/lib/yuanjiao"
LISTENING = """
import contextlib, os, sys
process, own = f"/proc/{sys.argv[1]}", set()
for each in os.listdir(f"{process}/fd"):
    with contextlib.suppress(FileNotFoundError):
        own.add(os.readlink(f"{process}/fd/{each}"))
rows = [line.split() for kind in ("tcp", "tcp6") for line in open(f"{process}/net/{kind}").readlines()[1:]]
print([row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in own])
"""
KNOCK = """
import json, socket
link = socket.socket(socket.AF_UNIX)
link.settimeout(5)
link.connect("/run/yuanjiao/session.sock")
try:
    link.sendall(b"{}\\n" * 30)
    print("answered" if link.recv(100) else "cut off")
except OSError:
    print("cut off")
"""
BEGIN = ["systemd-run", "--user", "-M", "villager@.host", "--quiet"]
MPV = ["mpv", "--vo=null", "--ao=null"]
PEEP = """
import socket
link = socket.socket(socket.AF_UNIX)
try:
    link.connect("/run/user/1742/bus")
    print("there")
except OSError as error:
    print(type(error).__name__)
"""
PLAY = [*BEGIN, "--wait", *MPV]


def restarts(machine: Machine) -> int:
    return int(machine.show(AGENT, "NRestarts"))


def wait_for_work(machine: Machine) -> None:
    machine.wait_until(lambda: machine.show(AGENT, "ActiveState") == "active", "the agent at work")


def names(machine: Machine, kind: str) -> list[str]:
    """Of the films of these facts."""
    return [each["name"] for each in machine.told(kind)]


def stream(machine: Machine) -> tuple[str, int]:
    """What the first line of the spool says, and how many lines there are."""
    facts = machine.facts()
    return facts[0]["data"]["reason"], len(facts)


def test_an_enrolled_station_starts_says_ready_and_reports(pc: Pc) -> None:
    wait_for_work(pc.machine)
    assert "登记成功：宝轮镇" in pc.said
    assert pc.machine.show(AGENT, "Type") == "notify"
    pc.machine.wait_until(lambda: bool(pc.machine.told("host.booted")), "the first boot being told")
    assert pc.machine.told("host.booted")[0]["clean"] is None
    said = pc.machine.run("yuanjiao-agent", "doctor", check=False)
    assert "✓ 与区中心通信正常" in said
    assert "✓ 本站密钥已就绪" in said


def test_its_account_is_made_when_it_runs_and_the_state_is_that_accounts_alone(pc: Pc) -> None:
    owner, mode = pc.machine.run("stat", "-L", "-c", "%U %a", STATE).split()
    assert (owner, mode) == ("yuanjiao", "700")
    assert pc.machine.run("readlink", STATE).strip() == "private/yuanjiao"
    assert "yuanjiao:" not in pc.machine.run("cat", "/etc/passwd")
    strangers = pc.machine.run("find", f"{STATE}/", "!", "-user", "yuanjiao")
    assert strangers == ""


def test_it_holds_no_capability_and_opens_no_port(pc: Pc) -> None:
    wait_for_work(pc.machine)
    pid = pc.machine.show(AGENT, "MainPID")
    status = pc.machine.run("cat", f"/proc/{pid}/status").splitlines()
    held = [line.split()[1] for line in status if line.startswith(("CapEff", "CapPrm", "CapBnd", "CapAmb"))]
    assert held == ["0" * 16] * 4
    assert pc.machine.python(LISTENING, pid).strip() == "[]"


def test_its_account_may_not_look_into_the_villagers_session(pc: Pc) -> None:
    wait_for_work(pc.machine)
    account = pc.machine.run("stat", "-L", "-c", "%u", STATE).strip()
    looked = [pc.machine.python(PEEP, user=user).strip() for user in ("1742", account)]
    assert looked == ["there", "PermissionError"]


def test_only_peoples_accounts_are_heard(pc: Pc) -> None:
    wait_for_work(pc.machine)
    assert [pc.machine.python(KNOCK, user=user).strip() for user in ("0", "65534")] == ["cut off"] * 2
    assert pc.machine.python(KNOCK, user="1742").strip() == "answered"
    assert "session.refused uid=65534" in pc.machine.journal()


def test_a_film_in_the_villagers_session_arrives_in_the_spool_once(pc: Pc) -> None:
    machine = pc.machine
    wait_for_work(machine)
    stock = ["--load-scripts=no", "--script=/etc/mpv/scripts/mpris.so"]
    machine.write("/srv/courseware/b.mp4", Path(machine.layer / "upper/srv/courseware/a.mp4").read_bytes())
    machine.run(*PLAY, "/srv/courseware/a.mp4")
    machine.run(*PLAY, *stock, "/srv/courseware/b.mp4")
    machine.wait_until(lambda: len(machine.told("playback.ended")) == 2, "both films being told", within_s=45)
    told = {each["name"]: (each["via"], each["reason"]) for each in machine.told("playback.ended")}
    assert told == {"a.mp4": ("journal", "completed"), "b.mp4": ("mpris", "completed")}
    assert machine.run("ls", "/var/spool/yuanjiao/journal", f"{STATE}/session/").split() == [
        "/var/lib/yuanjiao/session/:",
        "/var/spool/yuanjiao/journal:",
    ]


def test_the_sound_of_the_session_is_known_to_the_system_agent(pc: Pc) -> None:
    pc.machine.wait_until(
        lambda: "audio" in pc.machine.run("cat", "/run/yuanjiao/session.json", check=False),
        "the helper telling of sound",
    )
    told = json.loads(pc.machine.run("cat", "/run/yuanjiao/session.json"))
    assert set(told) == {"boot", "mono", "audio"}


def test_its_helper_comes_back_when_it_is_killed(pc: Pc) -> None:
    users = ["systemctl", "--user", "-M", "villager@.host"]
    show = [*users, "show", "yuanjiao-session", "--property", "MainPID", "--value"]
    pc.machine.wait_until(lambda: pc.machine.run(*show).strip() != "0", "a helper at work")
    before = pc.machine.run(*show).strip()
    pc.machine.run(*users, "kill", "--signal=KILL", "yuanjiao-session")
    pc.machine.wait_until(lambda: pc.machine.run(*show).strip() not in {before, "0"}, "another", within_s=45)


def test_killed_it_comes_back_with_all_it_had(pc: Pc) -> None:
    wait_for_work(pc.machine)
    before, count = stream(pc.machine), restarts(pc.machine)
    pc.machine.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", AGENT)
    pc.machine.wait_until(lambda: restarts(pc.machine) == count + 1, "systemd starting it anew")
    wait_for_work(pc.machine)
    after = stream(pc.machine)
    assert after[0] == before[0] == "new"
    assert after[1] >= before[1] > 1


def test_hung_it_is_ended_by_the_watchdog_and_comes_back(pc: Pc) -> None:
    wait_for_work(pc.machine)
    count = restarts(pc.machine)
    pc.machine.run("kill", "-STOP", pc.machine.show(AGENT, "MainPID"))
    pc.machine.wait_until(lambda: restarts(pc.machine) > count, "the watchdog's bite", within_s=30)
    wait_for_work(pc.machine)
    assert "Watchdog timeout" in pc.machine.journal()


def test_a_shutdown_and_a_power_cut_are_told_apart_and_the_film_that_ran_ends_where_it_was(pc: Pc) -> None:
    machine = pc.machine
    wait_for_work(machine)
    booted = len(machine.told("host.booted"))
    machine.shut_down()
    machine.boot()
    machine.wait_until(lambda: len(machine.told("host.booted")) > booted, "the second boot being told")
    machine.write("/srv/courseware/long.mp4", media.mp4(120))
    machine.wait_until(lambda: machine.show("user@1742", "ActiveState") == "active", "the villager's session")
    machine.run(*BEGIN, *MPV, "/srv/courseware/long.mp4")
    machine.wait_until(lambda: "long.mp4" in names(machine, "playback.started"), "the film", within_s=45)
    machine.cut_power()
    machine.boot()
    machine.wait_until(lambda: len(machine.told("host.booted")) > booted + 1, "the third boot being told")
    assert [each["clean"] for each in machine.told("host.booted")][-2:] == [True, False]
    machine.wait_until(lambda: "long.mp4" in names(machine, "playback.ended"), "its end", within_s=45)
    assert machine.told("playback.ended")[-1]["reason"] == "abandoned"


def test_an_upgrade_keeps_the_spool_removal_the_data_and_purging_nothing(pc: Pc, tmp_path: Path) -> None:
    machine = pc.machine
    wait_for_work(machine)
    before = stream(machine)
    newer = make_newer(pc.package, tmp_path)
    machine.write("/srv/newer.deb", newer.read_bytes())
    machine.run("dpkg", "--install", "--force-depends", "/srv/newer.deb", within_s=60)
    wait_for_work(machine)
    assert "9.9.9" in machine.run("dpkg-query", "--show", AGENT)
    assert stream(machine)[0] == before[0]
    assert stream(machine)[1] >= before[1]
    machine.run("dpkg", "--remove", AGENT, within_s=60)
    assert machine.show(AGENT, "ActiveState") == "inactive"
    assert "identity.json" in machine.run("ls", f"{STATE}/")
    assert machine.run("ls", "/opt/yuanjiao", check=False).endswith("No such file or directory\n")
    machine.run("dpkg", "--purge", AGENT, within_s=60)
    left = machine.run(
        "sh",
        "-c",
        "ls -d /var/lib/yuanjiao /var/lib/private/yuanjiao /etc/yuanjiao /var/spool/yuanjiao 2> /dev/null; true",
    )
    assert left == ""


def make_newer(package: Path, folder: Path) -> Path:
    """The same package under a later version."""
    tree, newer = folder / "tree", folder / "newer.deb"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN" / "control"
    lines = control.read_text("utf-8").splitlines()
    control.write_text("\n".join("Version: 9.9.9" if each.startswith("Version:") else each for each in lines) + "\n")
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", tree, newer],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return newer
