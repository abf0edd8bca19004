"""The doorbell that hears a projector's notices, and strangers at the door."""

import os
import socket
import time
from collections.abc import Iterator

import pytest

from agent.probes import _notices
from agent.probes._notices import Doorbell
from tests.devices.processes import wait_until

PROJECTOR, STRANGER = "127.0.0.1", "127.0.0.2"


@pytest.fixture
def bell() -> Iterator[Doorbell]:
    made = _notices.hang(PROJECTOR, 0)
    assert made is not None
    yield made
    made.close()


def knock(bell: Doorbell, *words: bytes, sender: str = PROJECTOR) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind((sender, 0))
        for each in words:
            door.sendto(each, ("127.0.0.1", bell.port))


def hears_nothing(bell: Doorbell) -> bool:
    """A true notice behind what came before is heard, so that all before it has been judged."""
    time.sleep(0.3)
    return not bell.is_rung()


@pytest.mark.parametrize("words", [b"%2POWR=1\r", b"%2LKUP=00:26:ab:00:00:01", b"%2erst=000010\r\n\0", b"%2INPT=31\r"])
def test_a_notice_of_the_projector_rings(bell: Doorbell, words: bytes) -> None:
    knock(bell, words)

    wait_until(bell.is_rung, "the ringing")
    bell.calm()
    assert not bell.is_rung()


@pytest.mark.parametrize(
    "words",
    [
        b"",
        b"%1POWR=1\r",
        b"%2SRCH\r",
        b"%2POWR=\r",
        b"%2POWR=" + b"1" * 1000,
        b"\0" * 200,
        os.urandom(200),
        "%2POWR=开\r".encode("gbk"),
    ],
)
def test_anything_else_does_not(bell: Doorbell, words: bytes) -> None:
    knock(bell, words)

    assert hears_nothing(bell)


def test_a_stranger_does_not(bell: Doorbell) -> None:
    knock(bell, b"%2POWR=1\r", sender=STRANGER)

    assert hears_nothing(bell)


def test_a_flood_of_a_stranger_costs_little_and_keeps_nobody_from_closing(bell: Doorbell) -> None:
    began, spent = time.monotonic(), time.process_time()
    while time.monotonic() - began < 0.3:
        knock(bell, *[b"%2POWR=1\r"] * 50, sender=STRANGER)
    flooding_s = time.process_time() - spent
    closing = time.monotonic()
    bell.close()

    assert flooding_s < 2
    assert time.monotonic() - closing < 2
    assert not bell.is_alive()
    assert not bell.is_rung()


def test_a_port_that_is_taken_is_done_without(bell: Doorbell) -> None:
    assert _notices.hang(PROJECTOR, bell.port) is None
