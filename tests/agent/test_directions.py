"""Settings and commands of the centre, as the station takes them: idempotent, never by halves, each answered once."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agent.directions import MEMO, Commands, DirectedSettings, carry_out
from agent.errors import LinkError, SettingsError, SpoolFullError
from agent.identity import Identity
from agent.spool import Spool
from agent.transport import Response
from agent.verbs import VERBS, RefusedError, Tools
from shared import signing
from shared.clock import Instant
from shared.wire.directions import SETTINGS_PATH, Command, Directed, Verb
from shared.wire.v1 import SettingsReport, read_event
from tests.clocks import ManualClock

KEY = signing.new_key()
IDENTITY = Identity(station="510802/17", title="宝轮镇 爱国社区", centre="http://centre.test", key=KEY)
SETTINGS: dict[str, Any] = {"heartbeat_s": 600, "probes": {"audio": {"listen_s": 0.5}}}


@dataclass(slots=True)
class Centre:
    """Gives what it is told to give, and checks that it is asked as agreed."""

    answers: list[Response | LinkError] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def get(self, path: str, headers: Mapping[str, str]) -> Response:
        claim = signing.read_claim(headers["Authorization"])
        signing.verify(claim, bytes(KEY.verify_key), method="GET", path=SETTINGS_PATH, body=b"")
        assert path == SETTINGS_PATH
        self.asked.append(headers["If-None-Match"])
        answer = self.answers.pop(0)
        if isinstance(answer, LinkError):
            raise answer
        return answer


def give(version: int, settings: object) -> Response:
    return Response(200, json.dumps({"version": version, "settings": settings}).encode())


@dataclass(slots=True)
class Desk:
    """The part under test with its neighbours; `picky` refuses a heartbeat of 700 s."""

    folder: Path
    clock: ManualClock
    centre: Centre = field(default_factory=Centre)
    applied: list[Directed] = field(default_factory=list)

    def apply(self, directed: Directed) -> None:
        if directed.heartbeat_s == 700:
            raise SettingsError("700 is no good here")
        self.applied.append(directed)

    def open(self) -> DirectedSettings:
        made = DirectedSettings(self.folder / "directed.json", self.centre.get, lambda: IDENTITY, self.apply)
        made.load()
        return made

    def hears(self, settings: DirectedSettings, version: int, *answers: Response | LinkError) -> SettingsReport:
        self.centre.answers = list(answers)
        self.clock.advance(minutes=5)
        settings.heed(version, self.clock.now())
        return settings.report


@pytest.fixture
def desk(tmp_path: Path, clock: ManualClock) -> Desk:
    return Desk(tmp_path, clock)


def test_announced_settings_are_fetched_applied_reported_and_not_fetched_again(desk: Desk) -> None:
    settings = desk.open()

    report = desk.hears(settings, 3, give(3, SETTINGS))
    desk.hears(settings, 3)

    assert report == SettingsReport(version=3)
    assert desk.applied == [Directed.model_validate(SETTINGS)]
    assert desk.centre.asked == ['"0"']


def test_settings_in_force_come_back_after_a_restart_without_the_centre(desk: Desk) -> None:
    desk.hears(desk.open(), 3, give(3, SETTINGS))

    again = desk.open()

    assert again.report == SettingsReport(version=3)
    assert len(desk.applied) == 2


def test_taking_settings_back_leaves_the_stations_own(desk: Desk) -> None:
    settings = desk.open()
    desk.hears(settings, 3, give(3, SETTINGS))

    report = desk.hears(settings, 4, give(4, {}))

    assert report == SettingsReport(version=4)
    assert desk.applied[-1] == Directed()


@pytest.mark.parametrize(
    "bad",
    [
        {"heartbeat_s": 700},
        {"heartbeat_s": 1},
        {"state_dir": "/srv"},
        {"probes": 3},
        {"open_hours": ["whenever"]},
    ],
)
def test_settings_that_do_not_hold_are_refused_and_those_before_stay(desk: Desk, bad: dict[str, Any]) -> None:
    settings = desk.open()
    desk.hears(settings, 3, give(3, SETTINGS))
    report = desk.hears(settings, 4, give(4, bad))
    desk.hears(settings, 4)
    again = desk.open()

    assert (report.version, report.refused) == (3, 4)
    assert report.reason
    assert len(desk.centre.asked) == 2
    assert again.report == SettingsReport(version=3)


def test_a_mended_document_clears_the_refusal(desk: Desk) -> None:
    settings = desk.open()
    desk.hears(settings, 4, give(4, {"heartbeat_s": 700}))

    assert desk.hears(settings, 5, give(5, SETTINGS)) == SettingsReport(version=5)


NO_ANSWERS: Mapping[str, Response | LinkError] = {
    "no link": LinkError(),
    "unchanged": Response(304, b""),
    "refused": Response(401, b"{}"),
    "error": Response(500, b"boom"),
    "garbage": Response(200, b"\xff\x00<html>"),
    "another form": Response(200, b'{"settings": 3}'),
    "a flood": Response(200, b" " * 100_000 + b'{"version": 3, "settings": {}}'),
    "over a connection that met no clock": Response(200, give(3, SETTINGS).body, valid_ms=(0, 1)),
    "the version that is in force": give(0, SETTINGS),
}


@pytest.mark.parametrize("name", NO_ANSWERS)
def test_a_fetch_that_brings_nothing_changes_nothing_and_is_tried_again(desk: Desk, name: str) -> None:
    settings = desk.open()

    report = desk.hears(settings, 3, NO_ANSWERS[name])

    assert (report, desk.applied) == (SettingsReport(), [])
    assert desk.hears(settings, 3, give(3, SETTINGS)).version == 3


def test_a_failed_fetch_is_not_tried_with_every_push(desk: Desk) -> None:
    settings = desk.open()
    desk.centre.answers = [LinkError()]

    for _ in range(20):
        desk.clock.advance(seconds=1)
        settings.heed(3, desk.clock.now())

    assert len(desk.centre.asked) == 1


@pytest.mark.parametrize("raw", [b"", b"\xff", b'{"version": 3}x', b'{"version": 3, "settings": {"heartbeat_s": 700}}'])
def test_a_spoilt_file_leaves_the_stations_own_settings(desk: Desk, raw: bytes) -> None:
    (desk.folder / "directed.json").write_bytes(raw)

    settings = desk.open()

    assert (settings.report.version, desk.applied) == (0, [])
    assert desk.hears(settings, 4, give(4, SETTINGS)).version == 4


def test_a_disk_that_keeps_nothing_refuses_the_settings(desk: Desk) -> None:
    settings = desk.open()
    settings.file = Path("/proc/no/such/place")

    assert desk.hears(settings, 3, give(3, SETTINGS)).refused == 3


class Room:
    """What verbs work with: a projector, one helper with its sound, a courseware sensor."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.sound: dict[str, Any] | None = {"volume": 0.2, "muted": True}
        self.helpers = 1
        self.tools = Tools(self.switch, self.order, lambda: self.sound, self.hasten, self.describe)

    def switch(self, on: bool) -> str:
        self.done.append(("switch", on))
        return "pjlink"

    def order(self, line: Mapping[str, object]) -> int:
        self.done.append(dict(line))
        self.sound = (self.sound or {}) | {"muted": False, "volume": line.get("volume", 0.2)}
        return self.helpers

    def hasten(self, sensor: str) -> bool:
        self.done.append(("look", sensor))
        return True

    def describe(self) -> Mapping[str, Any]:
        failing = {f"sensor{number}": "boom" * 50 for number in range(100)}
        return {"sensors": list(failing), "failing": failing, "spool": {"last": 9}, "link": "x" * 5000}


@pytest.fixture
def room() -> Room:
    return Room()


def order(verb: str, number: int = 1, **arguments: Any) -> dict[str, Any]:
    return {"id": f"{number:016x}", "verb": verb, "arguments": arguments}


def test_every_verb_of_the_wire_can_be_done() -> None:
    assert set(VERBS) == set(Verb)


@pytest.mark.parametrize(
    ("command", "done"),
    [
        (order("rescan"), ("look", "courseware")),
        (order("set_volume", volume=0.6), {"do": "set_volume", "volume": 0.6}),
        (order("unmute"), {"do": "unmute"}),
        (order("projector_on"), ("switch", True)),
        (order("projector_off"), ("switch", False)),
        (order("restart_helper"), {"do": "restart"}),
    ],
)
def test_a_verb_does_what_it_says(room: Room, command: dict[str, Any], done: object) -> None:
    answer = carry_out(Command.model_validate(command), room.tools)

    assert (answer.outcome, room.done) == ("done", [done])


def test_diagnostics_fit_into_one_event(room: Room) -> None:
    answer = carry_out(Command.model_validate(order("send_diagnostics")), room.tools)

    assert (answer.outcome, answer.result["spool"], len(answer.result["failing"])) == ("done", {"last": 9}, 20)
    assert len(answer.model_dump_json()) < 16_384


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (order("reboot"), "does not know the verb"),
        (order("set_volume"), "arguments"),
        (order("set_volume", volume=9), "arguments"),
        (order("rescan", command="sh"), "arguments"),
    ],
)
def test_what_is_not_in_the_list_is_refused_and_nothing_is_done(
    room: Room, command: dict[str, Any], reason: str
) -> None:
    answer = carry_out(Command.model_validate(command), room.tools)

    assert (answer.outcome, room.done) == ("refused", [])
    assert reason in answer.reason


def test_without_anybody_signed_in_there_is_no_sound_to_change(room: Room) -> None:
    room.helpers = 0

    answers = [carry_out(Command.model_validate(order(verb)), room.tools) for verb in ("unmute", "restart_helper")]

    assert {answer.outcome for answer in answers} == {"refused"}


def test_an_order_without_effect_is_a_failure(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.verbs._SEEN_WITHIN_S", 0.2)
    monkeypatch.setattr("agent.verbs._LOOK_S", 0.05)
    room.tools = Tools(room.switch, lambda _: 1, lambda: None, room.hasten, room.describe)

    answer = carry_out(Command.model_validate(order("unmute")), room.tools)

    assert (answer.outcome, answer.reason) == ("failed", "TimeoutError: the sound did not become as ordered")


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(RefusedError("no projector"), "refused"), (OSError("boom"), "failed"), (ValueError("x" * 9000), "failed")],
)
def test_whatever_a_device_does_is_an_answer(room: Room, error: Exception, outcome: str) -> None:
    def switch(_on: bool) -> str:
        raise error

    room.tools = Tools(switch, room.order, lambda: None, room.hasten, room.describe)

    answer = carry_out(Command.model_validate(order("projector_on")), room.tools)

    assert answer.outcome == outcome
    assert len(answer.reason) <= 300


@pytest.fixture
def spool(tmp_path: Path, clock: ManualClock) -> Spool:
    return Spool(tmp_path / "spool", clock.now())


def answered(spool: Spool) -> list[tuple[str, str]]:
    events = [read_event(line) for line in spool.batch(max_lines=500, max_bytes=1 << 20).lines]
    return [(each.data["command"], each.data["outcome"]) for each in events if each.kind == "command.answered"]


def test_a_command_is_done_once_however_often_it_is_named_even_after_a_restart(
    spool: Spool, room: Room, clock: ManualClock
) -> None:
    for commands in (Commands(spool, room.tools, threaded=False), Commands(spool, room.tools, threaded=False)):
        commands.heed([order("projector_on")], clock.now())
        commands.heed([order("projector_on")], clock.now())

    assert room.done == [("switch", True)]
    assert answered(spool) == [(f"{1:016x}", "done")]


def test_what_was_done_long_ago_is_forgotten_and_not_more(spool: Spool, room: Room, clock: ManualClock) -> None:
    commands = Commands(spool, room.tools, threaded=False)
    for number in range(60):
        commands.heed([order("rescan", number)], clock.now())

    assert set(spool.recall(MEMO)) == {f"{number:016x}" for number in range(10, 60)}
    assert len(answered(spool)) == 60


def test_nonsense_among_the_commands_disturbs_no_other(spool: Spool, room: Room, clock: ManualClock) -> None:
    commands = Commands(spool, room.tools, threaded=False)

    commands.heed([{}, {"id": "x", "verb": "rescan"}, {"id": 3}, order("rescan")], clock.now())

    assert answered(spool) == [(f"{1:016x}", "done")]


def test_a_flood_of_commands_is_taken_ten_at_a_time(spool: Spool, room: Room, clock: ManualClock) -> None:
    Commands(spool, room.tools, threaded=False).heed([order("rescan", n) for n in range(1000)], clock.now())

    assert len(answered(spool)) == 10


def test_a_verb_that_takes_its_time_holds_up_nobody_and_is_not_begun_twice(
    spool: Spool, room: Room, clock: ManualClock
) -> None:
    began, go_on = threading.Event(), threading.Event()

    def switch(_on: bool) -> str:
        room.done.append("began")
        began.set()
        go_on.wait(10)
        return "pjlink"

    room.tools = Tools(switch, room.order, lambda: None, room.hasten, room.describe)
    commands = Commands(spool, room.tools)
    commands.heed([order("projector_on")], clock.now())
    assert began.wait(5)
    commands.heed([order("projector_on")], clock.now())
    go_on.set()
    assert commands._thread is not None
    commands._thread.join(5)

    assert room.done == ["began"]
    assert answered(spool) == [(f"{1:016x}", "done")]


def test_an_answer_that_cannot_be_recorded_is_given_when_the_command_comes_again(
    spool: Spool, room: Room, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = Commands(spool, room.tools, threaded=False)
    recording = Spool.append

    def fail(*_: object, **__: object) -> int:
        raise SpoolFullError

    monkeypatch.setattr(Spool, "append", fail)
    commands.heed([order("projector_on")], clock.now())
    monkeypatch.setattr(Spool, "append", recording)
    commands.heed([order("projector_on")], clock.now())

    assert answered(spool) == [(f"{1:016x}", "done")]


def test_an_answer_happened_when_the_command_came(spool: Spool, room: Room, clock: ManualClock) -> None:
    now = Instant(clock.now().wall_ms + 5, clock.now().mono_ms + 5, clock.now().boot)
    Commands(spool, room.tools, threaded=False).heed([order("rescan")], now)

    event = read_event(spool.batch(max_lines=9, max_bytes=1 << 20).lines[-1])

    assert (event.at, event.mono) == (now.wall_ms, now.mono_ms)
