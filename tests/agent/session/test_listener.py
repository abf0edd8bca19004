"""The socket under friends and foes: real sockets, real threads, bounded harm."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.session import listener as module
from agent.session.listener import BURST, MAX_LINE, MAX_OF_ONE, Allowance, is_person
from tests.agent.session.ear import Ear, line
from tests.clocks import ManualClock
from tests.devices.processes import wait_until


@pytest.fixture
def ear(tmp_path: Path, clock: ManualClock) -> Iterator[Ear]:
    opened = Ear(tmp_path, clock)
    opened.listener.start()
    yield opened
    opened.listener.close()


def answered(link: socket.socket) -> int:
    return int(json.loads(link.recv(4096).splitlines()[-1])["taken"])


def is_cut(link: socket.socket) -> bool:
    """Whether the other side hangs up; what it still says is passed by."""
    try:
        return any(link.recv(4096) == b"" for _ in range(99))
    except OSError:
        return True


def test_what_is_kept_is_counted_and_answered(ear: Ear) -> None:
    with ear.connect() as link:
        link.sendall(line(ear.clock) + b"\n")
        assert answered(link) == 1
        ear.clock.advance(seconds=1)
        half = line(ear.clock)
        link.sendall(half[:30])
        link.sendall(half[30:] + b"\n")
        assert answered(link) == 2
    assert len(ear.kept()) == 2


def test_a_line_that_is_no_good_is_counted_too_or_the_helper_would_send_it_for_ever(ear: Ear) -> None:
    with ear.connect() as link:
        link.sendall(b"nonsense\n" + line(ear.clock) + b"\n")
        assert answered(link) == 2
    assert len(ear.kept()) == 1


def test_the_sound_file_is_there_as_long_as_a_helper_is(ear: Ear) -> None:
    with ear.connect() as link:
        link.sendall(line(ear.clock, tell="sound", audio={"server": True}) + b"\n")
        wait_until(ear.inbox.status.exists, "the sound being kept")
    wait_until(lambda: not ear.inbox.status.exists(), "the sound being forgotten")


def test_a_stranger_is_shown_the_door(tmp_path: Path, clock: ManualClock) -> None:
    ear = Ear(tmp_path, clock)
    ear.listener.admits = is_person
    ear.listener.start()
    with ear.connect() as link:
        assert is_cut(link)
    ear.listener.close()
    assert ear.kept() == []


@pytest.mark.parametrize(("uid", "person"), [(0, False), (999, False), (1000, True), (61184, False), (65534, False)])
def test_people_are_the_accounts_that_debian_gives_to_people(uid: int, *, person: bool) -> None:
    assert is_person(uid) is person


def test_one_who_talks_nonsense_is_cut_off_and_the_others_are_not(ear: Ear) -> None:
    with ear.connect() as friend, ear.connect() as foe:
        foe.sendall(b"\n".join([b"{}"] * 99) + b"\n")
        assert is_cut(foe)
        friend.sendall(line(ear.clock) + b"\n")
        assert answered(friend) == 1


def test_a_line_without_end_is_not_gathered(ear: Ear) -> None:
    with ear.connect() as foe:
        foe.sendall(b"x" * (MAX_LINE + 10))
        assert is_cut(foe)


def test_a_flood_is_read_no_faster_than_its_allowance(ear: Ear) -> None:
    good = line(ear.clock) + b"\n"
    sent = 0
    with ear.connect() as foe:
        foe.setblocking(False)
        wait_until(lambda: ear.listener.peers != [], "the flood being let in")
        for _ in range(20_000):
            try:
                sent += foe.send(good * 100)
            except BlockingIOError:
                continue
        read = BURST - min(each.level for each in ear.listener.allowances.values())
        with ear.connect() as other:
            wait_until(lambda: len(ear.listener.peers) == 2, "another being let in meanwhile")
            assert other.fileno() > 0
    assert read <= BURST + 64 * 1024
    assert sum(path.stat().st_size for path in ear.inbox.folder.iterdir()) <= len(good) * 2


def test_an_allowance_comes_back_with_time_and_never_grows() -> None:
    allowance = Allowance(at_ms=0, level=-64 * 1024)
    assert not allowance.refill(500)
    assert allowance.refill(1001)
    assert allowance.refill(10**9)
    assert allowance.level == BURST


def test_one_user_holds_two_connections_at_most_and_the_newest_are_served(ear: Ear) -> None:
    with ear.connect() as first, ear.connect() as second:
        wait_until(lambda: len(ear.listener.peers) == MAX_OF_ONE, "both being let in")
        with ear.connect() as third:
            assert is_cut(first)
            for number, link in enumerate((second, third)):
                ear.clock.advance(seconds=1)
                link.sendall(line(ear.clock, pos=float(number)) + b"\n")
                assert answered(link) == 1
    assert [each["pos"] for each in ear.kept()] == [0.0, 1.0]


def test_a_full_disk_takes_nothing_and_says_so(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: object, __: object) -> str:
        raise OSError("no space left")

    monkeypatch.setattr(type(ear.inbox), "take", full)
    with ear.connect() as link:
        link.sendall(line(ear.clock) + b"\n")
        assert is_cut(link)


def test_a_defect_of_ours_does_not_end_the_ear(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken, ear.connect():
        broken.setattr(module.Listener, "_hear", None)
        broken.setattr(module.Listener, "_admit", None)
        with ear.connect() as link:
            link.sendall(b"x\n")
    with ear.connect() as link:
        link.sendall(line(ear.clock) + b"\n")
        assert answered(link) == 1


def test_a_stale_socket_of_a_killed_agent_is_taken_over(tmp_path: Path, clock: ManualClock) -> None:
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(tmp_path / "sock"))
    ear = Ear(tmp_path, clock)
    ear.listener.start()
    with ear.connect() as link:
        link.sendall(line(clock) + b"\n")
        assert answered(link) == 1
    ear.listener.close()


def test_an_order_reaches_every_helper_that_is_there_and_nobody_else(ear: Ear) -> None:
    assert ear.listener.order({"do": "unmute"}) == 0
    with ear.connect() as one, ear.connect() as two:
        wait_until(lambda: len(ear.listener.peers) == 2, "both being let in")
        told = ear.listener.order({"do": "set_volume", "volume": 0.6})

        assert told == 2
        assert [json.loads(link.recv(4096)) for link in (one, two)] == [{"do": "set_volume", "volume": 0.6}] * 2
