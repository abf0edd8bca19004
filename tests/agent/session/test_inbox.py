"""What helpers bring is believed as little as a journal, kept once, and bounded."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.session import inbox
from tests.agent.session.ear import SID, Ear, line
from tests.clocks import ManualClock

Spoil = Callable[[ManualClock], bytes]


@pytest.fixture
def ear(tmp_path: Path, clock: ManualClock) -> Ear:
    return Ear(tmp_path, clock)


def test_a_line_goes_into_its_players_journal(ear: Ear) -> None:
    assert ear.inbox.take(line(ear.clock), ear.clock.now()) == "played"
    assert [path.name for path in ear.inbox.folder.iterdir()] == [f"play-vlc-{SID}.jsonl"]
    assert [each["pos"] for each in ear.kept()] == [1.0]


def test_a_line_told_again_is_kept_once_also_after_a_restart(ear: Ear) -> None:
    told = line(ear.clock)
    assert [ear.inbox.take(told, ear.clock.now()) for _ in range(2)] == ["played"] * 2
    ear.__post_init__()
    assert ear.inbox.take(told, ear.clock.now()) == "played"
    ear.clock.advance(seconds=1)
    ear.inbox.take(line(ear.clock), ear.clock.now())
    assert len(ear.kept()) == 2


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"",
        lambda _: b"\xff\x00",
        lambda _: b"[" * 5000,
        lambda _: b"[]",
        lambda clock: line(clock, boot="f" * 32),
        lambda clock: line(clock, mono=clock.now().mono_ms + 5000),
        lambda clock: line(clock, mono=True),
        lambda clock: line(clock, mono=-1),
        lambda clock: line(clock, sid="../../etc/x"),
        lambda clock: line(clock, player="../x"),
        lambda clock: line(clock, player=""),
        lambda clock: line(clock, n="many"),
        lambda clock: line(clock, tell="secret"),
        lambda clock: line(clock, tell="sound", audio="loud"),
        lambda clock: line(clock, tell="sound", audio={"volume": "loud"}),
        lambda clock: line(clock, tell="sound"),
    ],
)
def test_nonsense_leaves_no_trace(ear: Ear, spoil: Spoil) -> None:
    assert ear.inbox.take(spoil(ear.clock), ear.clock.now()) is None
    assert (ear.kept(), ear.inbox.status.exists()) == ([], False)


def test_the_newest_sound_replaces_the_older_and_brings_no_field_of_its_own(ear: Ear) -> None:
    audio: dict[str, Any] = {"server": True, "volume": 0.5, "song": "x" * 9000}
    assert ear.inbox.take(line(ear.clock, tell="sound", audio={"server": False}), ear.clock.now()) == "sound"
    assert ear.inbox.take(line(ear.clock, tell="sound", audio=audio), ear.clock.now()) == "sound"
    told = json.loads(ear.inbox.status.read_bytes())
    assert (told["audio"]["volume"], "song" in told["audio"]) == (0.5, False)
    ear.inbox.clear_status()
    assert not ear.inbox.status.exists()


def test_all_journals_together_stay_below_their_bound(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "MAX_BYTES", 1000)
    with pytest.raises(OSError, match="bound"):
        fill(ear, 100)
    assert sum(path.stat().st_size for path in ear.inbox.folder.iterdir()) <= 1000


def test_no_more_than_so_many_players_are_kept(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "MAX_FILES", 3)
    with pytest.raises(OSError, match="bound"):
        fill(ear, 9, players=True)
    assert len(list(ear.inbox.folder.iterdir())) == 3


def fill(ear: Ear, count: int, *, players: bool = False) -> None:
    for number in range(count):
        ear.clock.advance(seconds=1)
        ear.inbox.take(line(ear.clock, sid=f"b-{number * players}-1"), ear.clock.now())


def test_a_journal_that_is_a_link_is_not_followed(ear: Ear, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"")
    (ear.inbox.folder / f"play-vlc-{SID}.jsonl").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic"):
        ear.inbox.take(line(ear.clock), ear.clock.now())
    assert victim.read_bytes() == b""
