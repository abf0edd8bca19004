"""A real HTTP server on this machine in the place of WeCom, DingTalk, Feishu, a gateway or somebody's webhook."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Taken:
    """One request as it came over the wire."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """What is answered; `drip_s` waits before each byte of the body."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    drip_s: float = 0


def said(status: int = 200, **value: Any) -> Reply:
    """An answer in JSON."""
    return Reply(status, json.dumps(value).encode(), {"content-type": "application/json"})


@dataclass
class Gateway:
    """`answer` is asked for every request; what was taken is kept."""

    answer: Callable[[Taken], Reply]
    taken: list[Taken] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def gateway(answer: Callable[[Taken], Reply] | Reply) -> Iterator[Gateway]:
    kept = Gateway((lambda _taken: answer) if isinstance(answer, Reply) else answer)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(kept))
    server.daemon_threads = True
    kept.port = server.server_port
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(kept: Gateway) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._take()

        def do_POST(self) -> None:
            self._take()

        def _take(self) -> None:
            parts = urlsplit(self.path)
            taken = Taken(
                self.command,
                parts.path,
                dict(parse_qsl(parts.query, strict_parsing=bool(parts.query))),
                {name.lower(): value for name, value in self.headers.items()},
                self.rfile.read(int(self.headers.get("content-length", 0))),
            )
            kept.taken.append(taken)
            reply = kept.answer(taken)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self._write(reply)

        def _write(self, reply: Reply) -> None:
            try:
                for byte in reply.body if reply.drip_s else b"":
                    time.sleep(reply.drip_s)
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                self.wfile.write(b"" if reply.drip_s else reply.body)
            except OSError:
                """The caller has lost patience."""

        def log_message(self, *_args: Any) -> None:
            """Say nothing on the terminal."""

    return Handler
