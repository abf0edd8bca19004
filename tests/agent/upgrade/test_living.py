"""The real launcher, the real agent, real releases with real bugs: what is kept and what is taken back."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.agent.upgrade.rig import Station
from tests.releases import OTHER_KEY, make_release, read_source

pytestmark = pytest.mark.timeout(240)
Changes = Mapping[str, tuple[str, str]]

CRASHES: Changes = {"agent/app.py": ("def run(", "raise RuntimeError('a bug')\n\n\ndef run(")}
HANGS: Changes = {"agent/app.py": ("    stop = threading.Event()\n", "    threading.Event().wait()\n")}
HOLDS_THE_INTERPRETER: Changes = {
    "agent/app.py": ("    stop = threading.Event()\n", "    import re; re.match('(a+)+$', 'a' * 60 + 'b')\n")
}
CANNOT_RECORD: Changes = {
    "agent/spool.py": (
        "        with self._lock:\n            self._now = now\n",
        "        raise SpoolError('a bug')\n        with self._lock:\n",
    )
}
CANNOT_PUSH: Changes = {
    "agent/uplink.py": (
        "    def push(self, now: Instant) -> bool:\n",
        "    def push(self, now: Instant) -> bool:\n        raise KeyError(now)\n",
    )
}


@pytest.fixture
def make_station(tmp_path: Path) -> Iterator[Callable[..., Station]]:
    made: list[Station] = []

    def make(*, trial_s: int = 60) -> Station:
        station = Station(tmp_path, trial_s)
        station.set_up()
        made.append(station)
        return station

    yield make
    for each in made:
        each.end()


def stick(tmp_path: Path, *releases: bytes) -> Path:
    folder = tmp_path / f"stick-{len(list(tmp_path.iterdir()))}"
    folder.mkdir()
    for number, release in enumerate(releases):
        (folder / f"yuanjiao-{number}.release").write_bytes(release)
    return folder


def spoken(station: Station, version: str) -> bool:
    return any(each["running"] == version for each in station.told())


def test_a_good_one_is_kept_without_any_network_and_the_history_goes_on(
    make_station: Callable[..., Station], tmp_path: Path
) -> None:
    station = make_station()
    station.start()
    station.wait_until(lambda: len(station.facts()) > 1, "the old one recording")
    before = station.facts()
    key = (station.state / "key").read_bytes()

    said = station.carry_in(stick(tmp_path, make_release("0.2.0", read_source("0.2.0"))))

    assert "升级包 0.2.0 已核对并收下" in said
    station.wait_until(lambda: bool(station.told()), "the new one proving itself")
    assert station.told() == [{"version": "0.2.0", "outcome": "kept", "running": "0.2.0"}]
    station.wait_until(lambda: not station.place.read().trial, "the pointer saying so")
    assert station.place.read().highest == "0.2.0"
    assert station.facts()[: len(before)] == before
    assert (station.state / "key").read_bytes() == key
    assert station.stop() == 0
    station.start()
    station.wait_until(lambda: station.log().count("agent.started") == 3, "the next start")
    station.wait_until(lambda: station.place.read().starts == 0, "which proves itself again")
    assert station.place.read().slot == "a"


@pytest.mark.parametrize(
    ("changes", "trial_s", "why"),
    [
        (CRASHES, 60, "started 5 times"),
        (HANGS, 8, "within 8 s"),
        (HOLDS_THE_INTERPRETER, 8, "within 8 s"),
        (CANNOT_RECORD, 8, "within 8 s"),
        (CANNOT_PUSH, 8, "within 8 s"),
    ],
    ids=["crashes", "hangs", "holds_the_interpreter", "cannot_record", "cannot_push"],
)
def test_a_bad_one_is_taken_back_and_the_old_one_tells_of_it(
    make_station: Callable[..., Station], tmp_path: Path, changes: Changes, trial_s: int, why: str
) -> None:
    station = make_station(trial_s=trial_s)
    station.start()
    station.wait_until(lambda: len(station.facts()) > 1, "the old one recording")
    before = station.facts()

    station.carry_in(stick(tmp_path, make_release("0.2.0", read_source("0.2.0", changes))))

    station.wait_until(lambda: spoken(station, "0.1.0"), "the old one telling", within_s=150)
    (told,) = station.told()
    assert (told["version"], told["outcome"]) == ("0.2.0", "taken_back")
    assert why in told["reason"]
    assert station.facts()[: len(before)] == before
    station.wait_until(lambda: station.place.read().told, "the pointer saying so")
    assert not list(station.place.waiting.glob("*.release"))


def test_killed_at_any_moment_of_an_upgrade_it_ends_with_the_new_one(
    make_station: Callable[..., Station], tmp_path: Path
) -> None:
    station = make_station()
    station.start()
    station.wait_until(lambda: len(station.facts()) > 1, "the old one recording")
    station.carry_in(stick(tmp_path, make_release("0.2.0", read_source("0.2.0"))))
    for _ in range(4):
        station.end()
        count = station.log().count("agent.started")
        station.start()
        station.wait_for_start(count)
    station.wait_until(lambda: spoken(station, "0.2.0"), "the new one proving itself")
    assert [each["outcome"] for each in station.told()] == ["kept"]


def test_of_two_sticks_the_newer_counts_whichever_comes_first(
    make_station: Callable[..., Station], tmp_path: Path
) -> None:
    station = make_station()
    older, newer = (make_release(version, read_source(version)) for version in ("0.2.0", "0.3.0"))
    assert "0.3.0 已核对" in station.carry_in(stick(tmp_path, older, newer))
    assert "0.2.0 已核对" in station.carry_in(stick(tmp_path, older))
    station.start()
    station.wait_until(lambda: spoken(station, "0.3.0"), "the newer one proving itself")
    assert [each["version"] for each in station.told()] == ["0.3.0"]
    assert "不允许退回" in station.carry_in(stick(tmp_path, older))
    station.wait_until(lambda: not list(station.place.waiting.glob("*.release")), "the older one thrown away")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda good: good[:-100], "不完整或已损坏"),
        (lambda good: good[:-100] + bytes([good[-100] ^ 1]) + good[-99:], "不完整或已损坏"),
        (lambda good: good.replace(b"0.2.0", b"0.9.0", 1), "签名不对"),
        (lambda _: make_release("0.2.0", keys=(OTHER_KEY,)), "签名不对"),
        (lambda _: make_release("0.1.0"), "不允许退回"),
        (lambda _: b"a holiday picture", "不是可用的升级包"),
    ],
    ids=["cut", "changed", "forged", "wrong_key", "downgrade", "no_release"],
)
def test_a_stick_that_brings_something_else_is_told_so_and_changes_nothing(
    make_station: Callable[..., Station], tmp_path: Path, spoil: Callable[[bytes], bytes], why: str
) -> None:
    station = make_station()

    said = station.carry_in(stick(tmp_path, spoil(make_release("0.2.0"))))

    assert why in said
    assert not station.place.folder.exists()


def test_an_empty_stick_and_a_missing_one_are_told_apart_from_a_bad_one(
    make_station: Callable[..., Station], tmp_path: Path
) -> None:
    station = make_station()

    assert "没有升级包" in station.carry_in(stick(tmp_path))
    assert "没有升级包" in station.carry_in(tmp_path / "absent")


def test_a_station_without_release_keys_takes_packages_only(
    make_station: Callable[..., Station], tmp_path: Path
) -> None:
    station = make_station()
    (tmp_path / "keys.toml").unlink()

    assert ".deb" in station.carry_in(stick(tmp_path, make_release("0.2.0")))
