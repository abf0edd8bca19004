"""The units as systemd's own tools judge them; nothing is started."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "deploy" / "systemd"
STATION = ("yuanjiao-agent", "yuanjiao-session", "agent", "station")
OURS = ["yuanjiao-agent.service", "yuanjiao-session.service"]


def judge(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(["systemd-analyze", *arguments], check=False, capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", OURS)
def test_a_unit_has_no_key_or_value_that_systemd_does_not_know(name: str, tmp_path: Path) -> None:
    text = (UNITS / name).read_text("utf-8")
    unit = tmp_path / name
    # The package is not installed here, and a program that is missing is all that may be missing.
    unit.write_text(re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", text).replace("User=yuanjiao\n", ""), "utf-8")
    assert judge("verify", "--recursive-errors=yes", "--man=no", str(unit)) == (0, "")


def test_a_misspelt_key_would_be_found(tmp_path: Path) -> None:
    unit = tmp_path / "wrong.service"
    unit.write_text("[Service]\nExecStart=/bin/true\nProtectHomes=yes\n")
    code, said = judge("verify", "--recursive-errors=yes", "--man=no", str(unit))
    assert code != 0
    assert "ProtectHomes" in said


def test_the_agent_is_shut_in_to_two_points_or_better() -> None:
    code, said = judge("security", "--offline=true", "--threshold=20", str(UNITS / OURS[0]))
    assert code == 0, said
    assert "Overall exposure level" in said


def test_the_package_brings_every_file_of_the_agent_that_deploy_holds() -> None:
    script = (ROOT / "deploy" / "deb" / "build.sh").read_text("utf-8")
    ours = [path.name for path in UNITS.iterdir() if path.name.startswith(STATION)]
    assert len(ours) >= 6
    assert [name for name in ours if name not in script] == []
