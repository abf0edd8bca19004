"""The centre's units under systemd: hardened, and their sample settings are true."""

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from collector.__main__ import _parser
from collector.settings import Settings

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"
SERVICES = [
    "yuanjiao-collector.service",
    "yuanjiao-collector@.service",
    "yuanjiao-worker@.service",
    "yuanjiao-backup.service",
]
service = pytest.mark.parametrize("name", SERVICES)


def read(name: str, key: str) -> list[str]:
    """Every value of a key in a unit, in order."""
    lines = (UNITS / name).read_text("utf-8").splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith(f"{key}=")]


@service
def test_systemd_finds_little_to_attack(name: str) -> None:
    program = shutil.which("systemd-analyze")
    assert program, "install Debian's package systemd"
    command = [program, "security", "--offline=true", "--threshold=20", "--no-pager", str(UNITS / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@service
def test_a_unit_runs_a_command_there_is(name: str) -> None:
    (command,) = read(name, "ExecStart")
    program, *arguments = command.split()
    assert program == "/opt/yuanjiao/bin/yuanjiao-collector"
    assert _parser().parse_args(arguments)


@service
def test_a_unit_runs_as_the_centres_own_user(name: str) -> None:
    assert read(name, "User") == ["yuanjiao-collector"]
    assert "u yuanjiao-collector " in (UNITS / "yuanjiao-collector.sysusers.conf").read_text("utf-8")


def test_a_backup_may_write_where_it_is_told_to() -> None:
    (command,) = read("yuanjiao-backup.service", "ExecStart")
    assert read("yuanjiao-backup.service", "ReadWritePaths") == [command.split()[2]]
    assert f"d {command.split()[2]} 0700 " in (UNITS / "yuanjiao-collector.tmpfiles.conf").read_text("utf-8")


def test_the_sample_settings_are_the_defaults() -> None:
    sample = tomllib.loads((UNITS / "collector.toml").read_text("utf-8"))
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    assert sample == {name: defaults[name] for name in sample}
