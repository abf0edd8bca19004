"""The projector sensor on a serial cable: a whole talk, and peers that break it. Each look ends in time, in a state."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.probes.projector import NotSwitchedError, ProjectorSensor, ProjectorSettings, switch
from shared.wire.states import ProjectorState
from tests.agent.probes.rig import Rig
from tests.clocks import ManualClock
from tests.devices.processes import wait_until
from tests.devices.serial_projector import FakeProjector, serial_projector

NOW = ManualClock().now()
TIMEOUT_S = 0.3
WHOLE_S = 3 * TIMEOUT_S


@pytest.fixture
def fake() -> Iterator[FakeProjector]:
    with serial_projector() as made:
        yield made


def look(device: Path, **more: Any) -> ProjectorState:
    settings = ProjectorSettings.model_validate({"device": device, "timeout_s": TIMEOUT_S, **more})
    return ProjectorState.model_validate(ProjectorSensor(settings, Rig()).read(NOW).state)


def timed(device: Path) -> ProjectorState:
    began = time.monotonic()
    seen = look(device)
    assert time.monotonic() - began < WHOLE_S + 0.5
    return seen


def test_a_projector_on_the_cable_tells_the_same_state_as_one_on_the_network(fake: FakeProjector) -> None:
    seen = look(fake.device)

    assert seen.model_dump(exclude_defaults=True) == {
        "via": "serial",
        "reachable": True,
        "power": "on",
        "lamp_hours": 1234,
        "serial": "X8JK0000001",
        "on_s": 0,
    }


@pytest.mark.parametrize(
    ("code", "power"),
    [("00", "off"), ("01", "on"), ("02", "warming"), ("03", "cooling"), ("04", "off"), ("05", "off")],
)
def test_every_power_code_is_understood(fake: FakeProjector, code: str, power: str) -> None:
    fake.values["PWR"] = code

    assert look(fake.device).power == power


@pytest.mark.parametrize(
    ("code", "faults"),
    [
        ("00", {}),
        ("01", {"fan": "error"}),
        ("04", {"temperature": "error"}),
        ("06", {"lamp": "error"}),
        ("07", {"cover": "error"}),
        ("0c", {"filter": "warning"}),
        ("0E", {"other": "error"}),
    ],
)
def test_error_codes_become_the_parts_that_rules_know(fake: FakeProjector, code: str, faults: dict[str, str]) -> None:
    fake.values["ERR"] = code

    assert look(fake.device).faults == faults


def test_an_abnormal_standby_is_a_fault_though_nothing_more_is_told(fake: FakeProjector) -> None:
    fake.values = {"PWR": "05"}

    assert look(fake.device).faults == {"other": "error"}


def test_in_standby_what_is_not_told_is_no_fault(fake: FakeProjector) -> None:
    fake.values["PWR"] = "04"

    seen = look(fake.device)

    assert (seen.reachable, seen.power, seen.faults, seen.lamp_hours, seen.error) == (True, "off", {}, None, "")


def test_of_two_lamps_the_older_counts(fake: FakeProjector) -> None:
    fake.values["LAMP"] = "120 4031"

    assert look(fake.device).lamp_hours == 4031


def test_notices_between_the_answers_disturb_nothing(fake: FakeProjector) -> None:
    notice = b"IMEVENT=0001 03 00000000 00000000 T1 F1\r:"
    fake.answer = lambda command: notice + b"\0" + fake.reply(command)

    seen = look(fake.device)

    assert (seen.power, seen.lamp_hours, seen.error) == ("on", 1234, "")


def test_what_lay_in_the_line_before_is_no_answer(fake: FakeProjector) -> None:
    fake.push(b"PWR=03\r:PWR=03\r:")

    assert look(fake.device).power == "on"


def talk(answer: Callable[[str], bytes]) -> Callable[[FakeProjector], None]:
    def arrange(fake: FakeProjector) -> None:
        fake.answer = answer

    return arrange


def after_ping(answer: bytes) -> Callable[[FakeProjector], None]:
    return talk(lambda command: answer if command else b":")


def drip(fake: FakeProjector) -> None:
    def answer(command: str) -> bytes:
        for byte in b"PWR=0000000000000000" if command else b"":
            fake.push(bytes([byte]))
            time.sleep(0.05)
        return b"" if command else b":"

    fake.answer = answer


NOISE = "only noise from the serial port: check its speed and cable"
LATE = "the projector did not answer in time"
HOSTILE: Mapping[str, tuple[Callable[[FakeProjector], None], bool, str]] = {
    # name: (what the peer does, whether it counts as reachable, what the state says)
    "silence": (talk(lambda _: b""), False, "no answer on the serial port"),
    "an echo": (talk(lambda command: command.encode() + b"\r"), False, "no answer on the serial port"),
    "wrong speed": (talk(lambda _: b"\xf0\x9e\x80:\xe3" * 9), False, NOISE),
    "a modem": (talk(lambda _: b"\r\nNO CARRIER: 3\r\n"), False, "the serial port answers, but not as a projector"),
    "flood": (talk(lambda _: b"A" * 4000), False, NOISE),
    "flood of notices": (talk(lambda _: b"IMEVENT=1\r:" * 30), False, NOISE),
    "silence after the first answer": (after_ping(b""), True, LATE),
    "drips": (drip, True, LATE),
    "GBK where figures belong": (after_ping("PWR=开机\r:".encode("gbk")), True, NOISE),
    "unheard-of power": (after_ping(b"PWR=99\r:"), True, "unreadable answer about power"),
    "another question's answer": (after_ping(b"KEY=01\r:"), True, "unreadable answer about power"),
    "empty answers": (after_ping(b":"), True, "unreadable answer about power"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_peer_costs_a_bounded_time_and_gives_a_state(fake: FakeProjector, name: str) -> None:
    arrange, reachable, error = HOSTILE[name]
    arrange(fake)

    seen = timed(fake.device)

    assert (seen.reachable, seen.error) == (reachable, error)


@pytest.mark.parametrize("field", ["LAMP", "ERR"])
def test_one_unreadable_answer_leaves_the_others(fake: FakeProjector, field: str) -> None:
    fake.values[field] = "a lot"

    seen = look(fake.device)

    assert (seen.power, seen.serial) == ("on", "X8JK0000001")
    assert "unreadable answer about" in seen.error


def test_a_cable_pulled_during_the_talk_is_said_and_what_was_told_is_kept(fake: FakeProjector) -> None:
    def answer(command: str) -> bytes:
        if command == "ERR?":
            fake.unplug()
        return fake.reply(command)

    fake.answer = answer

    seen = timed(fake.device)

    assert (seen.reachable, seen.power, seen.error) == (True, "on", "the serial port broke off")


def test_a_port_that_is_not_there_or_no_port_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"hello")
    os.mkfifo(tmp_path / "pipe")

    assert look(tmp_path / "ttyUSB0").error == "the serial port is not there"
    assert [timed(tmp_path / name).error for name in ("file", "pipe", ".")] == ["this is no serial port"] * 3


def test_a_port_this_program_may_not_use_is_said(fake: FakeProjector, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("agent.probes._escvp21.os.open", refuse)

    assert look(fake.device).error == "this program may not use the serial port"


def test_a_port_another_program_talks_on_is_left_alone(fake: FakeProjector) -> None:
    other = os.open(fake.device, os.O_RDWR | os.O_NOCTTY)
    fcntl.flock(other, fcntl.LOCK_EX)

    seen = look(fake.device)
    os.close(other)

    assert (seen.reachable, seen.error) == (False, "another program is using the serial port")
    assert fake.heard == []


def test_looks_at_a_broken_port_leave_no_open_file(fake: FakeProjector) -> None:
    fake.answer = lambda _: b"\xff:"
    look(fake.device)
    before = len(list(Path("/proc/self/fd").iterdir()))

    for _ in range(25):
        look(fake.device)

    wait_until(lambda: len(list(Path("/proc/self/fd").iterdir())) <= before, "everything being closed")


def test_the_cable_is_asked_when_the_network_does_not_answer(fake: FakeProjector) -> None:
    seen = look(fake.device, host="127.0.0.1", port=1)

    assert (seen.via, seen.power) == ("serial", "on")


def settings_of(device: Path, **more: Any) -> ProjectorSettings:
    return ProjectorSettings.model_validate({"device": device, "timeout_s": TIMEOUT_S, **more})


def test_it_is_switched_on_and_off_over_the_cable(fake: FakeProjector) -> None:
    fake.values["PWR"] = "00"

    ways = [switch(settings_of(fake.device), on=True), switch(settings_of(fake.device), on=False)]

    assert ways == ["serial", "serial"]
    assert [each for each in fake.heard if each] == ["PWR ON", "PWR OFF"]


def test_a_command_it_refuses_or_does_not_answer_is_said(fake: FakeProjector) -> None:
    fake.answer = lambda command: b"ERR\r:" if command else b":"
    with pytest.raises(NotSwitchedError, match="cannot do it now"):
        switch(settings_of(fake.device), on=True)
    fake.answer = lambda command: b"" if command else b":"
    began = time.monotonic()
    with pytest.raises(NotSwitchedError, match="did not answer in time"):
        switch(settings_of(fake.device), on=True)

    assert time.monotonic() - began < WHOLE_S + 0.5


def test_with_the_network_down_the_cable_switches(fake: FakeProjector) -> None:
    assert switch(settings_of(fake.device, host="127.0.0.1", port=1), on=True) == "serial"


def test_without_any_projector_nothing_is_switched() -> None:
    with pytest.raises(NotSwitchedError, match="no projector"):
        switch(ProjectorSettings(), on=True)
