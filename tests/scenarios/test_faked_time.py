"""The station's own process with a faked wall clock (libfaketime) against a real TLS centre in the present."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from agent.enrolment import enrol, pin
from agent.identity import pinned_ca
from agent.transport import HttpTransport
from shared.clock import wall_ms
from tests.clocks import ManualClock
from tests.secure import SecureCentre, secure_centre

ROOT = Path(__file__).parents[2]
LIBRARY = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


class RunningClock(ManualClock):
    """The machine's own time, for a centre that lives in the present."""

    def now(self) -> Any:
        return type(super().now())(wall_ms(), time.monotonic_ns() // 1_000_000, "c" * 32)


@dataclass(frozen=True, slots=True)
class Village:
    centre: SecureCentre
    folder: Path
    dates: Path

    def push(self, note: str, date: str, *jump: str) -> dict[str, Any]:
        """Run the station once in a process whose clock begins at `date` and may then jump."""
        self.dates.write_text(date, "ascii")
        faked = {
            "LD_PRELOAD": str(LIBRARY[0]),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_TIMESTAMP_FILE": str(self.dates),
            "PYTHONPATH": str(ROOT),
        }
        jumping = [str(self.dates), *jump] if jump else []
        command = [sys.executable, str(ROOT / "tests/scenarios/one_push.py"), str(self.folder), note, *jumping]
        done = subprocess.run(command, env=os.environ | faked, capture_output=True, text=True, check=True, timeout=60)
        return dict(json.loads(done.stdout))

    def booked(self) -> tuple[int, int, bool]:
        """Time as the station wrote it, time as booked, and whether the booking is uncertain."""
        engine = create_engine(self.centre.settings.database.replace("+aiosqlite", ""))
        with engine.connect() as connection:
            query = text("SELECT at_ms, booked_ms, uncertain FROM events WHERE kind = 'note'")
            row = connection.execute(query).one()
        engine.dispose()
        return int(row[0]), int(row[1]), bool(row[2])


@pytest.fixture
def village(tmp_path: Path, sqlite_url: str) -> Iterator[Village]:
    with secure_centre(tmp_path / "centre", sqlite_url, RunningClock()) as centre:
        folder = tmp_path / "station"
        pin(centre.url, folder, fingerprint=centre.fingerprint)
        transport = HttpTransport(centre.url, pinned_ca(folder, None))
        enrol(centre.new_code(now_ms=wall_ms()), centre=centre.url, transport=transport, state_dir=folder)
        transport.close()
        yield Village(centre, folder, tmp_path / "dates")


def test_the_library_that_fakes_time_is_installed() -> None:
    assert LIBRARY, "apt-get install faketime"


@pytest.mark.parametrize(
    "date", ["1970-01-01 00:05:00", "2000-01-01 00:00:00", "2035-06-01 12:00:00", "2038-01-19 03:14:00"]
)
def test_what_happens_under_a_wild_clock_is_booked_when_it_happened(village: Village, date: str) -> None:
    before_ms = wall_ms()
    told = village.push("雨", f"@{date}")
    after_ms = wall_ms()

    at_ms, booked_ms, uncertain = village.booked()

    assert told["pushed"], told["error"]
    assert abs(at_ms - before_ms) > 86_400_000
    assert before_ms - 2000 <= booked_ms <= after_ms + 2000
    assert not uncertain


def test_a_clock_ten_times_too_fast_books_rightly(village: Village) -> None:
    before_ms = wall_ms()
    told = village.push("快", "@2026-01-01 00:00:00 x10")

    _, booked_ms, uncertain = village.booked()

    assert told["pushed"], told["error"]
    assert before_ms - 2000 <= booked_ms <= wall_ms() + 2000
    assert not uncertain


def test_a_frozen_clock_books_rightly(village: Village) -> None:
    before_ms = wall_ms()
    told = village.push("冻", "2000-01-01 00:00:00")

    _, booked_ms, uncertain = village.booked()

    assert told["pushed"], told["error"]
    assert before_ms - 2000 <= booked_ms <= wall_ms() + 2000
    assert not uncertain


@pytest.mark.parametrize("target", ["@2000-01-01 00:00:00", "@2038-01-20 00:00:00"])
def test_a_jump_between_recording_and_sending_books_rightly(village: Village, target: str) -> None:
    before_ms = wall_ms()
    told = village.push("跳", "@2026-03-01 00:00:00", target)

    _, booked_ms, uncertain = village.booked()

    assert told["pushed"], told["error"]
    assert before_ms - 2000 <= booked_ms <= wall_ms() + 2000
    assert not uncertain
