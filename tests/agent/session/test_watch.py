"""What the bus and the players say in an order nobody wishes for: a bus made of answers, the watch as it is."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from dbus_fast import Message, MessageType, Variant

from agent.session import watch as module
from agent.session.players import Line
from agent.session.resuming import Memory
from agent.session.watch import Watch
from tests.clocks import ManualClock

VLC = "org.mpris.MediaPlayer2.vlc"
OWNER = ":1.7"
UNKNOWN = "org.freedesktop.DBus.Error.ServiceUnknown"


@dataclass
class Bus:
    """Answers as a bus with one player, VLC. `meanwhile` runs after a call's answer was made, before it is heard."""

    url: str = "file:///srv/courseware/a.mp4"
    present: bool = True
    silent: bool = False
    asked: list[str] = field(default_factory=list)
    meanwhile: dict[str, Callable[[], None]] = field(default_factory=dict)

    async def call(self, message: Message) -> Message:
        member = str(message.member)
        self.asked.append(member)
        answer = self._answer(member)
        self.meanwhile.pop(member, lambda: None)()
        if self.silent and member == "GetAll":
            await asyncio.sleep(60)
        return answer

    def _playing(self) -> dict[str, Variant]:
        return {
            "PlaybackStatus": Variant("s", "Playing"),
            "Metadata": Variant("a{sv}", {"xesam:url": Variant("s", self.url)}),
            "Position": Variant("x", 0),
        }

    def _answer(self, member: str) -> Message:
        answers: dict[str, tuple[str, Any]] = {
            "ListNames": ("as", [VLC] if self.present else []),
            "GetNameOwner": ("s", OWNER),
            "GetConnectionUnixProcessID": ("u", 42),
            "GetAll": ("a{sv}", self._playing()),
        }
        if not self.present and member != "ListNames":
            return Message(message_type=MessageType.ERROR, error_name=UNKNOWN, reply_serial=1, serial=1)
        signature, body = answers[member]
        return Message(
            message_type=MessageType.METHOD_RETURN, signature=signature, body=[body], reply_serial=1, serial=1
        )


class Room:
    """A watch at such a bus, and what it told."""

    def __init__(self, clock: ManualClock, memory: Path | None = None) -> None:
        self.clock, self.bus, self.lines = clock, Bus(), list[Line]()
        self.watch = Watch(clock, self.lines.append, Memory(memory))
        self.watch._bus = self.bus  # type: ignore[assignment]

    def leave(self) -> None:
        """The player is killed, and the bus says so."""
        self.bus.present = False
        self.hear("NameOwnerChanged", [VLC, OWNER, ""])

    def hear(self, member: str, body: list[str], sender: str = "org.freedesktop.DBus") -> None:
        message = Message(
            message_type=MessageType.SIGNAL,
            sender=sender,
            path="/",
            interface="org.freedesktop.DBus",
            member=member,
            signature="s" * len(body),
            body=body,
            serial=1,
        )
        self.watch._hear(message)

    def events(self) -> list[str]:
        return [str(line["ev"]) for line in self.lines]


def test_a_player_that_leaves_is_told_to_its_end_once(clock: ManualClock) -> None:
    room = Room(clock)

    async def story() -> None:
        await room.watch._find()
        room.leave()
        await room.watch._find()
        room.leave()

    asyncio.run(story())
    assert room.events() == ["open", "start", "restart", "end", "exit"]
    assert room.watch.players == {}


def test_a_player_that_leaves_while_it_is_being_adopted_is_not_kept(clock: ManualClock) -> None:
    room = Room(clock)
    room.bus.meanwhile["GetConnectionUnixProcessID"] = room.leave
    asyncio.run(room.watch._find())
    assert room.watch.players == {}
    assert room.events() == ["exit"]


def test_a_player_that_leaves_while_its_answer_is_on_its_way_is_not_told_again(clock: ManualClock) -> None:
    room = Room(clock)

    async def story() -> None:
        await room.watch._find()
        clock.advance(seconds=5)
        room.bus.meanwhile["GetAll"] = room.leave
        await room.watch._look_at_due()
        room.hear("PropertiesChanged", [], OWNER)
        await asyncio.gather(*room.watch._tasks)

    asyncio.run(story())
    assert room.events() == ["open", "start", "restart", "end", "exit"]
    assert room.watch.players == {}


def test_a_player_adopted_by_signal_and_by_rescan_at_once_is_one(clock: ManualClock) -> None:
    room = Room(clock)

    async def story() -> None:
        room.hear("NameOwnerChanged", [VLC, "", OWNER])
        room.hear("NameOwnerChanged", [f"{VLC}.instance42", "", OWNER])
        await room.watch._find()
        await asyncio.gather(*room.watch._tasks)

    asyncio.run(story())
    assert list(room.watch.players) == [OWNER]
    assert room.events() == ["open", "start", "restart"]


def test_a_player_that_hangs_is_waited_for_and_stays(clock: ManualClock, monkeypatch: Any) -> None:
    room = Room(clock)
    room.bus.silent = True
    monkeypatch.setattr(module, "_ANSWER_S", 0.01)
    asyncio.run(room.watch._find())
    room.bus.silent = False
    asyncio.run(room.watch._look_at_due())
    assert list(room.watch.players) == [OWNER]
    assert room.events() == ["open", "start", "restart"]


def names_of_two_helpers(clock: ManualClock, memory: Path, *, after_s: int, url: str = "") -> list[tuple[str, int]]:
    """Under which names two helpers, one after the other, tell the film of one player."""
    first = Room(clock, memory)
    asyncio.run(first.watch._find())
    clock.advance(seconds=after_s)
    second = Room(clock, memory)
    second.bus.url = url or second.bus.url
    asyncio.run(second.watch._find())
    return [(str(room.lines[0]["sid"]), int(room.lines[0]["n"])) for room in (first, second)]


def test_a_helper_started_anew_goes_on_under_the_same_name(clock: ManualClock, tmp_path: Path) -> None:
    first, second = names_of_two_helpers(clock, tmp_path / "players", after_s=12)
    assert first == second


def test_another_film_meanwhile_is_the_next_playing_of_the_same_player(clock: ManualClock, tmp_path: Path) -> None:
    first, second = names_of_two_helpers(clock, tmp_path / "players", after_s=12, url="file:///srv/b.mp4")
    assert second == (first[0], first[1] + 1)


@pytest.mark.parametrize("after_s", [61, 86_400])
def test_what_the_agent_has_given_up_by_now_is_not_gone_on_with(
    clock: ManualClock, tmp_path: Path, after_s: int
) -> None:
    first, second = names_of_two_helpers(clock, tmp_path / "players", after_s=after_s)
    assert first[0] != second[0]


@pytest.mark.parametrize(
    "damage",
    [b"", b"\xff", b"[]", b'{"boot": 1}', b'{"boot":"BOOT","mono":MONO,"players":{"42":["x-42-1",1,"/a"]}}'],
)
def test_a_memory_that_is_none_begins_anew(clock: ManualClock, tmp_path: Path, damage: bytes) -> None:
    now = clock.now()
    told = damage.replace(b"BOOT", now.boot.encode()).replace(b"MONO", str(now.mono_ms).encode())
    (tmp_path / "players").write_bytes(told)
    room = Room(clock, tmp_path / "players")
    asyncio.run(room.watch._find())
    assert room.lines[0]["sid"] == f"{now.boot[:12]}-42-{now.mono_ms}"
