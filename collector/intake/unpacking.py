"""From the bytes of a push to its envelope and lines. Pure; refuses with a reason that says what to do."""

import zlib
from typing import NamedTuple

from pydantic import ValidationError

from collector.errors import PushRefusedError
from collector.intake.structs import NOT_TAKEN, reader_of
from shared.wire.packing import UNKNOWN_DICTIONARY, is_with_dictionary
from shared.wire.v1 import MAX_BODY_BYTES, MAX_EVENTS, MAX_LINE_BYTES, Envelope

_CHUNK = 16 * 1024
_READ = reader_of(Envelope)


class Push(NamedTuple):
    """One push as received: its envelope, the raw bytes of its event lines and those of the first line."""

    envelope: Envelope
    lines: tuple[bytes, ...]
    first: bytes = b""


def unpack(body: bytes, dictionary: bytes = b"") -> Push:
    """Unpack an NDJSON body, gzip or packed with the dictionary.

    Raises PushRefusedError for one that is cut, too large or not in the form.
    """
    first, *rest = inflate(body, dictionary).split(b"\n")
    lines = tuple(rest[:-1] if rest and rest[-1] == b"" else rest)
    if len(lines) > MAX_EVENTS:
        raise PushRefusedError(413, "too-many-events", f"at most {MAX_EVENTS} events a push; send fewer")
    if max(map(len, lines), default=0) > MAX_LINE_BYTES:
        raise PushRefusedError(413, "line-too-long", f"a line has at most {MAX_LINE_BYTES} bytes")
    return Push(_read_envelope(first), lines, first)


def _read_envelope(first: bytes) -> Envelope:
    try:
        return _READ(first)
    except NOT_TAKEN:
        pass
    try:
        return Envelope.model_validate_json(first)
    except ValidationError as error:
        where = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:3])
        raise PushRefusedError(400, "bad-envelope", f"the first line is no envelope of wire 1 ({where})") from error


def inflate(body: bytes, dictionary: bytes = b"", *, limit: int = MAX_BODY_BYTES) -> bytes:
    """The unpacked bytes, never more than `limit` of them in memory."""
    packed_so = is_with_dictionary(body)
    unpacker = zlib.decompressobj(wbits=15, zdict=dictionary) if packed_so else zlib.decompressobj(wbits=31)
    parts: list[bytes] = []
    size = 0
    pending = body
    try:
        while pending and not unpacker.eof:
            part = unpacker.decompress(pending, _CHUNK)
            pending = unpacker.unconsumed_tail
            size += len(part)
            if size > limit:
                raise PushRefusedError(
                    413, "too-large", f"the body unpacks to more than {limit} bytes; send fewer events"
                )
            parts.append(part)
    except zlib.error as error:
        if packed_so:
            raise PushRefusedError(412, UNKNOWN_DICTIONARY, "pack it without a dictionary and send it again") from error
        raise PushRefusedError(400, "bad-gzip", "the body is not gzip; send it again") from error
    if not unpacker.eof:
        raise PushRefusedError(400, "cut-body", "the body ends too early; send it again")
    return b"".join(parts)
