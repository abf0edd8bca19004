import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.errors import SpoolFullError
from agent.probes.base import Fact, Probe, ProbeSettings, Reading, Surroundings
from agent.runner import InlineLook, Runner
from agent.spool import Limits, Spool
from shared.clock import Instant
from shared.wire.v1 import dump_line, read_event
from tests.clocks import ManualClock


class Sensor:
    """Reads by a function the test gives it."""

    def __init__(self, read: Callable[[Instant], Reading]) -> None:
        self.read = read


def probe(read: Callable[[Instant], Reading], *, limit_s: int = 5) -> Probe:
    def make(settings: Any, surroundings: Surroundings) -> Sensor:
        del settings, surroundings
        return Sensor(read)

    return Probe(settings=ProbeSettings, every_s=30, limit_s=limit_s, make=make, sample={})


def kinds(spool: Spool) -> list[str]:
    return [read_event(line).kind for line in spool.batch(max_lines=99, max_bytes=1 << 20).lines]


@pytest.fixture
def spool(tmp_path: Path, clock: ManualClock) -> Spool:
    return Spool(tmp_path, clock.now())


def inline(spool: Spool, **sensors: Callable[[Instant], Reading]) -> Runner:
    runner = Runner(spool, InlineLook)
    for name, read in sensors.items():
        runner.add(name, probe(read), ProbeSettings())
    return runner


def boom(_now: Instant) -> Reading:
    raise OSError("the device is gone")


def test_what_a_sensor_sees_is_recorded_and_reported(spool: Spool, clock: ManualClock) -> None:
    runner = inline(spool, a=lambda _: Reading({"x": 1}, [Fact("note", {})], {"k": "v"}))
    runner.tick(clock.now())
    assert (kinds(spool), spool.recall("a")) == (["stream.opened", "note"], {"k": "v"})
    assert (runner.reports()["a"].status, runner.reports()["a"].state) == ("ok", {"x": 1})


def test_a_sensor_looks_only_when_its_time_has_come(spool: Spool, clock: ManualClock) -> None:
    runner = inline(spool, a=lambda _: Reading({}, [Fact("note", {})]))
    for _ in range(61):
        runner.tick(clock.now())
        clock.advance(seconds=1)
    assert kinds(spool).count("note") == 3


def test_one_that_raises_is_reported_and_stops_no_other(spool: Spool, clock: ManualClock) -> None:
    runner = inline(spool, a=boom, b=lambda _: Reading({"fine": True}))
    runner.tick(clock.now())
    reports = runner.reports()
    assert (reports["a"].status, reports["a"].error) == ("failed", "OSError: the device is gone")
    assert reports["b"].status == "ok"


def test_one_that_cannot_even_be_made_is_reported(spool: Spool, clock: ManualClock) -> None:
    def make(settings: Any, surroundings: Surroundings) -> Sensor:
        del settings, surroundings
        raise ImportError("no library")

    runner = Runner(spool, InlineLook)
    runner.add("a", Probe(ProbeSettings, 30, 5, make, {}), ProbeSettings())
    runner.tick(clock.now())
    assert runner.reports()["a"].status == "failed"


def test_one_with_nothing_installed_has_no_data(spool: Spool, clock: ManualClock) -> None:
    runner = inline(spool, a=lambda _: Reading(None))
    runner.tick(clock.now())
    assert runner.reports()["a"].status == "no_data"


def test_one_that_hangs_is_reported_and_delays_nobody(spool: Spool, clock: ManualClock) -> None:
    release = threading.Event()

    def hang(_now: Instant) -> Reading:
        release.wait(10)
        return Reading({"late": True})

    runner = Runner(spool)
    runner.add("slow", probe(hang), ProbeSettings())
    runner.tick(clock.now())
    clock.advance(seconds=6)
    runner.tick(clock.now())
    hung = runner.reports()["slow"]
    release.set()
    assert (hung.status, hung.error) == ("failed", "no answer within 5 s")


def test_nonsense_is_not_recorded(spool: Spool, clock: ManualClock) -> None:
    runner = inline(spool, a=lambda _: Reading({}, [Fact("note", {"x": float("nan")})], {"k": "v"}))
    runner.tick(clock.now())
    assert (kinds(spool), spool.recall("a")) == (["stream.opened"], {})
    assert runner.reports()["a"].status == "failed"


def test_what_could_not_be_recorded_is_kept_and_recorded_later(
    spool: Spool, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    done: list[int] = []

    def read(now: Instant) -> Reading:
        looks.append(now.mono_ms)
        return Reading({}, [Fact("note", {})], done=lambda: done.append(1))

    runner = inline(spool, a=read)
    with monkeypatch.context() as patch:
        patch.setattr(spool, "append", _full)
        runner.tick(clock.now())
        clock.advance(seconds=90)
        runner.tick(clock.now())
    before = (len(looks), kinds(spool), list(done))
    runner.tick(clock.now())
    assert before == (1, ["stream.opened"], [])
    assert (kinds(spool).count("note"), done[:1]) == (2, [1])


def _full(*_: Any, **__: Any) -> int:
    raise SpoolFullError


def test_bounds_are_kept_by_refusing_not_by_dropping(tmp_path: Path, clock: ManualClock) -> None:
    spool = Spool(tmp_path / "small", clock.now(), limits=Limits(max_bytes=60_000, ballast_bytes=4096))
    runner = inline(spool, a=lambda _: Reading({}, [Fact("note", {"text": "x" * 5000})]))
    for _ in range(40):
        runner.tick(clock.now())
        clock.advance(seconds=30)
    full = spool.depth()
    spool.acknowledge(spool.stream, full.last, clock.now())
    runner.tick(clock.now())
    assert full.last < 20
    assert spool.depth().last == full.last + 2


def test_an_eager_sensor_is_looked_at_before_it_is_due_but_not_all_the_time(spool: Spool, clock: ManualClock) -> None:
    looked: list[int] = []

    def read(now: Instant) -> Reading:
        looked.append(now.mono_ms)
        return Reading({})

    class Eager(Sensor):
        def is_eager(self) -> bool:
            return True

    runner = Runner(spool, InlineLook)
    runner.add("a", Probe(ProbeSettings, 30, 5, lambda *_: Eager(read), {}), ProbeSettings())
    for _ in range(21):
        runner.tick(clock.now())
        clock.advance(seconds=1)

    assert [each - looked[0] for each in looked] == [0, 5000, 10_000, 15_000, 20_000]


@pytest.mark.parametrize("state", [{"x": float("nan")}, {"x": {1, 2}}, {"x": b"raw"}, {"x": "y" * 70_000}])
def test_a_state_that_cannot_be_sent_holds_back_no_other(
    spool: Spool, clock: ManualClock, state: dict[str, Any]
) -> None:
    runner = inline(spool, a=lambda _: Reading(state, [Fact("note", {})]), b=lambda _: Reading({"fine": True}))

    runner.tick(clock.now())

    assert (runner.reports()["a"].status, runner.reports()["b"].status) == ("failed", "ok")
    assert kinds(spool) == ["stream.opened", "note"]
    assert dump_line({name: report.model_dump() for name, report in runner.reports().items()})


def test_other_settings_remake_a_sensor_and_leave_the_others_undisturbed(spool: Spool, clock: ManualClock) -> None:
    made: list[tuple[str, bool]] = []

    class Settings(ProbeSettings):
        loud: bool = False

    def plugin(name: str) -> Probe:
        def make(settings: Any, surroundings: Surroundings) -> Sensor:
            del surroundings
            made.append((name, settings.loud))
            return Sensor(lambda _: Reading({"loud": settings.loud}))

        return Probe(Settings, 30, 5, make, {})

    a, b, c = plugin("a"), plugin("b"), plugin("c")
    runner = Runner(spool, InlineLook)
    runner.add("a", a, Settings())
    runner.add("b", b, Settings())
    runner.tick(clock.now())
    runner.configure([("a", a, Settings()), ("c", c, Settings(loud=True))])
    before = set(runner.reports())
    runner.tick(clock.now())

    assert made == [("a", False), ("b", False), ("c", True)]
    assert before == {"a", "b"}
    assert {name: report.state["loud"] for name, report in runner.reports().items()} == {"a": False, "c": True}


def test_a_sensor_that_is_taken_away_is_closed_even_while_it_looks(spool: Spool, clock: ManualClock) -> None:
    closed, release = threading.Event(), threading.Event()

    class Slow(Sensor):
        def close(self) -> None:
            closed.set()

    def read(_now: Instant) -> Reading:
        release.wait(10)
        return Reading({}, [Fact("note", {})])

    runner = Runner(spool)
    runner.add("a", Probe(ProbeSettings, 30, 5, lambda *_: Slow(read), {}), ProbeSettings())
    runner.tick(clock.now())
    runner.configure([])
    runner.tick(clock.now())
    release.set()
    clock.advance(seconds=60)
    runner.tick(clock.now())

    assert closed.is_set()
    assert runner.reports() == {}
    assert kinds(spool) == ["stream.opened"]


def test_a_hastened_sensor_looks_at_the_next_turn(spool: Spool, clock: ManualClock) -> None:
    runner = inline(spool, a=lambda _: Reading({}, [Fact("note", {})]))
    runner.tick(clock.now())

    known = runner.hasten("a")
    runner.tick(clock.now())

    assert (known, runner.hasten("b")) == (True, False)
    assert kinds(spool).count("note") == 2
