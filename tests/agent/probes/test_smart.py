"""What a disk says of its health: smartctl's own words, and programs in its place that lie, hang, flood or refuse."""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.probes import _smart
from agent.probes._smart import Health

ATA: dict[str, Any] = {
    "smartctl": {"exit_status": 0},
    "smart_status": {"passed": True},
    "power_on_time": {"hours": 18204},
    "ata_smart_attributes": {
        "table": [
            {"id": 5, "name": "Reallocated_Sector_Ct", "raw": {"value": 3, "string": "3"}},
            {"id": 9, "name": "Power_On_Hours", "raw": {"value": 18204}},
            {"id": 197, "name": "Current_Pending_Sector", "raw": {"value": 1}},
        ]
    },
}
NVME: dict[str, Any] = {
    "smart_status": {"passed": False},
    "power_on_time": {"hours": 90},
    "nvme_smart_health_information_log": {"media_errors": 7, "percentage_used": 4},
}


def install(folder: Path, script: str) -> str:
    """A program in smartctl's place."""
    program = folder / "smartctl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


def say(folder: Path, told: object, status: int = 0) -> str:
    (folder / "told").write_text(told if isinstance(told, str) else json.dumps(told))
    return install(folder, f"cat {folder}/told; exit {status}")


def test_an_ata_disk_tells_its_verdict_and_its_bad_sectors(tmp_path: Path) -> None:
    assert _smart.ask("/dev/sda", say(tmp_path, ATA)) == Health(True, 3, 1, 18204)


def test_a_solid_state_disk_tells_its_errors(tmp_path: Path) -> None:
    assert _smart.ask("/dev/nvme0n1", say(tmp_path, NVME)) == Health(passed=False, reallocated=7, hours=90)


@pytest.mark.parametrize("status", [4, 8, 64, 8 + 64])
def test_a_failing_disk_makes_smartctl_exit_with_bits_that_are_no_refusal(tmp_path: Path, status: int) -> None:
    assert _smart.ask("/dev/sda", say(tmp_path, ATA, status)) is not None


@pytest.mark.parametrize("status", [1, 2, 3])
def test_a_disk_that_could_not_be_opened_has_no_health(tmp_path: Path, status: int) -> None:
    assert _smart.ask("/dev/sda", say(tmp_path, ATA, status)) is None


def test_it_is_asked_for_the_disk_and_nothing_is_changed(tmp_path: Path) -> None:
    _smart.ask("/dev/sda", install(tmp_path, f'echo "$@" > {tmp_path}/asked; echo "{{}}"'))

    assert (tmp_path / "asked").read_text().split() == ["--json", "-H", "-A", "/dev/sda"]


BAD: Mapping[str, object] = {
    "nothing": "",
    "garbage": "\0\1\2",
    "a list": [1, 2],
    "no health": {"smartctl": {"exit_status": 0}},
    "other shapes": {"smart_status": [], "ata_smart_attributes": {"table": {"id": 5}}, "power_on_time": 3},
    "other types": {
        "smart_status": {"passed": "yes"},
        "ata_smart_attributes": {"table": [5, {"id": 5, "raw": 3}, {"id": 197, "raw": {"value": -1}}]},
        "power_on_time": {"hours": True},
    },
    "deep": "[" * 100_000,
    "long": " " * 300_000 + json.dumps(ATA),
}


@pytest.mark.parametrize("name", BAD)
def test_an_answer_that_is_none_is_no_health(tmp_path: Path, name: str) -> None:
    assert _smart.ask("/dev/sda", say(tmp_path, BAD[name])) is None


@pytest.mark.parametrize(
    "script", ["sleep 60", "cat /dev/zero", "while :; do echo; sleep 0.05; done", "echo {}; exec 1>&-; sleep 60"]
)
def test_a_program_that_hangs_floods_or_drips_is_ended_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    monkeypatch.setattr(_smart, "_LATE_S", 0.4)
    program = install(tmp_path, f"echo $$ > {tmp_path}/pid; {script}")
    began = time.monotonic()

    health = _smart.ask("/dev/sda", program)

    assert health is None
    assert time.monotonic() - began < 3
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_without_the_program_or_the_right_to_run_it_there_is_no_health(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("echo")

    assert _smart.ask("/dev/sda", "no-such-smartctl") is None
    assert _smart.ask("/dev/sda", str(tmp_path / "plain")) is None


def test_the_whole_disk_of_a_partition_is_found(tmp_path: Path) -> None:
    device = tmp_path.stat().st_dev
    partition = tmp_path / "devices" / "sdb" / "sdb1"
    partition.mkdir(parents=True)
    (partition / "partition").write_text("1")
    (tmp_path / "block").mkdir()
    (tmp_path / "block" / f"{os.major(device)}:{os.minor(device)}").symlink_to(partition)

    assert _smart.find_disk(tmp_path, tmp_path / "block") == "/dev/sdb"
    assert _smart.find_disk(tmp_path, tmp_path / "nowhere") is None
    assert _smart.find_disk(tmp_path / "nowhere", tmp_path / "block") is None
