"""The projector sensor against an emulator written by somebody else."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from agent.probes.projector import PROBE, NotSwitchedError, ProjectorSensor, ProjectorSettings, switch
from shared.wire.states import ProjectorState
from tests.agent.probes.rig import Rig
from tests.clocks import ManualClock
from tests.devices.processes import wait_until
from tests.devices.projector_emulator import Projector, start_projector

pytestmark = pytest.mark.device

NOW = ManualClock().now()
_WELL = dict.fromkeys(("fan", "lamp", "temperature", "cover", "filter", "other"), "OK")


@pytest.fixture(scope="module")
def emulator() -> Iterator[Projector]:
    with start_projector() as projector:
        yield projector


@pytest.fixture
def projector(emulator: Projector) -> Projector:
    """A well projector that is on, whatever the test before left."""
    emulator.change(
        power="ON",
        errors=_WELL,
        lamps=[[1200, False]],
        name="EB-L735U",
        unavailable=[],
        unsupported=[],
        serial="X8JK0000001",
    )
    emulator.change(silent=False, drop_after_greeting=False, fail_next=None)
    return emulator


@pytest.fixture(scope="module")
def locked() -> Iterator[Projector]:
    with start_projector("正确的密码") as projector:
        yield projector


def _look(projector: Projector, **settings: Any) -> dict[str, Any]:
    asked = ProjectorSettings(host="127.0.0.1", port=projector.port, **settings)
    state = ProjectorSensor(asked, Rig()).read(NOW).state
    assert state is not None
    return ProjectorState.model_validate(state).model_dump()


def test_a_well_projector_tells_power_lamp_and_name(projector: Projector) -> None:
    told = ProjectorState.model_validate(_look(projector))
    assert told.model_dump(exclude_defaults=True) == {
        "via": "pjlink",
        "reachable": True,
        "power": "on",
        "lamp_hours": 1200,
        "name": "EB-L735U",
        "maker": "EPSON",
        "model": "EB-L735U",
        "serial": "X8JK0000001",
        "on_s": 0,
    }


@pytest.mark.parametrize("power", ["off", "on", "cooling", "warming"])
def test_every_power_state_is_told_in_the_words_of_the_wire(projector: Projector, power: str) -> None:
    projector.change(power=power.upper())
    assert _look(projector)["power"] == power


def test_a_lamp_error_and_a_filter_warning_are_reported_as_faults(projector: Projector) -> None:
    projector.change(errors=_WELL | {"lamp": "ERROR", "filter": "WARNING"})
    assert _look(projector)["faults"] == {"lamp": "error", "filter": "warning"}


@pytest.mark.parametrize("power", ["OFF", "WARMING"])
def test_what_is_not_available_while_off_or_warming_up_is_no_fault(projector: Projector, power: str) -> None:
    projector.change(power=power, unavailable=["ERST", "LAMP"])
    state = _look(projector)
    assert (state["faults"], state["lamp_hours"], state["error"], state["reachable"]) == ({}, None, "", True)


def test_a_projector_without_a_lamp_has_no_lamp_hours_and_no_fault(projector: Projector) -> None:
    projector.change(lamps=[])
    state = _look(projector)
    assert (state["lamp_hours"], state["faults"], state["error"]) == (None, {}, "")


def test_of_several_lamps_the_oldest_one_counts(projector: Projector) -> None:
    projector.change(lamps=[[120, True], [4300, True], [7, False]])
    assert _look(projector)["lamp_hours"] == 4300


def test_a_failure_the_projector_reports_of_itself_is_a_fault(projector: Projector) -> None:
    projector.change(fail_next="ERR4")
    state = _look(projector)
    assert state["faults"] == {"other": "error"}
    assert state["error"] == "the projector reports a failure of its own"


def test_a_chinese_name_is_told_as_it_is(projector: Projector) -> None:
    projector.change(name="红岩村活动室投影仪")
    assert _look(projector)["name"] == "红岩村活动室投影仪"


def test_a_projector_that_greets_and_then_says_nothing_is_reachable_and_in_error(projector: Projector) -> None:
    projector.change(silent=True)
    state = _look(projector, timeout_s=0.3)
    assert (state["reachable"], state["power"]) == (True, None)
    assert state["error"] == "the projector did not answer in time"


def test_a_projector_that_hangs_up_is_reachable_and_in_error(projector: Projector) -> None:
    projector.change(drop_after_greeting=True)
    state = _look(projector)
    assert state["reachable"] is True
    assert "broke off" in state["error"]


def test_the_right_password_opens(locked: Projector) -> None:
    state = _look(locked, password="正确的密码")
    assert (state["power"], state["error"]) == ("off", "")


@pytest.mark.parametrize(
    ("password", "error"),
    [
        ("别的密码", "the projector refuses the password"),
        ("", "the projector asks for a password"),
        (None, "the projector asks for a password"),
    ],
)
def test_a_wrong_or_missing_password_is_told_as_such(locked: Projector, password: str | None, error: str) -> None:
    state = _look(locked, password=password)
    assert (state["reachable"], state["power"], state["error"]) == (True, None, error)


def test_a_look_asks_four_things_and_once_an_hour_who_it_is_and_switches_nothing(projector: Projector) -> None:
    sensor = ProjectorSensor(ProjectorSettings(host="127.0.0.1", port=projector.port), Rig())
    before = projector.change()["received"]
    sensor.read(NOW)
    sensor.read(NOW)
    after = projector.change()["received"]
    routine = ["%1POWR ?", "%1ERST ?", "%1LAMP ?", "%1NAME ?"]
    assert after[len(before) :] == [*routine, "%1INF1 ?", "%1INF2 ?", "%2SNUM ?", *routine]


def test_another_projector_in_its_place_is_noticed_though_identity_is_asked_only_hourly(projector: Projector) -> None:
    rig, clock = Rig(), ManualClock()
    sensor = ProjectorSensor(ProjectorSettings(host="127.0.0.1", port=projector.port), rig)
    rig.look(sensor, clock.now())
    asked = projector.change()["received"]
    projector.change(serial="X8JK0000002")
    rig.look(sensor, clock.now())
    quiet = list(rig.kinds())
    clock.advance(hours=1)
    for _ in range(3):
        rig.look(sensor, clock.now())

    assert asked
    assert quiet == []
    assert [(each["before"]["serial"], each["after"]["serial"]) for each in rig.told("device.changed")] == [
        ("X8JK0000001", "X8JK0000002")
    ]


def test_how_fast_its_lamp_ages_and_how_long_it_burns_after_hours_are_told(projector: Projector) -> None:
    rig, clock = Rig(), ManualClock()
    hours = ("1-7 08:30-18:00",)
    sensor = ProjectorSensor(ProjectorSettings(host="127.0.0.1", port=projector.port, open_hours=hours), rig)
    told: Mapping[str, Any] = {}
    for day in range(8):
        projector.change(lamps=[[1200 + 3 * day, True]])
        told = rig.look(sensor, clock.now())
        clock.advance(days=1)
    assert told["lamp_hours_a_day"] == 3.0
    projector.change(power="OFF")
    rig.look(sensor, clock.now())
    clock.advance(hours=9, minutes=1)
    projector.change(power="ON")
    for _ in range(3):
        told = rig.look(sensor, clock.now())
        clock.advance(minutes=2)
    assert (told["on_s"], told["after_hours_s"]) == (240, 240)


@pytest.mark.parametrize(
    ("command", "value"), [("LKUP", "00:26:ab:00:00:01"), ("POWR", "1"), ("ERST", "000000"), ("INPT", "31")]
)
def test_a_notice_of_the_projector_makes_the_sensor_eager_once(projector: Projector, command: str, value: str) -> None:
    settings = ProjectorSettings(host="127.0.0.1", port=projector.port, notices=True, notices_port=0)
    sensor = PROBE.make(settings, Rig())
    assert isinstance(sensor, ProjectorSensor)
    assert sensor.bell is not None

    projector.change(notify={"command": command, "value": value, "port": sensor.bell.port})
    wait_until(sensor.is_eager, "the notice being heard")
    sensor.read(NOW)

    assert not sensor.is_eager()
    sensor.close()


def test_it_is_switched_off_and_on_over_the_network(projector: Projector) -> None:
    settings = ProjectorSettings(host="127.0.0.1", port=projector.port)

    way = switch(settings, on=False)
    wait_until(lambda: _look(projector)["power"] == "off", "the projector being off")
    switch(settings, on=True)

    assert way == "pjlink"
    wait_until(lambda: _look(projector)["power"] == "on", "the projector being on")


def test_a_switch_it_cannot_do_now_is_said(projector: Projector) -> None:
    projector.change(unavailable=["POWR"])

    with pytest.raises(NotSwitchedError, match="cannot do it now"):
        switch(ProjectorSettings(host="127.0.0.1", port=projector.port), on=True)
