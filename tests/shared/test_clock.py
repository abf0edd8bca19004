from pathlib import Path

from shared.clock import SystemClock, read_boot_id, wall_ms


def test_the_boot_has_a_name_that_fits_the_wire(tmp_path: Path) -> None:
    source = tmp_path / "boot_id"
    source.write_text("7d1f0c62-b5a9-4f0e-8f4f-3f0f9d2a6c11\n")

    assert read_boot_id(source) == "7d1f0c62b5a94f0e8f4f3f0f9d2a6c11"


def test_the_system_clock_never_runs_back_and_stays_in_one_boot() -> None:
    clock = SystemClock()

    first, second = clock.now(), clock.now()

    assert second.mono_ms >= first.mono_ms
    assert second.boot == first.boot == read_boot_id()


def test_wall_time_is_in_milliseconds() -> None:
    before = wall_ms()
    between = SystemClock().now().wall_ms

    assert before <= between <= wall_ms()
    assert len(str(before)) == 13
