import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from agent.probes import _smart, _witness
from agent.probes._witness import Sign
from agent.probes.base import Sensor
from agent.probes.host import PROBE, HostSettings, is_emergency
from shared.clock import Instant, read_boot_id
from shared.wire.states import HostState
from tests.agent.probes.rig import Rig
from tests.clocks import ManualClock

FIRST = replace(ManualClock().now(), boot="a" * 32)
SECOND = Instant(wall_ms=FIRST.wall_ms + 86_400_000, mono_ms=40_000, boot="b" * 32)
MINUTE = 60_000


def wake(rig: Rig, **settings: Any) -> Sensor:
    return PROBE.make(HostSettings(**settings), rig)


def boots(sensor: Sensor, rig: Rig, now: Instant) -> list[dict[str, Any]]:
    """The boots told by one committed look."""
    told_before = len(rig.facts)
    rig.look(sensor, now)
    assert {fact.kind for fact in rig.facts} <= {"host.booted"}
    return [dict(fact.data) for fact in rig.facts[told_before:]]


def look(sensor: Sensor, rig: Rig, now: Instant) -> HostState:
    return HostState.model_validate(rig.look(sensor, now))


def test_the_first_look_of_all_tells_a_boot_of_which_nothing_before_is_known() -> None:
    rig = Rig()
    assert boots(wake(rig), rig, FIRST) == [{"clean": None, "previous_boot": "", "last_seen_ms": None}]


def test_a_boot_is_told_once_however_often_the_agent_starts_in_it() -> None:
    rig = Rig()
    sensor = wake(rig)
    look(sensor, rig, FIRST)
    assert boots(sensor, rig, replace(FIRST, mono_ms=FIRST.mono_ms + MINUTE)) == []
    assert boots(wake(rig), rig, replace(FIRST, mono_ms=FIRST.mono_ms + 2 * MINUTE)) == []


def test_a_boot_happened_when_the_monotonic_clock_was_zero() -> None:
    rig = Rig()
    look(wake(rig), rig, SECOND)
    assert rig.facts[0].at == Instant(wall_ms=SECOND.wall_ms - 40_000, mono_ms=0, boot=SECOND.boot)


def test_a_power_cut_leaves_no_mark_and_is_told_with_the_last_sign_of_life(tmp_path: Path) -> None:
    rig = Rig()
    mark = tmp_path / "clean"
    look(wake(rig, clean_mark=mark), rig, FIRST)
    told = boots(wake(rig, clean_mark=mark), rig, SECOND)
    assert told == [{"clean": False, "previous_boot": FIRST.boot, "last_seen_ms": FIRST.wall_ms}]


def test_a_shutdown_leaves_the_mark_of_its_boot_and_is_told_as_clean(tmp_path: Path) -> None:
    rig = Rig()
    mark = tmp_path / "clean"
    look(wake(rig, clean_mark=mark), rig, FIRST)
    mark.write_text(f"{FIRST.boot}\n")
    assert boots(wake(rig, clean_mark=mark), rig, SECOND)[0]["clean"] is True


def test_a_copy_of_the_kernels_boot_id_is_understood_as_a_mark(tmp_path: Path) -> None:
    rig = Rig({"boot": read_boot_id(), "seen_ms": "1"})
    mark = tmp_path / "clean"
    mark.write_bytes(Path("/proc/sys/kernel/random/boot_id").read_bytes())
    assert boots(wake(rig, clean_mark=mark), rig, SECOND)[0]["clean"] is True


def test_the_mark_of_an_older_boot_proves_nothing(tmp_path: Path) -> None:
    rig = Rig({"boot": FIRST.boot})
    mark = tmp_path / "clean"
    mark.write_text("c" * 32)
    assert boots(wake(rig, clean_mark=mark), rig, SECOND)[0]["clean"] is False


def test_a_mark_left_by_an_agent_that_came_back_in_the_same_boot_does_not_hide_the_power_cut(tmp_path: Path) -> None:
    rig = Rig()
    mark = tmp_path / "clean"
    look(wake(rig, clean_mark=mark), rig, FIRST)
    mark.write_text(FIRST.boot)
    look(wake(rig, clean_mark=mark), rig, replace(FIRST, mono_ms=FIRST.mono_ms + MINUTE))
    assert boots(wake(rig, clean_mark=mark), rig, SECOND)[0]["clean"] is False


def test_a_boot_that_could_not_be_written_is_told_again_with_its_mark(tmp_path: Path) -> None:
    rig = Rig({"boot": FIRST.boot})
    mark = tmp_path / "clean"
    mark.write_text(FIRST.boot)
    sensor = wake(rig, clean_mark=mark)
    sensor.read(SECOND)
    assert boots(sensor, rig, SECOND)[0]["clean"] is True


def test_a_mark_of_garbage_leaves_the_end_of_the_boot_before_unknown(tmp_path: Path) -> None:
    rig = Rig({"boot": FIRST.boot})
    mark = tmp_path / "clean"
    mark.write_bytes(b"\xff\xfe")
    assert boots(wake(rig, clean_mark=mark), rig, SECOND)[0]["clean"] is None


def test_a_mark_that_cannot_be_opened_leaves_the_end_of_the_boot_before_unknown(tmp_path: Path) -> None:
    rig = Rig({"boot": FIRST.boot})
    assert boots(wake(rig, clean_mark=tmp_path), rig, SECOND)[0]["clean"] is None


def test_without_an_agreed_mark_the_end_of_the_boot_before_is_unknown() -> None:
    rig = Rig({"boot": FIRST.boot, "seen_ms": "yesterday"})
    told = boots(wake(rig), rig, SECOND)
    assert told == [{"clean": None, "previous_boot": FIRST.boot, "last_seen_ms": None}]


def test_the_disk_is_written_only_every_ten_minutes() -> None:
    rig = Rig()
    sensor = wake(rig)
    written = set()
    for passed_ms in range(0, 30 * MINUTE, MINUTE):
        look(sensor, rig, replace(FIRST, wall_ms=FIRST.wall_ms + passed_ms, mono_ms=FIRST.mono_ms + passed_ms))
        written.add(rig.memory["seen_ms"])
    assert len(written) == 3


def test_the_state_of_this_machine_is_plausible(tmp_path: Path) -> None:
    rig = Rig()
    seen = look(wake(rig, directory=tmp_path), rig, SECOND)
    whole = os.statvfs(tmp_path)
    assert seen.disk_total == whole.f_blocks * whole.f_frsize
    assert 0 < (seen.disk_free or 0) <= seen.disk_total
    assert 0 < (seen.memory_available or 0) < (seen.memory_total or 0)
    assert (seen.uptime_s, seen.read_only) == (40, False)
    assert (seen.load_1m or 0) >= 0


@pytest.mark.parametrize("directory", [Path("/nowhere/at/all"), None])
def test_a_directory_that_is_missing_has_no_figures(directory: Path | None) -> None:
    rig = Rig()
    seen = look(wake(rig, directory=directory), rig, FIRST)
    assert (seen.disk_free, seen.disk_total, seen.read_only) == (None, None, None)
    assert seen.memory_total


def test_a_file_system_mounted_read_only_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted = SimpleNamespace(f_flag=os.ST_RDONLY, f_blocks=100, f_bfree=50, f_bavail=40, f_frsize=4 << 20)
    monkeypatch.setattr(os, "statvfs", lambda _: mounted)
    rig = Rig()
    seen = look(wake(rig, directory=tmp_path), rig, FIRST)
    assert (seen.read_only, seen.disk_free, seen.disk_total) == (True, 160 << 20, 400 << 20)


def test_the_hottest_believable_sensor_gives_the_temperature(monkeypatch: pytest.MonkeyPatch) -> None:
    read = {"coretemp": [SimpleNamespace(current=61.0), SimpleNamespace(current=58.0)], "acpitz": []}
    broken = {"nct6775": [SimpleNamespace(current=255.0), SimpleNamespace(current=-62.0)]}
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: read | broken)
    rig = Rig()
    assert look(wake(rig), rig, FIRST).temperature_c == 61.0


MOUNTS = (
    "22 27 8:1 / / rw,relatime - ext4 /dev/sda1 rw,errors=remount-ro\n"
    "42 27 8:17 / /courseware rw,relatime shared:9 - ext4 /dev/sdb1 rw,errors=remount-ro,emergency_ro\n"
    "\n"
)


@pytest.mark.parametrize(("device", "stopped"), [((8, 17), True), ((8, 1), False), ((8, 170), False)])
def test_a_disk_the_kernel_stopped_writing_to_is_told_by_its_mount(device: tuple[int, int], *, stopped: bool) -> None:
    assert is_emergency(MOUNTS, os.makedev(*device)) is stopped


def minutes_after(start: Instant, minutes: int) -> Instant:
    return replace(start, wall_ms=start.wall_ms + minutes * MINUTE, mono_ms=start.mono_ms + minutes * MINUTE)


def test_a_power_cut_is_dated_to_the_minute_by_the_pulse(tmp_path: Path) -> None:
    rig = Rig()
    sensor = wake(rig, pulse=tmp_path / "pulse")
    for passed in range(8):
        look(sensor, rig, minutes_after(FIRST, passed))

    told = boots(wake(rig, pulse=tmp_path / "pulse"), rig, SECOND)

    assert told[0]["last_seen_ms"] == FIRST.wall_ms + 7 * MINUTE


@pytest.mark.parametrize(
    "raw", [b"", b"\xff" * 300, b'{"owner": 1}', b"[]", b'{"owner":"x","turns":1e999,"boot":"b","wall_ms":1}']
)
def test_a_pulse_that_is_none_leaves_the_memo_to_tell(tmp_path: Path, raw: bytes) -> None:
    rig = Rig()
    look(wake(rig), rig, FIRST)
    (tmp_path / "pulse").write_bytes(raw)

    assert boots(wake(rig, pulse=tmp_path / "pulse"), rig, SECOND)[0]["last_seen_ms"] == FIRST.wall_ms


def test_the_pulse_of_another_boot_dates_nothing(tmp_path: Path) -> None:
    rig = Rig({"boot": FIRST.boot, "seen_ms": "5"})
    _witness.write_sign(tmp_path / "pulse", Sign("x", 1, "c" * 32, 9))

    assert boots(wake(rig, pulse=tmp_path / "pulse"), rig, SECOND)[0]["last_seen_ms"] == 5


class TwoDisks:
    """A system disk that a restore card can put back, and a courseware disk it leaves alone."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rig = Rig()
        self.system, self.courseware = folder / "system", folder / "courseware"
        self.system.mkdir()
        self.courseware.mkdir()
        self.witness = self.courseware / ".yuanjiao-witness"
        monkeypatch.setattr(_witness, "place_witness", lambda *_: self.witness)

    def run(self, start: Instant, minutes: int) -> None:
        sensor = wake(self.rig, directory=self.courseware, pulse=self.system / "pulse")
        for passed in range(minutes):
            look(sensor, self.rig, minutes_after(start, passed))


@pytest.fixture
def disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TwoDisks:
    return TwoDisks(tmp_path, monkeypatch)


def test_a_restore_card_is_noticed_at_every_start_and_each_time_once(disks: TwoDisks) -> None:
    disks.run(FIRST, 5)
    image = dict(disks.rig.memory)
    disks.run(minutes_after(FIRST, 60), 35)
    disks.rig.memory = dict(image)
    disks.run(SECOND, 35)
    disks.rig.memory = dict(image)
    disks.run(replace(minutes_after(SECOND, 100), boot="d" * 32), 3)

    told = disks.rig.told("host.rolled_back")

    assert [each["turns"] for each in told] == [4, 8]
    assert told[0]["last_seen_ms"] == FIRST.wall_ms + 90 * MINUTE


def test_a_plain_restart_and_a_power_cut_are_no_rollback(disks: TwoDisks) -> None:
    disks.run(FIRST, 35)
    disks.run(minutes_after(FIRST, 40), 5)
    disks.run(SECOND, 5)

    assert disks.rig.told("host.rolled_back") == []


def test_a_witness_from_another_station_proves_nothing(disks: TwoDisks) -> None:
    _witness.write_sign(disks.witness, Sign("somebody else", 900, FIRST.boot, 5))
    disks.run(FIRST, 2)

    assert disks.rig.told("host.rolled_back") == []
    assert _witness.read_sign(disks.witness) == Sign(disks.rig.memory["owner"], 1, FIRST.boot, FIRST.wall_ms)


def test_a_look_that_was_not_recorded_tells_the_rollback_again(disks: TwoDisks) -> None:
    disks.run(FIRST, 35)
    disks.rig.memory["turns"] = "1"
    sensor = wake(disks.rig, directory=disks.courseware, pulse=disks.system / "pulse")

    kinds = [[fact.kind for fact in sensor.read(SECOND).facts] for _ in range(2)]

    assert kinds == [["host.booted", "host.rolled_back"]] * 2


def test_the_witness_lies_on_another_disk_or_nowhere(tmp_path: Path) -> None:
    assert _witness.place_witness(tmp_path, tmp_path) is None
    assert _witness.place_witness(None, tmp_path) is None
    assert _witness.place_witness(tmp_path / "nowhere", tmp_path) is None
    assert _witness.place_witness(Path("/proc"), tmp_path) == Path("/proc/.yuanjiao-witness")


def test_a_witness_is_never_read_through_a_link_and_never_waited_for(tmp_path: Path) -> None:
    sign = Sign("x", 1, "b", 2)
    _witness.write_sign(tmp_path / "real", sign)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    os.mkfifo(tmp_path / "pipe")

    assert [_witness.read_sign(tmp_path / name) for name in ("real", "link", "pipe", "none")] == [
        sign,
        None,
        None,
        None,
    ]


def test_a_disk_that_takes_no_sign_is_no_error() -> None:
    place = Path("/proc/no/such/place")
    _witness.write_sign(place, Sign("x", 1, "b", 2))
    assert _witness.read_sign(place) is None


def test_the_health_of_the_disk_is_asked_once_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(_smart, "find_disk", lambda _: "/dev/sda")

    def ask(disk: str, _program: str) -> _smart.Health:
        asked.append(disk)
        return _smart.Health(passed=False, pending=8)

    monkeypatch.setattr(_smart, "ask", ask)
    rig = Rig()
    sensor = wake(rig, directory=tmp_path)

    seen = [look(sensor, rig, minutes_after(FIRST, passed)) for passed in range(62)]

    assert asked == ["/dev/sda"] * 2
    assert (seen[30].disk_passed, seen[30].disk_pending, seen[30].disk_hours) == (False, 8, None)


def test_the_sample_has_the_fields_of_the_wire() -> None:
    assert HostState.model_validate(PROBE.sample).model_dump() == PROBE.sample
