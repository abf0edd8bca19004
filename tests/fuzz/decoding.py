"""What is fuzzed: bytes of a stranger through decoder and admission, and what must hold whatever they are.

The first byte chooses the depth at which the rest comes in, so that mutations reach the inner rooms without having
to guess a checksum.
"""

import zlib

from collector.errors import PushRefusedError
from collector.intake.admission import Admission, admit, last_told
from collector.intake.unpacking import inflate, unpack
from shared import chain, signing
from shared.wire.v1 import MAX_BODY_BYTES, MAX_EVENTS, MAX_LINE_BYTES

BODY, LINES, EVENTS, HEADER, BOMB = range(5)
DICTIONARY = b'{"wire":1,"station":"510802/1","stream":"55555555555555555555555555555555","from":1,"head":"'
ALGORITHMS = (signing.ALGORITHM, "hmac-sha256", "tag")


def decode(data: bytes) -> None:
    """Let the bytes in. Raises AssertionError, or whatever escapes, when a stranger could do harm with them."""
    depth, rest = (data[0] % 5, data[1:]) if data else (BODY, b"")
    if depth == HEADER:
        _claim(rest.decode("latin-1"))
        return
    if depth == EVENTS:
        _admit(rest.split(b"\n"))
        return
    if depth == BOMB:
        _blow_up(rest)
        return
    try:
        push = unpack(rest if depth == BODY else _pack(rest), DICTIONARY)
    except PushRefusedError as error:
        _is_said(error)
        return
    assert len(push.lines) <= MAX_EVENTS
    assert max(map(len, push.lines), default=0) <= MAX_LINE_BYTES
    _admit(push.lines, first=push.envelope.first, head=bytes.fromhex(push.envelope.head))


def _pack(content: bytes) -> bytes:
    packer = zlib.compressobj(0, wbits=31)
    return packer.compress(content) + packer.flush()


def _admit(lines: tuple[bytes, ...] | list[bytes], *, first: int = 1, head: bytes = chain.START) -> None:
    told = last_told(lines, first)
    assert told is None or told.differs(told.line) is False
    # Half of them continue what is stored, half come to an empty stream.
    stored, stored_head = (0, chain.START) if head[0] % 2 else (first - 1, head)
    try:
        admission = admit(first=first, head=head, lines=lines, stored=stored, stored_head=stored_head)
    except PushRefusedError as error:
        _is_said(error)
    else:
        _holds_together(admission, stored)


def _holds_together(admission: Admission, stored: int) -> None:
    """What is appended joins what is stored without a hole and without a double."""
    assert admission.stored >= stored
    assert len(admission.head) == len(chain.START)
    upto = stored
    for row in admission.rows:
        assert row.seq == upto + 1
        assert row.upto >= row.seq
        assert (row.fact is None) <= (row.refused is not None)
        upto = row.upto
    assert upto == admission.stored


def _claim(header: str) -> None:
    try:
        claim = signing.read_claim(header, ALGORITHMS)
    except signing.BadSignature:
        return
    district, station = map(int, claim.station.split("/"))
    assert district >= 0 <= station


def _blow_up(seed: bytes) -> None:
    """A little that unpacks to a lot; what comes out is never more than the limit."""
    packer = zlib.compressobj(1, wbits=31)
    limit = 1 << (8 + (seed[0] if seed else 0) % 4)
    bomb = packer.compress(seed * (1 + 2 * limit // max(len(seed), 1))) + packer.flush()
    try:
        assert len(inflate(bomb, limit=limit)) <= limit < MAX_BODY_BYTES
    except PushRefusedError as error:
        _is_said(error)


def _is_said(error: PushRefusedError) -> None:
    """A refusal is one a station can act upon."""
    assert 400 <= error.status < 500
    assert error.problem
    assert str(error)
