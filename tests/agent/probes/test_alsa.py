"""Sound cards as the kernel shows them, from a tree laid out as `/proc/asound` is."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.probes.alsa import PROBE, AlsaSensor, AlsaSettings
from shared.wire.states import AlsaState
from tests.clocks import ManualClock

NOW = ManualClock().now()
TWO_CARDS = b"""\
 0 [PCH            ]: HDA-Intel - HDA Intel PCH
                      HDA Intel PCH at 0xf7f10000 irq 31
 1 [Device         ]: USB-Audio - USB Audio Device
                      C-Media Electronics Inc. USB Audio Device at usb-0000:00:14.0-2, full speed
"""
NO_CARDS = b"--- no soundcards ---\n"
RUNNING = b"state: RUNNING\nowner_pid   : 2821\ntrigger_time: 1234.567\n-----\n"
CLOSED = b"closed\n"


class Cards:
    def __init__(self, root: Path) -> None:
        self.root = root

    def list(self, text: bytes) -> None:
        (self.root / "cards").write_bytes(text)

    def put(self, card: int, output: str, status: bytes) -> Path:
        folder = self.root / f"card{card}" / output / "sub0"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "status").write_bytes(status)
        return folder / "status"

    def look(self) -> AlsaState:
        return AlsaState.model_validate(AlsaSensor(AlsaSettings(root=self.root)).read(NOW).state)


@pytest.fixture
def cards(tmp_path: Path) -> Cards:
    return Cards(tmp_path)


def test_cards_are_named_and_what_plays_is_told(cards: Cards) -> None:
    cards.list(TWO_CARDS)
    cards.put(0, "pcm0p", CLOSED)
    cards.put(0, "pcm3p", RUNNING)
    cards.put(1, "pcm0p", RUNNING.replace(b"RUNNING", b"DRAINING"))

    assert cards.look() == AlsaState(cards=["PCH", "Device"], running=["PCH/3", "Device/0"])


def test_a_recording_and_a_pause_are_no_playing(cards: Cards) -> None:
    cards.list(TWO_CARDS)
    cards.put(0, "pcm0c", RUNNING)
    cards.put(0, "pcm0p", RUNNING.replace(b"RUNNING", b"PAUSED"))

    assert cards.look().running == []


def test_a_card_pulled_out_is_no_longer_there(cards: Cards) -> None:
    cards.list(TWO_CARDS)
    cards.put(1, "pcm0p", RUNNING)
    cards.list(TWO_CARDS.partition(b" 1 [")[0])

    assert cards.look() == AlsaState(cards=["PCH"], running=[])


def test_no_card_is_a_state_and_a_kernel_without_sound_is_no_data(cards: Cards) -> None:
    missing = AlsaSensor(AlsaSettings(root=cards.root / "nowhere")).read(NOW)
    cards.list(NO_CARDS)

    assert missing.state is None
    assert cards.look() == AlsaState(cards=[], running=[])


HOSTILE: Mapping[str, tuple[bytes, list[str]]] = {
    "garbage": (bytes(range(256)), []),
    "a name in GBK": (" 0 [声卡           ]: USB\n".encode("gbk"), ["\ufffd" * 4]),
    "a flood": (TWO_CARDS * 4000, ["PCH", "Device"] * 4),
    "a line without an end": (b" 0 [" + b"x" * 100_000, []),
    "nothing": (b"", []),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_list_that_is_none_gives_no_more_than_it_holds(cards: Cards, name: str) -> None:
    text, expected = HOSTILE[name]
    cards.list(text)

    assert cards.look().cards == expected


def test_a_status_that_vanishes_or_may_not_be_read_counts_as_silent(
    cards: Cards, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards.list(TWO_CARDS)
    cards.put(0, "pcm0p", RUNNING).unlink()
    cards.put(0, "pcm1p", RUNNING)
    cards.put(1, "pcm0p", RUNNING)
    opening = Path.open

    def refuse(path: Path, *rest: Any, **more: Any) -> Any:
        if "pcm1p" in path.parts:
            raise PermissionError(13, os.strerror(13))
        return opening(path, *rest, **more)

    monkeypatch.setattr(Path, "open", refuse)

    assert cards.look().running == ["Device/0"]


def test_a_list_that_may_not_be_read_is_a_failure_of_the_sensor(cards: Cards) -> None:
    (cards.root / "cards").mkdir()

    with pytest.raises(OSError, match="directory"):
        cards.look()


def test_the_sample_has_the_fields_of_the_wire() -> None:
    assert AlsaState.model_validate(PROBE.sample).model_dump() == PROBE.sample
