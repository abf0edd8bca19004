"""Bugs that were, or could be, in the decoder: the fuzzer must find each, or it finds nothing."""

import json
import zlib
from collections.abc import Callable, Sequence
from types import ModuleType

from collector.intake import admission, reading, unpacking
from collector.intake.admission import Admission
from collector.intake.reading import Admitted, Fact

_read_line = reading.read_line
_admit = admission.admit


def _let_zlib_complain() -> None:
    """No answer to a body that is not what it says it is."""
    from tests.fuzz import decoding  # noqa: PLC0415 - the module that is spoilt, once it is loaded

    def inflate(body: bytes, dictionary: bytes = b"", *, limit: int = 0) -> bytes:
        return zlib.decompress(body, wbits=31)

    _replace(inflate, unpacking, decoding)


def _unpack_without_limit() -> None:
    from tests.fuzz import decoding  # noqa: PLC0415 - as above

    whole = unpacking.inflate

    def inflate(body: bytes, dictionary: bytes = b"", *, limit: int = 0) -> bytes:
        return whole(body, dictionary, limit=1 << 30)

    _replace(inflate, decoding)


def _read_json_raw() -> None:
    """`json.loads` on a stranger's bytes: any error but ours, and a stack that ends."""

    def read_line(line: bytes, expected: int) -> Admitted:
        event = json.loads(line)
        fact = Fact(event["kind"], event["at"], event["boot"], event["mono"])
        return Admitted(expected, expected, line, fact, None)

    _replace(read_line, admission)


def _believe_every_gap() -> None:
    """A gap that ends before it begins takes the stream back."""

    def read_line(line: bytes, expected: int) -> Admitted:
        read = _read_line(line, expected)
        return read if b"spool.gap" not in line else read._replace(upto=read.upto - 2, refused=None)

    _replace(read_line, admission)


def _store_twice() -> None:
    """Lines that are stored already are appended again."""
    from tests.fuzz import decoding  # noqa: PLC0415 - as above

    def admit(*, first: int, head: bytes, lines: Sequence[bytes], stored: int, stored_head: bytes) -> Admission:
        made = _admit(first=first, head=head, lines=lines, stored=stored, stored_head=stored_head)
        return made._replace(rows=made.rows[:1] + made.rows)

    _replace(admit, decoding)


def _replace(spoilt: Callable[..., object], *modules: ModuleType) -> None:
    for module in modules:
        setattr(module, spoilt.__name__, spoilt)


PLANTS: dict[str, Callable[[], None]] = {
    "zlib-complains": _let_zlib_complain,
    "no-limit": _unpack_without_limit,
    "raw-json": _read_json_raw,
    "any-gap": _believe_every_gap,
    "stored-twice": _store_twice,
}
