"""Reads one line of a push. Pure.

Lines as our own agents write them are read in one pass; whatever is written otherwise, or does not fit, takes the
longer way, which alone refuses and says why. Both ways find the same (`tests/collector/intake/test_reading.py`).
"""

import re
from typing import NamedTuple

from pydantic import ValidationError

from collector.errors import PushRefusedError
from shared.wire import kinds
from shared.wire.v1 import MOST, Event

_NUMBER = rb"(0|[1-9][0-9]{0,15})"
_BEGINNING = re.compile(
    rb'\{"seq":' + _NUMBER + rb',"kind":"([a-z_.]{1,60})","at":' + _NUMBER + rb',"boot":"([0-9a-f-]{1,36})",'
    rb'"mono":' + _NUMBER + rb',"data":(?=\{)'
)
_DATA = {
    kind.encode(): (kind, model.__pydantic_validator__)
    for kind, model in kinds.KINDS.items()
    if model is not kinds.SpoolGap
}
_DEEP = 50


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
    if found is None or line[-2:] != b"}}" or line.count(b"{") + line.count(b"[") > _DEEP:
        return None
    seq, kind, at, boot, mono = found.groups()
    known = _DATA.get(kind)
    place, at_ms, mono_ms = int(seq), int(at), int(mono)
    if known is None or place != expected or place < 1 or max(place, at_ms, mono_ms) > MOST:
        return None
    try:
        known[1].validate_json(line[found.end() : -1])
    except ValidationError:
        return None
    return Admitted(place, place, line, Fact(known[0], at_ms, boot.decode(), mono_ms), None)


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
