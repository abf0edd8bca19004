"""Pushes packed against the one before: a quiet day's bytes rest on it, and nothing may be lost by it."""

import pytest

from collector.errors import PushRefusedError
from collector.intake.dictionaries import Dictionaries
from collector.intake.unpacking import unpack
from shared.wire.packing import dictionary_of, is_with_dictionary, pack
from tests.collector.intake.pushes import envelope, event, packed

STATION = "510802/1"
FIRST = envelope(STATION)


def body(*lines: bytes) -> bytes:
    return b"\n".join(lines) + b"\n"


def test_a_push_packed_against_the_one_before_is_the_same_and_a_tenth_of_it() -> None:
    second = envelope(STATION, first=2, heartbeat={"mono": 301_000, "wall": 1_788_000_300_000})
    plain = body(second, event(2))
    slim = pack(plain, dictionary_of(FIRST))
    assert is_with_dictionary(slim)
    assert len(pack(body(second), dictionary_of(FIRST))) < len(packed(second)) / 2
    read = unpack(slim, dictionary_of(FIRST))
    assert (read.first, read.lines) == (second, (event(2),))


@pytest.mark.parametrize("held", [b"", b"another", FIRST[:-1]])
def test_a_dictionary_that_is_not_held_is_asked_to_be_done_without(held: bytes) -> None:
    with pytest.raises(PushRefusedError) as refused:
        unpack(pack(body(FIRST), dictionary_of(FIRST)), held)
    assert (refused.value.status, refused.value.problem) == (412, "unknown-dictionary")


def test_a_bomb_packed_with_a_dictionary_is_refused_before_it_is_unpacked() -> None:
    with pytest.raises(PushRefusedError) as refused:
        unpack(pack(bytes(200 << 20), FIRST), FIRST)
    assert refused.value.problem == "too-large"


def test_a_line_longer_than_the_window_is_a_dictionary_by_its_end() -> None:
    long = FIRST + b" " * 40_000 + b'"end"'
    plain = body(FIRST, event(1))
    assert unpack(pack(plain, dictionary_of(long)), dictionary_of(long)).lines == (event(1),)


def test_of_more_stations_than_can_be_kept_those_heard_last_are() -> None:
    kept = Dictionaries(most=2)
    for station in ("1", "2", "1", "3"):
        kept.keep(station, b"line of " + station.encode())
    assert [kept.get(station) for station in ("1", "2", "3")] == [b"line of 1", b"", b"line of 3"]
