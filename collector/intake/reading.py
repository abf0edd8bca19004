"""Reads one line of a push. Pure.

Lines as our own agents write them are read in one pass; whatever is written otherwise, or does not fit, takes the
longer way, which alone refuses and says why. Both ways find the same (`tests/collector/intake/test_reading.py`).
"""

import re
from typing import NamedTuple

from pydantic import ValidationError

from collector.errors import PushRefusedError
from collector.intake.structs import NOT_TAKEN, reader_of
from shared.wire import kinds
from shared.wire.v1 import Event

_NUMBER = rb"(0|[1-9][0-9]{0,14})"
_BEGINNING = re.compile(
    rb'\{"seq":' + _NUMBER + rb',"kind":"([a-z_.]{1,60})","at":' + _NUMBER + rb',"boot":"([0-9a-f-]{1,36})",'
    rb'"mono":' + _NUMBER + rb',"data":(?=\{)'
)
_RARE = {kinds.SpoolGap, kinds.CommandAnswered}
"""Left to the longer way: a gap is more than a line, an answer may hold anything."""
_USUAL = {kind.encode(): (kind, reader_of(model)) for kind, model in kinds.KINDS.items() if model not in _RARE}


class Fact(NamedTuple):
    """What of an event decides its place in time and among its kind."""

    kind: str
    at: int
    boot: str
    mono: int


class Admitted(NamedTuple):
    """A line to append at `seq`, for all up to `upto`; `fact` is None when `refused` says it is unreadable.

    `gap_head`: the chain after the lines that a declared gap stands for.
    """

    seq: int
    upto: int
    line: bytes
    fact: Fact | None
    refused: str | None
    gap_head: bytes | None = None


def read_line(line: bytes, expected: int) -> Admitted:
    """Read one line that stands at seq `expected`. Raises PushRefusedError when it carries another seq."""
    return _read_usual(line, expected) or _read_any(line, expected)


def _read_usual(line: bytes, expected: int) -> Admitted | None:
    """A line in the usual form that is right in everything, None for any other."""
    found = _BEGINNING.match(line)
    if found is None or line[-2:] != b"}}":
        return None
    seq, kind, at, boot, mono = found.groups()
    if kind not in _USUAL or int(seq) != expected:
        return None
    name, read_data = _USUAL[kind]
    try:
        read_data(line[found.end() : -1])
    except NOT_TAKEN:
        return None
    return Admitted(expected, expected, line, Fact(name, int(at), boot.decode(), int(mono)), None)


def _read_any(line: bytes, expected: int) -> Admitted:
    try:
        event = Event.model_validate_json(line)
    except ValidationError as error:
        return Admitted(expected, expected, line, None, f"not an event: {error.errors()[0]['msg']}")
    if event.seq != expected:
        message = f"line {event.seq} stands where {expected} belongs; send the lines in order"
        raise PushRefusedError(422, "out-of-order", message)
    fact = Fact(event.kind, event.at, event.boot, event.mono)
    try:
        data = kinds.check(event.kind, event.data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return Admitted(expected, expected, line, fact, f"{event.kind}: {where}: {first['msg']}")
    if not isinstance(data, kinds.SpoolGap):
        return Admitted(expected, expected, line, fact, None)
    if data.last < expected:
        return Admitted(expected, expected, line, fact, "spool.gap: it ends before it begins")
    return Admitted(expected, data.last, line, fact, None, bytes.fromhex(data.head))
