"""The figures of the kernel, from files like those it writes."""

import shutil
from pathlib import Path

import pytest

from agent.probes._kernel import measure_disk, measure_memory, measure_temperature

MEMINFO = (
    "MemTotal:        4031736 kB\nMemFree:          210404 kB\nMemAvailable:    2211308 kB\nHugePages_Total:       0\n"
)


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "ascii")


def test_memory_is_told_in_bytes(tmp_path: Path) -> None:
    write(tmp_path / "meminfo", MEMINFO)
    assert measure_memory(tmp_path / "meminfo") == (2211308 * 1024, 4031736 * 1024)


@pytest.mark.parametrize("text", ["", "MemTotal\n:::\nMemAvailable: many kB\nMemTotal: 12\n", "\0" * 100])
def test_nonsense_about_memory_is_no_figure(tmp_path: Path, text: str) -> None:
    write(tmp_path / "meminfo", text)
    assert measure_memory(tmp_path / "meminfo") == measure_memory(tmp_path / "nowhere") == (None, None)


def test_this_machine_tells_its_memory_and_its_disk() -> None:
    available, total = measure_memory()
    assert 0 < (available or 0) < (total or 0)
    usage = shutil.disk_usage("/")
    assert measure_disk(Path("/"))[1] == usage.total


def test_the_hottest_believable_sensor_gives_the_temperature(tmp_path: Path) -> None:
    write(tmp_path / "class/hwmon/hwmon0/temp1_input", "61000\n")
    write(tmp_path / "class/hwmon/hwmon0/temp2_input", "58000\n")
    write(tmp_path / "class/hwmon/hwmon1/device/temp1_input", "64500\n")
    write(tmp_path / "class/hwmon/hwmon2/temp1_input", "255000\n")
    write(tmp_path / "class/hwmon/hwmon2/temp2_input", "-62000\n")
    write(tmp_path / "class/hwmon/hwmon2/temp3_input", "broken\n")
    write(tmp_path / "class/thermal/thermal_zone0/temp", "40000\n")
    assert measure_temperature(tmp_path) == 64.5


def test_without_a_sensor_there_is_no_temperature(tmp_path: Path) -> None:
    assert measure_temperature(tmp_path) is None
