"""The agent's way out against servers of all manners: what is kept, what is sent, and what an odd answer becomes."""

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import pytest

from agent.errors import LinkError
from agent.transport import HttpTransport

FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@dataclass(slots=True)
class Server:
    """Answers each request with the next of `answers`; `heard` holds what came, one entry a request."""

    port: int
    answers: list[bytes]
    hang_up: bool = False
    connections: int = 0
    heard: list[bytes] = field(default_factory=list)
    hung_up: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def talk(self, link: socket.socket) -> None:
        self.connections += 1
        with link:
            while self.answers and (asked := _hear(link)):
                self.heard.append(asked)
                link.sendall(self.answers.pop(0))
                if self.hang_up:
                    break
        self.hung_up.set()


@contextmanager
def serving(*answers: bytes, hang_up: bool = False) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Server(listening.getsockname()[1], list(answers), hang_up)
        threading.Thread(target=_serve, args=(listening, server.talk), daemon=True).start()
        yield server
        listening.shutdown(socket.SHUT_RDWR)


def _hear(link: socket.socket) -> bytes:
    """One request, whole; nothing when the other side has hung up."""
    heard = b""
    while part := link.recv(65536):
        heard += part
        head, end, body = heard.partition(b"\r\n\r\n")
        told = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        if end and len(body) >= int(told[1] if told else 0):
            break
    return heard


def _serve(listening: socket.socket, talk: Callable[[socket.socket], None]) -> None:
    while True:
        try:
            link, _ = listening.accept()
        except OSError:
            return
        talk(link)


def test_a_push_carries_no_header_it_can_do_without() -> None:
    with serving(FINE) as server, closing(HttpTransport(server.url)) as transport:
        answer = transport.post("/api/v1/push", b"line\n", {"Authorization": "x"})

    head = (
        f"POST /api/v1/push HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: x\r\nContent-Length: 5\r\n\r\n"
    )
    assert server.heard == [head.encode() + b"line\n"]
    assert (answer.status, answer.body) == (200, b"{}")


def test_an_empty_push_says_that_it_is_empty_and_a_get_says_nothing() -> None:
    with serving(FINE, FINE) as server, closing(HttpTransport(server.url)) as transport:
        transport.post("/a", b"", {})
        transport.get("/b", {})

    assert [b"Content-Length: 0\r\n" in each for each in server.heard] == [True, False]


def test_one_connection_serves_many_pushes() -> None:
    with serving(*[FINE] * 5) as server, closing(HttpTransport(server.url)) as transport:
        for _ in range(5):
            transport.post("/api/v1/push", b"line\n", {})

    assert server.connections == 1


def test_a_connection_the_centre_has_closed_meanwhile_is_made_anew_without_an_error() -> None:
    with serving(FINE, FINE, hang_up=True) as server, closing(HttpTransport(server.url)) as transport:
        transport.post("/api/v1/push", b"line\n", {})
        assert server.hung_up.wait(30)
        answer = transport.post("/api/v1/push", b"line\n", {})

    assert (answer.status, server.connections) == (200, 2)


def test_a_refusal_is_an_answer_and_says_when_to_come_back() -> None:
    refusal = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 40\r\ncontent-length: 4\r\n\r\nbusy"
    with serving(refusal) as server, closing(HttpTransport(server.url)) as transport:
        answer = transport.post("/api/v1/push", b"line\n", {})

    assert (answer.status, answer.body, answer.retry_after_s) == (503, b"busy", 40)


def test_an_answer_in_pieces_of_unknown_number_is_read_to_its_end() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    with serving(chunked) as server, closing(HttpTransport(server.url)) as transport:
        assert transport.get("/", {}).body == b"abcde"


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 999999 ?\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\0" * 70_000,
    ],
)
def test_what_is_no_answer_is_a_broken_link_and_the_next_push_starts_afresh(answer: bytes) -> None:
    with serving(answer, hang_up=True) as server, closing(HttpTransport(server.url)) as transport:
        with pytest.raises(LinkError):
            transport.post("/api/v1/push", b"line\n", {})
        server.answers.append(FINE)
        assert transport.post("/api/v1/push", b"line\n", {}).status == 200


@pytest.mark.parametrize(
    "centre", ["", "centre.example.cn", "ftp://centre.example.cn", "http://centre:port", "http://", "http://..\u2024/"]
)
def test_what_is_no_address_of_a_centre_is_a_broken_link_and_no_crash(centre: str) -> None:
    with pytest.raises(LinkError), closing(HttpTransport(centre)) as transport:
        transport.post("/api/v1/push", b"", {})


def test_a_centre_below_a_path_is_asked_below_it() -> None:
    with serving(FINE) as server, closing(HttpTransport(f"{server.url}/yuanjiao/")) as transport:
        transport.get("/api/v1/trust", {})

    assert server.heard[0].startswith(b"GET /yuanjiao/api/v1/trust HTTP/1.1\r\n")


def test_a_running_agent_loads_no_event_loop_and_nothing_of_the_helper() -> None:
    program = (
        "import sys\n"
        "import agent.app, agent.__main__\n"
        "from agent import probes\n"
        "from agent.probes import _escvp21, _pjlink\n"
        "from agent.probes.base import Probe\n"
        "from agent.settings import read_settings\n"
        "from agent.transport import HttpTransport\n"
        "from shared.discover import discover\n"
        "discover(probes, 'PROBE', Probe)\n"
        "HttpTransport('http://127.0.0.1:1')\n"
        "print(sorted({'asyncio', 'dbus_fast', 'pulsectl'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n"
