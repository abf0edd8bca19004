import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.wire import kinds, v1

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
EVENT = {"seq": 1, "kind": "clock.jumped", "at": 0, "boot": "ab", "mono": 0, "data": {"by_ms": 5}}


def line(**changes: object) -> bytes:
    return v1.dump_line({**EVENT, **changes})


@given(st.dictionaries(st.text(max_size=9), JSON, max_size=4))
def test_a_line_is_one_line_of_json_whatever_it_holds(value: dict[str, object]) -> None:
    dumped = v1.dump_line(value)

    assert b"\n" not in dumped
    assert json.loads(dumped) == value


def test_a_file_name_that_is_no_utf_8_can_still_be_sent() -> None:
    assert v1.dump_line({"name": "课\udcff件"}) == '{"name":"课?件"}'.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_json_does_not_have_is_refused_on_the_station(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        v1.dump_line({"x": value})


@given(st.dictionaries(st.text(max_size=9), JSON, max_size=4))
def test_an_unknown_kind_carries_anything(data: dict[str, object]) -> None:
    event = v1.read_event(line(kind="tide.measured", data=data))

    assert event.data == data


@pytest.mark.parametrize(
    "changes",
    [
        {"seq": 0},
        {"seq": "1x"},
        {"kind": ""},
        {"kind": "x" * 61},
        {"at": 2**53 + 1},
        {"boot": "not a boot"},
        {"mono": -1},
        {"data": []},
        {"data": {}},
        {"data": {"by_ms": "soon"}},
    ],
    ids=str,
)
def test_an_event_out_of_bounds_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        v1.read_event(line(**changes))


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b'{"seq":1}', b"\xff\xfe", b'{"seq":NaN}'])
def test_what_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(ValidationError):
        v1.read_event(body)


@pytest.mark.parametrize("year_0", [-62_135_596_800_000, 0, 253_402_300_799_000])
def test_a_clock_may_say_any_year(year_0: int) -> None:
    assert v1.read_event(line(at=year_0)).at == year_0


def test_every_kind_is_a_fact_of_the_past_with_a_subject() -> None:
    assert all(len(kind.split(".")) == 2 for kind in kinds.KINDS)
    assert all(len(kind) <= 60 for kind in kinds.KINDS)


def test_an_envelope_of_another_version_is_not_taken_for_this_one() -> None:
    with pytest.raises(ValidationError, match="wire"):
        v1.Envelope.model_validate({"wire": 2})


def test_an_answer_needs_only_what_rules_the_cursor_and_the_time() -> None:
    answer = v1.Answer.model_validate_json(b'{"stored": 7, "time": 1788000000000}')

    assert (answer.stored, answer.pace.max_events, answer.pace.wait_ms) == (7, v1.MAX_EVENTS, 0)
    assert (answer.want, answer.commands, answer.settings_version) == ([], [], 0)
