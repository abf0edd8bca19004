"""Where the fuzzer begins: pushes as agents send them, and the words of the wire."""

from collections.abc import Iterator
from pathlib import Path

from nacl.signing import SigningKey

from shared import chain
from shared.wire.packing import pack
from tests.collector.intake.pushes import envelope, event, packed, signed
from tests.districts import LIZHOU
from tests.fuzz.decoding import BODY, BOMB, DICTIONARY, EVENTS, HEADER, LINES

SAMPLES = Path(__file__).parents[2] / "shared" / "wire" / "samples" / "v1"
STATION = f"{LIZHOU}/1"

WORDS = [
    rf'"\"{word}\":"'
    for word in (
        "seq",
        "kind",
        "at",
        "boot",
        "mono",
        "data",
        "from",
        "head",
        "first",
        "last",
        "stream",
        "lease",
        "heartbeat",
    )
]
WORDS += [r'"spool.gap"', r'"9007199254740992"', r'"-1"', r'"1e999"', r'"[[[[[[[["', r'"\\ud800"', r'"{\"seq\":2,"']


def list_seeds() -> Iterator[bytes]:
    """One input for each depth and each kind of event that the golden samples hold."""
    lines = [event(seq) for seq in (1, 2, 3)]
    content = b"\n".join((envelope(STATION), *lines)) + b"\n"
    header = signed(SigningKey(bytes(32)), STATION, content)["Authorization"]
    yield bytes([BODY]) + packed(envelope(STATION), *lines)
    yield bytes([BODY]) + pack(content, DICTIONARY)
    yield bytes([LINES]) + content
    yield bytes([EVENTS]) + b"\n".join(lines)
    yield bytes([HEADER]) + header.encode()
    yield bytes([BOMB]) + b"0" * 64
    for number, sample in enumerate(sorted(SAMPLES.glob("event.*.json"))):
        line = sample.read_bytes().strip()
        yield bytes([EVENTS]) + b"\n".join((line, event(number + 2)))
        yield bytes([LINES]) + envelope(STATION, head=chain.START) + b"\n" + line
