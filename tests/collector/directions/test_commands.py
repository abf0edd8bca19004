"""Commands: who may give them, how a station hears of them, and what its answer changes. Both databases."""

from typing import Any

import pytest

from collector.directions.service import VALID_MS
from collector.errors import BadInputError, ConflictError, NotAllowedError, NotFoundError
from shared import chain
from shared.wire.directions import Command, Verb
from tests.collector.directions.conftest import Bureau
from tests.collector.intake.pushes import event

DONE = {"verb": "rescan", "outcome": "done", "result": {"files": 3}}


def test_a_command_waits_in_every_answer_until_the_station_has_answered_it(bureau: Bureau) -> None:
    command_id = bureau.order("宝轮镇骨干", "set_volume", volume=0.6)
    first, again = bureau.push(), bureau.push()
    told = event(1, "command.answered", command=command_id, verb="set_volume", outcome="done", result={"volume": 0.6})
    last = bureau.push(told)

    assert first.commands == [{"id": command_id, "verb": "set_volume", "arguments": {"volume": 0.6}}]
    assert Command.model_validate(first.commands[0]).verb == Verb.SET_VOLUME
    assert again.commands == first.commands
    assert last.commands == []
    row = bureau.commands()[0]
    assert (row.outcome, row.result, row.answered_ms) == ("done", {"volume": 0.6}, bureau.now_ms)


def test_the_order_and_its_answer_are_in_the_audit_trail(bureau: Bureau) -> None:
    command_id = bureau.order("主任", "projector_off")
    told = event(
        1, "command.answered", command=command_id, verb="projector_off", outcome="refused", reason="no projector"
    )
    bureau.push(told)
    bureau.push(told)

    assert [(action, place, person) for action, place, person, _ in bureau.audited()] == [
        ("command.sent", "station/1", bureau.district.people["主任"]),
        ("command.answered", "station/1", None),
    ]
    assert bureau.audited()[1][3] == {"command": command_id, "outcome": "refused", "reason": "no projector"}


def test_commands_come_in_the_order_they_were_given(bureau: Bureau) -> None:
    given = []
    for verb in ("rescan", "unmute", "send_diagnostics"):
        given.append(bureau.order("主任", verb))
        bureau.clock.advance(seconds=1)

    assert [each["id"] for each in bureau.push().commands] == given


def test_an_order_nobody_took_for_an_hour_is_taken_back(bureau: Bureau) -> None:
    bureau.order("主任", "projector_on")
    bureau.clock.advance(seconds=VALID_MS / 1000)

    assert bureau.push().commands == []


def test_a_station_hears_of_its_own_commands_only(bureau: Bureau) -> None:
    bureau.order("主任", "rescan", station="三堆镇 石龙村")

    assert bureau.push().commands == []


@pytest.mark.parametrize(
    ("name", "station"),
    [("主任", "三堆镇 石龙村"), ("宝轮镇骨干", "宝轮镇 爱国社区"), ("宝轮镇管理员", "宝轮镇 爱国社区")],
)
def test_those_who_look_after_a_station_may_command_it(bureau: Bureau, name: str, station: str) -> None:
    assert bureau.order(name, "rescan", station=station)


@pytest.mark.parametrize("name", ["宝轮镇骨干", "宝轮镇管理员"])
def test_a_station_of_another_township_may_not_be_commanded(bureau: Bureau, name: str) -> None:
    with pytest.raises(NotAllowedError):
        bureau.order(name, "rescan", station="三堆镇 石龙村")
    assert bureau.audited() == []


def test_a_role_without_the_right_may_command_nothing(bureau: Bureau) -> None:
    bureau.district.people["领导"] = bureau.add_leader()

    with pytest.raises(NotAllowedError):
        bureau.order("领导", "rescan")


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("reboot", {}),
        ("", {}),
        ("rescan; rm -rf /", {}),
        ("set_volume", {}),
        ("set_volume", {"volume": 1.5}),
        ("set_volume", {"volume": "loud"}),
        ("set_volume", {"volume": float("nan")}),
        ("rescan", {"command": "sh"}),
    ],
)
def test_what_is_not_in_the_list_cannot_be_ordered(bureau: Bureau, verb: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(BadInputError):
        bureau.order("主任", verb, **arguments)
    assert bureau.commands() == []


def test_a_station_that_is_not_there_cannot_be_commanded(bureau: Bureau) -> None:
    bureau.district.stations["没有的村"] = 99

    with pytest.raises(NotFoundError):
        bureau.order("主任", "rescan", station="没有的村")


def test_a_heap_of_commands_is_refused(bureau: Bureau) -> None:
    for _ in range(10):
        bureau.order("主任", "rescan")

    with pytest.raises(ConflictError):
        bureau.order("主任", "rescan")
    assert len(bureau.push().commands) == 10


@pytest.mark.parametrize(
    "data",
    [
        {"command": "f" * 16, **DONE},
        {"command": "", **DONE},
        {"command": "x" * 16, "verb": "rescan", "outcome": "splendid"},
    ],
)
def test_an_answer_to_nothing_or_in_no_form_is_kept_and_closes_nothing(bureau: Bureau, data: dict[str, object]) -> None:
    bureau.order("主任", "rescan")

    answer = bureau.push(event(1, "command.answered", **data))

    assert answer.stored == 1
    assert len(answer.commands) == 1
    assert [each[0] for each in bureau.audited()] == ["command.sent"]


def test_the_first_answer_counts(bureau: Bureau) -> None:
    command_id = bureau.order("主任", "rescan")
    first = event(1, "command.answered", command=command_id, **DONE)
    bureau.push(first)
    bureau.clock.advance(minutes=5)
    second = event(2, "command.answered", command=command_id, verb="rescan", outcome="failed", reason="late")
    bureau.push(second, first=2, head=chain.extend(chain.START, first))

    assert bureau.commands()[0].outcome == "done"
