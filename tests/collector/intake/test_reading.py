"""The short way of reading a line finds what the long way finds, or leaves the line to it."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import shared.wire
from collector.errors import PushRefusedError
from collector.intake import reading
from shared.wire.kinds import KINDS
from shared.wire.v1 import dump_line

SHA = "0123456789abcdef" * 4
SAMPLES = Path(shared.wire.__file__).parent / "samples" / "v1"
DATA: dict[str, dict[str, Any]] = {
    path.name.removeprefix("event.").removesuffix(".json"): json.loads(path.read_bytes())["data"]
    for path in SAMPLES.glob("event.*.json")
}
USUAL_KINDS = sorted(set(KINDS) & set(DATA) - {"spool.gap", "command.answered"})
USUAL = {"seq": 7, "kind": "host.booted", "at": 1_790_000_000_000, "boot": "b" * 32, "mono": 5, "data": {}}


def read_both(line: bytes, expected: int = 7) -> tuple[Any, Any]:
    """What each way finds: an admitted line, None for "not mine", or the refusal's text."""
    results: list[Any] = []
    for way in (reading._read_usual, reading._read_any):
        try:
            results.append(way(line, expected))
        except PushRefusedError as error:
            results.append(str(error))
    return results[0], results[1]


@pytest.mark.parametrize("kind", USUAL_KINDS)
def test_lines_as_our_agents_write_them_take_the_short_way(kind: str) -> None:
    line = dump_line(USUAL | {"kind": kind, "data": DATA[kind]})
    short, long = read_both(line)
    assert short is not None
    assert short == long
    assert short.refused is None


numbers = st.one_of(
    st.integers(-3, 3), st.integers(), st.sampled_from([2**53, 2**53 + 1, -(2**53), 7, 10**16, 2**63, 2**70])
)
words = st.one_of(st.text(max_size=5), st.sampled_from([SHA, SHA.upper(), "", "7", "-", "b" * 37, "\x00", "a" * 81]))
leaves = st.one_of(st.none(), st.booleans(), numbers, st.floats(), words)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=6,
)
fields = st.sampled_from(sorted({name for data in DATA.values() for name in data}))
datas = st.one_of(
    trees,
    st.builds(
        lambda kind, more: DATA[kind] | more, st.sampled_from(sorted(DATA)), st.dictionaries(fields, trees, max_size=2)
    ),
)
changes = st.fixed_dictionaries(
    {},
    optional={
        "seq": st.one_of(numbers, leaves),
        "at": st.one_of(numbers, leaves),
        "mono": st.one_of(numbers, leaves),
        "boot": words,
        "kind": st.one_of(words, st.sampled_from(sorted(DATA))),
        "data": datas,
        "more": leaves,
    },
)


def dump(value: Any) -> bytes:
    """JSON as anybody may write it, not-a-number and lone surrogates included."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


@given(st.sampled_from(sorted(DATA)), changes)
def test_both_ways_find_the_same_in_any_line_that_is_json(kind: str, change: dict[str, Any]) -> None:
    short, long = read_both(dump(USUAL | {"kind": kind, "data": DATA[kind]} | change))
    assert short is None or short == long


@given(st.sampled_from(sorted(DATA)), st.integers(0, 400), st.binary(max_size=3), st.integers(0, 3))
def test_both_ways_find_the_same_in_a_damaged_line(kind: str, place: int, put: bytes, cut: int) -> None:
    line = dump(USUAL | {"kind": kind, "data": DATA[kind]})
    place %= len(line) + 1
    short, long = read_both(line[:place] + put + line[place + cut :])
    assert short is None or short == long


BOOTED = b'{"seq":7,"kind":"host.booted","at":%d,"boot":"b","mono":%d,"data":{"clean":true,"x":%s}}'
"""JSON is read to a depth of 200: the first of these is too deep for a line only as a whole."""
DEEP = [BOOTED % (1, 1, b"[" * depth + b"]" * depth) for depth in (200, 300)]
ODD = [
    b'{"seq":7,"kind":"host.booted","at":1,"boot":"b","mono":1,"data":{"clean":true},"data":{"clean":false}}',
    b'{"seq":7,"kind":"host.booted","at":1,"boot":"b","mono":1,"data":{"clean":true},"seq":8,"x":{}}',
    b'{"seq":7,"kind":"host.booted","at":1,"boot":"b","mono":1,"data":{"clean":true}}}',
    b'{"seq":07,"kind":"host.booted","at":1,"boot":"b","mono":1,"data":{"clean":true}}',
    b'{"seq":7,"kind":"host.booted","at":-0,"boot":"b","mono":1,"data":{"clean":true}}',
    BOOTED % (2**53 + 1, 1, b"1"),
    BOOTED % (1, 2**53 + 1, b"1"),
    BOOTED % (1, 1, b"1" * 5000),
    *DEEP,
    b'{"seq":7,"kind":"host.booted","at":1,"boot":"b","mono":1,"data": {"clean":true} }',
    b'{"seq":7,"kind":"host.booted","at":1,"boot":"b","mono":1,"data":{"clean":"yes"}}',
    b'{"seq":7,"kind":"clock.jumped","at":1,"boot":"b","mono":1,"data":{"by_ms":"12"}}',
    b'{"seq":7,"kind":"clock.jumped","at":1,"boot":"b","mono":1,"data":{"by_ms":12.0}}',
    b'{"seq":7,"kind":"clock.jumped","at":1,"boot":"b","mono":1,"data":{"by_ms":1,"x":NaN}}',
    b'{"seq":7,"kind":"clock.jumped","at":1,"boot":"b","mono":1,"data":{"by_ms":1,"x":"\xff"}}',
]


@pytest.mark.parametrize("line", ODD)
def test_both_ways_find_the_same_in_lines_that_are_meant_to_part_them(line: bytes) -> None:
    short, long = read_both(line)
    assert short is None or short == long
