"""What a struct takes, its model takes too and finds the same in it; the rest is left to the model."""

import contextlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

import shared.wire
from collector.intake.structs import NOT_TAKEN, dump_heartbeat, reader_of
from shared.wire.kinds import KINDS, PlaybackEnded
from shared.wire.v1 import Envelope, Heartbeat
from tests.collector.intake.test_reading import DATA, dump, leaves, trees, words

SAMPLES = Path(shared.wire.__file__).parent / "samples" / "v1"
ENVELOPE: dict[str, Any] = json.loads((SAMPLES / "envelope.json").read_bytes())
LEAST: dict[str, Any] = json.loads((SAMPLES / "envelope.least.json").read_bytes())
MODELS: dict[str, type[BaseModel]] = {"": Envelope, **KINDS}
READERS = {name: reader_of(model) for name, model in MODELS.items()}
GOOD: dict[str, dict[str, Any]] = {"": ENVELOPE, **{name: data for name, data in DATA.items() if name in KINDS}}


def read_both(name: str, content: bytes) -> tuple[Any, Any]:
    """What struct and model find, as plain values by their names on the wire; None where it is not taken."""
    struct: Any = None
    with contextlib.suppress(*NOT_TAKEN):
        struct = msgspec.to_builtins(READERS[name](content))
    try:
        return struct, MODELS[name].model_validate_json(content).model_dump(by_alias=True)
    except ValidationError:
        return struct, None


def filled(name: str, value: dict[str, Any]) -> dict[str, Any]:
    """A struct's builtins leave out what is as if it had not been said; a model's do not."""
    return MODELS[name].model_validate(value).model_dump(by_alias=True)


@pytest.mark.parametrize("name", sorted(GOOD))
def test_what_our_agents_send_is_taken(name: str) -> None:
    struct, model = read_both(name, dump(GOOD[name]))
    assert struct is not None
    assert filled(name, struct) == model


def test_the_least_envelope_has_the_same_defaults() -> None:
    struct: Any = READERS[""](dump(LEAST))
    model = Envelope.model_validate(LEAST)
    for field in Envelope.model_fields.keys() - {"heartbeat"}:
        assert getattr(struct, field) == getattr(model, field)
    for field in ("agent", "probes", "open_hours", "starts"):
        assert getattr(struct.heartbeat, field) == getattr(model.heartbeat, field)
    assert struct.heartbeat.spool.stream == ""
    assert struct.heartbeat.upgrade.reason == ""


@pytest.mark.parametrize("envelope", [ENVELOPE, LEAST])
def test_a_heartbeat_is_kept_as_it_came(envelope: dict[str, Any]) -> None:
    struct: Any = READERS[""](dump(envelope))
    kept = [dump_heartbeat(each.heartbeat) for each in (struct, Envelope.model_validate(envelope))]
    assert [Heartbeat.model_validate_json(each) for each in kept] == [Heartbeat(**envelope["heartbeat"])] * 2


@given(st.sampled_from(sorted(GOOD)), st.data())
def test_with_any_field_changed_both_find_the_same(name: str, data: st.DataObject) -> None:
    changed = json.loads(json.dumps(GOOD[name]))
    inner = changed
    while (
        (key := data.draw(st.sampled_from(sorted(inner)))) and isinstance(inner[key], dict) and data.draw(st.booleans())
    ):
        if not inner[key]:
            break
        inner = inner[key]
    inner[data.draw(st.one_of(st.just(key), words))] = data.draw(st.one_of(leaves, trees))
    struct, model = read_both(name, dump(changed))
    assert struct is None or filled(name, struct) == model


@given(st.sampled_from(sorted(GOOD)), st.integers(0, 2000), st.binary(max_size=3), st.integers(0, 3))
def test_damaged_both_find_the_same(name: str, place: int, put: bytes, cut: int) -> None:
    content = dump(GOOD[name])
    place %= len(content) + 1
    struct, model = read_both(name, content[:place] + put + content[place + cut :])
    assert struct is None or filled(name, struct) == model


PROGRESS = dump(DATA["playback.ended"])
SHA = DATA["playback.ended"]["sha256"]
HEAD = ENVELOPE["head"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("playback.ended", dump(DATA["playback.ended"] | {"sha256": SHA + "\n"}), id="line-feed-after"),
        pytest.param("", dump(ENVELOPE | {"head": HEAD + "\n"}), id="line-feed-after-a-head"),
        pytest.param("", dump(ENVELOPE | {"wire": True}), id="true-for-one"),
        pytest.param("", dump(ENVELOPE | {"wire": 1.0}), id="one-point-nought"),
        pytest.param("", dump(ENVELOPE)[:-1] + b',"wire":2}', id="told-twice"),
        pytest.param("", dump(ENVELOPE)[:-1] + b',"heartbeat":{}}', id="heartbeat-told-twice"),
        pytest.param("", dump(ENVELOPE)[:-1] + b',"x":"\xff"}', id="unknown-field-not-utf8"),
        pytest.param("", dump(ENVELOPE).replace(b'"ok"', rb'"o\ud800"', 1), id="half-a-character"),
        pytest.param("playback.ended", PROGRESS.replace(b'"title":"', rb'"title":"\u0000'), id="nul"),
        pytest.param("playback.ended", PROGRESS[:-1] + b',"begin_ms":1' + b"0" * 400 + b"}", id="huge"),
        pytest.param("playback.ended", PROGRESS[:-1] + b',"coverage":NaN}', id="not-a-number"),
        pytest.param("playback.ended", PROGRESS[:-1] + b',"coverage":1e999}', id="infinite"),
        pytest.param(
            "command.answered", b'{"command":"c","verb":"v","outcome":"done","result":{"a":' + b"[" * 5000, id="deep"
        ),
    ],
)
def test_what_is_meant_to_part_them_does_not(name: str, content: bytes) -> None:
    struct, model = read_both(name, content)
    assert struct is None or filled(name, struct) == model


def test_a_struct_is_only_what_its_model_is() -> None:
    ended: Any = READERS["playback.ended"](PROGRESS)
    assert list(ended.__struct_fields__) == list(PlaybackEnded.model_fields)
