"""Files that any program may drop: good ones become sensors, bad ones are named, and none delays or fools the rest."""

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.probes.textfile import PROBE, TextfileSensor, TextfileSettings
from shared.wire.states import TextfileState
from shared.wire.v1 import dump_line
from tests.clocks import ManualClock

GOOD = {"valid_s": 900, "state": {"water_c": 61.5, "pumps": ["甲", "乙"]}, "title": "锅炉房"}


class Drop:
    """The directory, a sensor at it, and files dated by the test's clock."""

    def __init__(self, folder: Path, clock: ManualClock) -> None:
        self.folder, self.clock = folder, clock
        self.sensor = TextfileSensor(TextfileSettings(directory=folder))

    def put(self, name: str, content: object, *, age_s: float = 0) -> Path:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        path = self.folder / name
        path.write_bytes(raw)
        written_ns = self.clock.now().wall_ms * 1_000_000 - round(age_s * 1e9)
        os.utime(path, ns=(written_ns, written_ns))
        return path

    def look(self) -> TextfileState:
        state = self.sensor.read(self.clock.now()).state
        assert dump_line(dict(state or {}))
        return TextfileState.model_validate(state)


@pytest.fixture
def drop(tmp_path: Path, clock: ManualClock) -> Drop:
    return Drop(tmp_path, clock)


def test_a_dropped_file_becomes_a_sensor_with_its_state_as_written(drop: Drop) -> None:
    drop.put("boiler.json", GOOD, age_s=40)

    seen = drop.look()

    assert seen.sensors == {"boiler": {"age_s": 40, "title": "锅炉房", "state": GOOD["state"]}}
    assert (seen.stale, seen.errors, seen.capped) == ([], {}, False)


def test_without_the_directory_there_is_no_data(tmp_path: Path, clock: ManualClock) -> None:
    sensor = TextfileSensor(TextfileSettings(directory=tmp_path / "nowhere"))

    assert sensor.read(clock.now()).state is None
    assert TextfileSensor(TextfileSettings(directory=None)).read(clock.now()).state is None


def test_a_state_outlives_its_term_by_not_a_second(drop: Drop) -> None:
    drop.put("boiler.json", GOOD)
    drop.look()

    drop.clock.advance(seconds=900)
    kept = drop.look()
    drop.clock.advance(seconds=1)
    gone = drop.look()

    assert (list(kept.sensors), kept.stale) == (["boiler"], [])
    assert (list(gone.sensors), gone.stale) == ([], ["boiler"])


def test_a_file_that_was_old_when_the_agent_started_is_stale_at_once(drop: Drop) -> None:
    drop.put("boiler.json", GOOD, age_s=901)

    assert drop.look().stale == ["boiler"]


def test_a_corrected_clock_makes_nothing_stale_and_nothing_fresh(drop: Drop) -> None:
    drop.put("boiler.json", GOOD)
    drop.look()
    drop.clock.set_wall(drop.clock.now().wall_ms + 86_400_000)
    drop.put("pump.json", GOOD, age_s=86_400)
    forward = drop.look()
    drop.clock.set_wall(0)
    drop.clock.advance(seconds=901)
    backward = drop.look()

    assert sorted(forward.sensors) == ["boiler", "pump"]
    assert (backward.sensors, sorted(backward.stale)) == ({}, ["boiler", "pump"])


def test_a_file_written_again_is_fresh_again(drop: Drop) -> None:
    drop.put("boiler.json", GOOD)
    drop.look()
    drop.clock.advance(seconds=2000)
    drop.put("boiler.json", GOOD)

    assert drop.look().sensors["boiler"]["age_s"] == 0


BAD: Mapping[str, tuple[bytes, str]] = {
    "nothing": (b"", "not JSON"),
    "garbage": (bytes(range(256)), "not UTF-8"),
    "GBK": ('{"valid_s":9,"state":{"a":"锅炉"}}'.encode("gbk"), "not UTF-8"),
    "half": (b'{"valid_s": 900, "sta', "not JSON"),
    "a list": (b"[1]", "valid"),
    "no term": (b'{"state": {}}', "valid_s"),
    "no state": (b'{"valid_s": 9}', "state"),
    "term of a year": (b'{"valid_s": 31536000, "state": {}}', "valid_s"),
    "term as text": (b'{"valid_s": "9", "state": {}}', "valid_s"),
    "not a number": (b'{"valid_s": 9, "state": {"a": NaN}}', "NaN"),
    "infinite": (b'{"valid_s": 9, "state": {"a": 1e999}}', "too great"),
    "huge integer": (b'{"valid_s": 9, "state": {"a": ' + b"9" * 3000 + b"}}", "2^53"),
    "deep": (b'{"valid_s": 9, "state": {"a": ' + b"[" * 2000 + b"]" * 2000 + b"}}", "deeper"),
    "a little too deep": (b'{"valid_s": 9, "state": {"a": {"b": {"c": {"d": 1}}}}}', "deeper"),
    "too many values": (b'{"valid_s": 9, "state": {"a": [' + b"1," * 300 + b"1]}}", "values"),
    "too big": (b'{"valid_s": 9, "state": {"a": "' + b"x" * 5000 + b'"}}', "4096"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_named_with_its_reason_and_its_neighbour_is_read(name: str, drop: Drop) -> None:
    content, reason = BAD[name]
    drop.put("bad.json", content)
    drop.put("good.json", GOOD)

    seen = drop.look()

    assert list(seen.sensors) == ["good"]
    assert reason in seen.errors["bad.json"]


def make_link(path: Path) -> None:
    secret = path.with_name("secret.txt")
    secret.write_text(json.dumps(GOOD))
    path.symlink_to(secret)


def make_dangling_link(path: Path) -> None:
    path.symlink_to("/nowhere")


STRANGE: Mapping[str, Callable[[Path], None]] = {
    "a link": make_link,
    "a link to nothing": make_dangling_link,
    "a pipe nobody writes into": os.mkfifo,
    "a directory": Path.mkdir,
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_no_ordinary_file_is_never_followed_and_never_waited_for(name: str, drop: Drop) -> None:
    STRANGE[name](drop.folder / "strange.json")
    drop.put("good.json", GOOD)
    began = time.monotonic()

    seen = drop.look()

    assert time.monotonic() - began < 1
    assert list(seen.sensors) == ["good"]
    assert seen.errors["strange.json"]


@pytest.mark.parametrize("name", ["Rain.json", "x" * 33 + ".json", "雨量.json", "a b.json", "-x.json", "\udcff.json"])
def test_a_name_outside_the_rules_is_reported_and_not_read(name: str, drop: Drop) -> None:
    drop.put(name, GOOD)

    seen = drop.look()

    assert seen.sensors == {}
    assert list(seen.errors.values()) == ["a name has at most 32 of a-z, 0-9, - and _"]


def test_files_under_way_and_hidden_ones_are_nobodys_business(drop: Drop) -> None:
    drop.put(".boiler.json", GOOD)
    drop.put("boiler.json.tmp", b'{"valid')
    drop.put("README", b"hello")

    assert drop.look() == TextfileState()


def test_a_flood_of_files_is_cut_and_said_to_be(drop: Drop) -> None:
    for number in range(300):
        drop.put(f"n{number:03}.json", GOOD)
    began = time.monotonic()

    seen = drop.look()

    assert time.monotonic() - began < 2
    assert len(seen.sensors) <= 16
    assert seen.capped


def test_all_together_stay_small_enough_for_a_heartbeat(drop: Drop) -> None:
    for number in range(16):
        drop.put(f"n{number:02}.json", {"valid_s": 900, "state": {"text": "x" * 4000}})

    seen = drop.look()

    assert len(dump_line(seen.model_dump())) < 20_000
    assert len(seen.sensors) == 4
    assert len(seen.errors) == 10
    assert seen.capped


def test_a_file_that_vanishes_during_the_look_is_no_error(drop: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    drop.put("boiler.json", GOOD)
    opening = os.open

    def vanish(path: Any, *rest: Any, **more: Any) -> int:
        if path == "boiler.json":
            (drop.folder / "boiler.json").unlink(missing_ok=True)
        return opening(path, *rest, **more)

    monkeypatch.setattr(os, "open", vanish)

    assert drop.look() == TextfileState()


def test_a_file_nobody_may_read_is_named(drop: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    drop.put("boiler.json", GOOD)
    opening = os.open

    def refuse(path: Any, *rest: Any, **more: Any) -> int:
        if path == "boiler.json":
            raise PermissionError(13, "Permission denied")
        return opening(path, *rest, **more)

    monkeypatch.setattr(os, "open", refuse)

    assert drop.look().errors == {"boiler.json": "Permission denied"}


def test_looking_leaves_no_file_open(drop: Drop) -> None:
    make_link(drop.folder / "link.json")
    os.mkfifo(drop.folder / "pipe.json")
    drop.put("boiler.json", GOOD)
    drop.look()
    before = len(list(Path("/proc/self/fd").iterdir()))

    for _ in range(20):
        drop.look()

    assert len(list(Path("/proc/self/fd").iterdir())) <= before


def test_the_sample_has_the_fields_of_the_wire() -> None:
    assert TextfileState.model_validate(PROBE.sample).model_dump() == PROBE.sample
