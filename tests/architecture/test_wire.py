"""The wire never changes under a station's feet: schema and golden samples are compared byte for byte."""

import hashlib
import json
from pathlib import Path

import pytest
from nacl.signing import SigningKey
from pydantic import BaseModel, ValidationError

from shared import chain, codes, signing
from shared.wire import kinds, v1
from shared.wire.schema import make_schema

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "shared" / "wire" / "samples" / "v1"
SUMS = ROOT / "tests" / "samples" / "wire_v1.sha256"
MODELS: dict[str, type[BaseModel]] = {
    "answer": v1.Answer,
    "enrol.answer": v1.EnrolAnswer,
    "enrol.request": v1.EnrolRequest,
    "envelope": v1.Envelope,
    "event": v1.Event,
}


def read(name: str) -> bytes:
    """One sample without its closing line feed."""
    return (SAMPLES / name).read_bytes().removesuffix(b"\n")


def model_of(name: str) -> type[BaseModel]:
    return next(model for start, model in MODELS.items() if name.startswith(f"{start}."))


MESSAGES = sorted(path.name for path in SAMPLES.glob("*.json") if path.name != "signature.json")
EVENTS = [name for name in MESSAGES if name.startswith("event.")]


def test_the_committed_schema_is_the_one_the_models_make() -> None:
    committed = (ROOT / "shared" / "wire" / "v1.schema.json").read_text("utf-8")

    assert committed == make_schema(), "run: python -m shared.wire.schema > shared/wire/v1.schema.json"


def test_golden_samples_are_never_edited_and_none_is_unlisted() -> None:
    rows = [line.split(maxsplit=1) for line in SUMS.read_text("ascii").splitlines()]
    listed = {name: digest for digest, name in rows}

    present = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in SAMPLES.iterdir()}

    assert present == listed, "restore the sample; a new one gets a line of its own in tests/samples/wire_v1.sha256"


@pytest.mark.parametrize("name", MESSAGES)
def test_a_sample_is_read_and_written_again_to_the_same_bytes(name: str) -> None:
    line = read(name)

    message = model_of(name).model_validate_json(line)

    assert v1.dump_line(message.model_dump(by_alias=True, exclude_unset=True)) == line


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_sample_passes_the_reading_that_stations_and_centre_use(name: str) -> None:
    assert v1.read_event(read(name)).seq > 0


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_every_kind_of_event_has_a_golden_sample(kind: str) -> None:
    event = v1.read_event(read(f"event.{kind}.json"))

    assert event.kind == kind


def test_an_unknown_kind_is_kept_whole() -> None:
    event = v1.read_event(read("event.unknown_kind.json"))

    assert kinds.check(event.kind, event.data) is None
    assert event.data == {"rain_mm": 12.5, "by": ["雨量计"]}


def test_unknown_fields_are_kept_whole_at_every_depth() -> None:
    envelope = v1.Envelope.model_validate_json(read("envelope.unknown_fields.json"))
    event = v1.read_event(read("event.unknown_fields.json"))
    data = kinds.check(event.kind, event.data)

    assert envelope.model_extra == {"relay": "township-5"}
    assert envelope.heartbeat.model_extra == {"load": [0.1, 0.2]}
    assert envelope.heartbeat.spool.model_extra == {"ballast": True}
    assert event.model_extra == {"sealed": True}
    assert data is not None
    assert data.model_extra == {"why": "disk cleared"}


@pytest.mark.parametrize(("kind", "field"), [(k, f) for k, m in kinds.KINDS.items() for f in m.model_fields])
def test_a_field_of_a_kind_is_either_required_from_the_first_day_or_has_a_default(kind: str, field: str) -> None:
    """The law: fields are only added, with a default. What is required today is all that may ever be required."""
    data = dict(json.loads(read(f"event.{kind}.json"))["data"])
    data.pop(field, None)

    required = kinds.KINDS[kind].model_fields[field].is_required()

    assert required == _is_refused(kind, data)
    assert not required or field in REQUIRED_FOR_EVER[kind]


def _is_refused(kind: str, data: dict[str, object]) -> bool:
    try:
        kinds.check(kind, data)
    except ValidationError:
        return True
    return False


def test_the_whole_push_is_chained_as_its_head_says() -> None:
    first, *lines = (SAMPLES / "push.ndjson").read_bytes().splitlines()
    envelope = v1.Envelope.model_validate_json(first)

    head = chain.extend_all(bytes.fromhex(envelope.head), lines)

    assert head.hex() == read("push.head.txt").decode()
    assert [v1.read_event(line).seq for line in lines] == list(range(envelope.first, envelope.first + len(lines)))


def test_the_golden_signature_is_made_and_accepted_for_ever() -> None:
    golden = json.loads(read("signature.json"))
    key, body = SigningKey(bytes.fromhex(golden["seed"])), golden["body"].encode()
    method, path = golden["method"], golden["path"]

    made = signing.authorization(key, method=method, path=path, station=golden["station"], body=body)
    signing.verify(signing.read_claim(made), bytes(key.verify_key), method=method, path=path, body=body)

    assert made == golden["authorization"]


def test_the_code_in_the_enrolment_sample_is_one_a_person_can_type() -> None:
    request = v1.EnrolRequest.model_validate_json(read("enrol.request.json"))

    assert codes.normalise(codes.pretty(request.code).lower()) == request.code


REQUIRED_FOR_EVER = {
    "courseware.received": {"sha256", "name", "title", "size"},
    "courseware.found": {"sha256", "name", "title", "size"},
    "courseware.removed": {"sha256", "name"},
    "courseware.listed": {"took_s"},
    "courseware.rejected": {"name", "size", "reason"},
    "playback.started": {"playback", "title", "name", "player", "via"},
    "playback.progress": {"playback", "title", "name", "player", "via", "content_s", "played_s"},
    "playback.ended": {"playback", "title", "name", "player", "via", "content_s", "played_s", "reason"},
    "session.claimed": {"session", "kind", "topic", "begin_ms", "end_ms", "people", "visits"},
    "host.booted": {"clean"},
    "clock.jumped": {"by_ms"},
    "device.changed": {"device", "before", "after"},
    "host.rolled_back": {"turns"},
    "command.answered": {"command", "verb", "outcome"},
    "upgrade.ended": {"version", "outcome", "running"},
    "stream.opened": {"reason"},
    "spool.gap": {"first", "last", "counts", "head"},
}
