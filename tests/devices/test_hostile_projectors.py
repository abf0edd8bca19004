"""The projector sensor against peers that break the protocol: each look ends in time, in a state, and leaks nothing."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.probes.projector import ProjectorSensor, ProjectorSettings
from shared.wire.states import ProjectorState
from tests.agent.probes.rig import Rig
from tests.clocks import ManualClock
from tests.devices.processes import wait_until

NOW = ManualClock().now()

TIMEOUT_S = 0.3
WHOLE_S = 3 * TIMEOUT_S
NOISE = bytes(range(1, 256)).replace(b"\r", b"")
Talk = Callable[[socket.socket], None]


@contextmanager
def serving(talk: Talk) -> Iterator[int]:
    """A peer on a free port; `talk` is its whole side of one connection. Yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_serve, args=(server, talk), daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def _serve(server: socket.socket, talk: Talk) -> None:
    while True:
        try:
            link, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_talk, args=(link, talk), daemon=True).start()


def _talk(link: socket.socket, talk: Talk) -> None:
    with link:
        link.settimeout(2)
        try:
            talk(link)
        except OSError:
            return


def _linger(link: socket.socket) -> None:
    """Keep the line open until the other side has had enough."""
    while link.recv(4096):
        pass


def says(words: bytes) -> Talk:
    def talk(link: socket.socket) -> None:
        link.sendall(words)
        _linger(link)

    return talk


def answers(reply: Callable[[bytes], bytes], greeting: bytes = b"PJLINK 0\r") -> Talk:
    """Greets and answers each question; `reply` is given the four letters of the command."""

    def talk(link: socket.socket) -> None:
        link.sendall(greeting)
        while question := link.recv(136):
            link.sendall(reply(question[2:6]))

    return talk


def hangs_up(link: socket.socket) -> None:
    link.shutdown(socket.SHUT_WR)


def hangs_up_after_greeting(link: socket.socket) -> None:
    link.sendall(b"PJLINK 0\r")


def drips(link: socket.socket) -> None:
    link.sendall(b"PJLINK 0\r")
    for byte in b"%1" + link.recv(136)[2:6] + b"=0000000000000000000000":
        link.sendall(bytes([byte]))
        time.sleep(0.1)


def forgetful(command: bytes) -> bytes:
    values = {b"POWR": b"1", b"ERST": b"000", b"LAMP": b"77 1", b"NAME": b"EB-X"}
    return b"%1" + command + b"=" + values.get(command, b"ERR1") + b"\r"


def quirky(command: bytes) -> bytes:
    """All that is tolerated at once; the values themselves are in order."""
    values = {b"NAME": "教室投影仪".encode("gb18030"), b"ERST": b"000010", b"LAMP": b"77 1", b"POWR": b"1"}
    return b"\0\0%2LKUP=D0:D9:4F:E5:BB:67\r\n\n%1" + command + b"=" + values.get(command, b"ERR1") + b"\r\n\0"


NO_PROJECTOR = "the address answers, but not as a PJLink projector"
NOT_PJLINK = "the projector broke off or answered something that is not PJLink"
LATE = "the projector did not answer in time"

HOSTILE: Mapping[str, tuple[Talk, bool, str]] = {
    # name: (what the peer does, whether it counts as reachable, what the state says)
    "binary greeting": (says(NOISE + b"\r"), False, NO_PROJECTOR),
    "flood without an end": (says(b"A" * 200_000), False, NO_PROJECTOR),
    "a web server": (says(b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n"), False, NO_PROJECTOR),
    "silence": (_linger, False, NO_PROJECTOR),
    "hangs up at once": (hangs_up, False, NO_PROJECTOR),
    "garbage after the greeting": (answers(lambda _: NOISE + b"\r"), True, NOT_PJLINK),
    "hangs up after the greeting": (hangs_up_after_greeting, True, NOT_PJLINK),
    "ends lines with LF": (says(b"PJLINK 0\n"), False, NO_PROJECTOR),
    "answers in another class": (answers(lambda command: b"%2" + command + b"=0\r"), True, NOT_PJLINK),
    "unheard-of power": (answers(lambda command: b"%1" + command + b"=9\r"), True, "unreadable answer about power"),
    "Chinese where figures belong": (
        answers(lambda command: b"%1" + command + "=投影仪".encode("gbk") + b"\r"),
        True,
        "unreadable answer about power",
    ),
    "drips": (drips, True, LATE),
    "lower case": (
        answers(lambda command: b"%1" + command.lower() + b"=0\r", b"pjlink 0\r"),
        True,
        "unreadable answer about faults",
    ),
    "empty answers": (answers(lambda command: b"%1" + command + b"=\r"), True, "unreadable answer about power"),
    "CRLF": (answers(lambda command: b"%1" + command + b"=0\r\n"), True, "unreadable answer about faults"),
    "short fault list": (answers(forgetful), True, "unreadable answer about faults"),
    "noise without an end": (answers(lambda _: b"%2LKUP=D0:D9:4F:E5:BB:67\r" * 20), True, NOT_PJLINK),
    "salt missing": (says(b"PJLINK 1\r"), True, NOT_PJLINK),
}


def _look(port: int) -> dict[str, Any]:
    state = ProjectorSensor(ProjectorSettings(host="127.0.0.1", port=port, timeout_s=TIMEOUT_S), Rig()).read(NOW).state
    assert state is not None
    return ProjectorState.model_validate(state).model_dump()


def _count_open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_peer_costs_a_bounded_time_and_gives_a_state(name: str) -> None:
    talk, reachable, error = HOSTILE[name]
    with serving(talk) as port:
        began = time.monotonic()
        state = _look(port)
        took_s = time.monotonic() - began
    assert (state["reachable"], state["error"]) == (reachable, error)
    assert took_s < WHOLE_S + 0.5


def test_a_quirky_projector_is_understood_in_full() -> None:
    with serving(answers(quirky, b"PJLINK 0\r" + b"\0" * 20)) as port:
        told = ProjectorState.model_validate(_look(port))
    assert told.model_dump(exclude_defaults=True) == {
        "via": "pjlink",
        "reachable": True,
        "power": "on",
        "faults": {"filter": "warning"},
        "lamp_hours": 77,
        "name": "教室投影仪",
        "on_s": 0,
    }


def test_an_address_where_nothing_listens_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    state = _look(port)
    assert (state["reachable"], state["error"]) == (False, "no connection to the projector")


def test_what_was_told_before_the_talk_broke_off_is_kept() -> None:
    def reply(command: bytes) -> bytes:
        return {b"POWR": b"%1POWR=1\r", b"ERST": b"%1ERST=020000\r"}.get(command, b"?\r")

    with serving(answers(reply)) as port:
        state = _look(port)
    assert (state["power"], state["faults"], state["error"]) == ("on", {"lamp": "error"}, NOT_PJLINK)


def test_a_slow_projector_cannot_stretch_a_look_beyond_its_whole_time() -> None:
    def reply(command: bytes) -> bytes:
        time.sleep(0.8 * TIMEOUT_S)
        return {b"POWR": b"%1POWR=1\r", b"ERST": b"%1ERST=000000\r"}.get(command, b"%1" + command + b"=1 1\r")

    def talk(link: socket.socket) -> None:
        time.sleep(0.8 * TIMEOUT_S)
        answers(reply)(link)

    with serving(talk) as port:
        began = time.monotonic()
        state = _look(port)
        took_s = time.monotonic() - began
    assert (state["power"], state["error"]) == ("on", LATE)
    assert took_s < WHOLE_S + 0.3


@pytest.mark.parametrize("name", ["a web server", "hangs up at once", "garbage after the greeting", "CRLF"])
def test_looks_at_a_hostile_peer_leave_no_open_file(name: str) -> None:
    with serving(HOSTILE[name][0]) as port:
        _look(port)
        before = _count_open_files()
        for _ in range(25):
            _look(port)
        wait_until(lambda: _count_open_files() <= before, "everything being closed")


def test_a_projector_that_breaks_off_when_asked_who_it_is_is_no_worse_for_it() -> None:
    values = {b"POWR": b"1", b"ERST": b"000000", b"LAMP": b"77 1", b"NAME": b"EB", b"INF1": b"EPSON"}

    def reply(command: bytes) -> bytes:
        return b"%1" + command + b"=" + values.get(command, b"\x07") + b"\r"

    with serving(answers(reply)) as port:
        state = _look(port)
    assert (state["power"], state["maker"], state["serial"], state["error"]) == ("on", "EPSON", "", "")


def test_silence_when_asked_who_it_is_costs_one_step_more() -> None:
    def talk(link: socket.socket) -> None:
        link.sendall(b"PJLINK 0\r")
        while question := link.recv(136):
            values = {b"POWR": b"1", b"ERST": b"000000", b"LAMP": b"77 1", b"NAME": b"EB"}
            if question[2:6] in values:
                link.sendall(b"%1" + question[2:6] + b"=" + values[question[2:6]] + b"\r")

    with serving(talk) as port:
        began = time.monotonic()
        state = _look(port)
        took_s = time.monotonic() - began
    assert (state["power"], state["error"]) == ("on", "")
    assert took_s < 2 * TIMEOUT_S + 1
