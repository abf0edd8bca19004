from dataclasses import replace

import pytest

from agent.probes.base import Sensor
from agent.probes.clock import PROBE, ClockSettings
from shared.clock import Instant
from shared.wire.states import ClockState
from tests.agent.probes.rig import Rig
from tests.clocks import ManualClock

START = ManualClock().now()
MINUTE = 60_000


def later(start: Instant, passed_ms: int, *, jumped_ms: int = 0) -> Instant:
    """`passed_ms` of real time after `start`, with the wall clock moved by `jumped_ms` meanwhile."""
    return replace(start, wall_ms=start.wall_ms + passed_ms + jumped_ms, mono_ms=start.mono_ms + passed_ms)


def rebooted(*, wall_ms: int) -> Instant:
    return Instant(wall_ms=wall_ms, mono_ms=40_000, boot="c" * 32)


def wake(rig: Rig) -> Sensor:
    return PROBE.make(ClockSettings(), rig)


def look(sensor: Sensor, rig: Rig, now: Instant) -> tuple[list[int], int]:
    """Jumps told by one committed look, and the count in its state."""
    told_before = len(rig.facts)
    state = rig.look(sensor, now)
    return [fact.data["by_ms"] for fact in rig.facts[told_before:]], state["jumps"]


@pytest.mark.parametrize("by_ms", [3 * 60 * MINUTE, -24 * 60 * MINUTE, 2_001, -2_001])
def test_a_moved_clock_is_told_once_with_the_distance(by_ms: int) -> None:
    rig = Rig()
    sensor = wake(rig)
    moved = later(START, MINUTE, jumped_ms=by_ms)
    assert look(sensor, rig, START) == ([], 0)
    assert look(sensor, rig, moved) == ([by_ms], 1)
    assert look(sensor, rig, later(moved, MINUTE)) == ([], 1)


@pytest.mark.parametrize("by_ms", [0, 2_000, -2_000])
def test_a_clock_that_runs_or_is_nudged_has_not_jumped(by_ms: int) -> None:
    rig = Rig()
    sensor = wake(rig)
    look(sensor, rig, START)
    assert look(sensor, rig, later(START, MINUTE, jumped_ms=by_ms)) == ([], 0)


def test_a_night_in_suspend_is_no_jump() -> None:
    rig = Rig()
    sensor = wake(rig)
    look(sensor, rig, START)
    assert look(sensor, rig, later(START, 9 * 60 * MINUTE)) == ([], 0)


def test_a_start_in_1970_after_a_reboot_is_a_jump_back() -> None:
    rig = Rig()
    look(wake(rig), rig, START)
    dead_battery = rebooted(wall_ms=5_000)
    assert look(wake(rig), rig, dead_battery) == ([5_000 - START.wall_ms], 1)


def test_a_start_weeks_after_the_last_look_is_no_jump() -> None:
    rig = Rig()
    look(wake(rig), rig, START)
    after_the_holidays = rebooted(wall_ms=START.wall_ms + 30 * 24 * 60 * MINUTE)
    assert look(wake(rig), rig, after_the_holidays) == ([], 0)


def test_the_very_first_start_has_nothing_to_compare_with() -> None:
    rig = Rig()
    assert look(wake(rig), rig, START) == ([], 0)


def test_a_clock_moved_while_the_agent_was_stopped_is_told_at_its_next_start() -> None:
    rig = Rig()
    look(wake(rig), rig, START)
    assert look(wake(rig), rig, later(START, MINUTE, jumped_ms=90 * MINUTE)) == ([90 * MINUTE], 1)


def test_a_clock_set_right_after_a_wrong_start_is_remembered_at_once() -> None:
    rig = Rig()
    wrong = replace(START, wall_ms=4_000_000_000_000)
    sensor = wake(rig)
    look(sensor, rig, wrong)
    right = later(wrong, MINUTE, jumped_ms=START.wall_ms - wrong.wall_ms)
    assert look(sensor, rig, right) == ([START.wall_ms - wrong.wall_ms], 1)
    assert look(wake(rig), rig, rebooted(wall_ms=right.wall_ms + MINUTE)) == ([], 0)


def test_a_jump_that_could_not_be_written_is_told_again() -> None:
    rig = Rig()
    sensor = wake(rig)
    look(sensor, rig, START)
    moved = later(START, MINUTE, jumped_ms=5_000)
    sensor.read(moved)
    assert look(sensor, rig, later(moved, MINUTE)) == ([5_000], 1)


def test_the_disk_is_written_only_every_ten_minutes() -> None:
    rig = Rig()
    sensor = wake(rig)
    written = set()
    for minute in range(30):
        rig.look(sensor, later(START, minute * MINUTE))
        written.add(rig.memory["last"])
    assert len(written) == 3


def test_a_new_boot_is_remembered_at_its_first_look() -> None:
    rig = Rig()
    look(wake(rig), rig, START)
    look(wake(rig), rig, rebooted(wall_ms=START.wall_ms + MINUTE))
    assert rig.memory["last"].startswith("c" * 32)


def test_a_damaged_memory_is_taken_for_none() -> None:
    rig = Rig({"last": "b 12 yesterday"})
    assert look(wake(rig), rig, START) == ([], 0)


def test_the_sample_has_the_fields_of_the_wire() -> None:
    assert ClockState.model_validate(PROBE.sample).model_dump() == PROBE.sample
