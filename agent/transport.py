"""The one way out to the centre: a POST of bytes, or a GET. Tests and the simulation put their own in its place.

With a pinned authority a dead clock does not cut a village off. When the ordinary check of the centre's certificate
fails on nothing but the time, the connection is made once more without looking at the time; authority and host name
are still enforced. Such an answer is marked as doubtful: whoever reads it must have the centre's own signature over it
and must hold the certificate's dates against the signed time (decision 0016).
"""

import http.client
import queue
import select
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from agent.errors import LinkError
from shared.signing import ASK_HEADER, ASK_PROOF, PROOF_HEADER

TIMEOUT_S = 30.0
KEEP_S = 900.0
"""How long an idle connection is trusted to be still open: three heartbeats."""
NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python does not name."""
_ABOUT_TIME = {9, 10}  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED


@dataclass(frozen=True, slots=True)
class Response:
    """`proof` is the centre's signature over this answer, empty where it was not asked for.

    `valid_ms` stands on a doubtful answer: from when until when the certificate holds that nobody held against a
    clock, epoch ms.
    """

    status: int
    body: bytes
    retry_after_s: float | None = None
    proof: str = ""
    valid_ms: tuple[int, int] | None = None


class Transport(Protocol):
    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        """Send and wait for the answer, whatever its status. Raises LinkError when there is none."""


class _InOnePiece(http.client.HTTPConnection):
    """A connection on which the head and the body of a request leave together, which saves a TLS record a push."""

    def __init__(self, host: str, port: int | None, context: ssl.SSLContext | None, prefix: str) -> None:
        super().__init__(host, port or (80 if context is None else 443), timeout=TIMEOUT_S)
        self.context, self._prefix = context, prefix
        self.valid_ms = (0, 0)
        self._used_s = 0.0
        self._held = b""

    def connect(self) -> None:
        super().connect()
        if self.context is not None:
            self.sock = secured = self.context.wrap_socket(self.sock, server_hostname=self.host)
            self.valid_ms = _validity(secured.getpeercert())

    def send(self, data: Any) -> None:
        """Hold what the parent would send piece by piece; `ask` sends it."""
        self._held += data

    def ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        """Send a request with these headers and no others that can be spared, and wait for the head of the answer."""
        if self.sock is not None and self._is_stale():
            self.close()
        if self.sock is None:
            self.connect()
        self._held = b""
        self.putrequest(method, self._prefix + path, skip_accept_encoding=True)
        for name, value in headers.items():
            self.putheader(name, value)
        if method == "POST":
            self.putheader("Content-Length", str(len(body)))
        self.endheaders(body or None)
        waiting = memoryview(self._held)
        while waiting:  # `sendall` would have to be done in TIMEOUT_S, which a slow line cannot promise
            waiting = waiting[self.sock.send(waiting) :]
        self._used_s = time.monotonic()
        return self.getresponse()

    def _is_stale(self) -> bool:
        """Whether the other side has hung up, or may have been forgotten by what lies between."""
        return time.monotonic() - self._used_s > KEEP_S or bool(select.select([self.sock], [], [], 0)[0])


class HttpTransport:
    """HTTP by the standard library (decision 0031), over connections that are kept: one for one station.

    `ca_file` pins private authorities; it may change.
    """

    def __init__(self, centre: str, ca_file: Path | None = None, *, connections: int = 1) -> None:
        self._centre = centre
        self._ca_file = ca_file
        self._stamp = _stamp(ca_file)
        self._doubtful = False
        self._context = self._trust()
        self._idle: queue.LifoQueue[_InOnePiece | None] = queue.LifoQueue()
        for _ in range(connections):
            self._idle.put(None)

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        return self._send("POST", path, body, headers)

    def get(self, path: str, headers: Mapping[str, str]) -> Response:
        """As `post`, without a body."""
        return self._send("GET", path, b"", headers)

    def _send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        self._follow_ca_file()
        try:
            try:
                return self._exchange(method, path, body, headers)
            except ssl.SSLCertVerificationError as error:
                if self._ca_file is None or self._doubtful or error.verify_code not in _ABOUT_TIME:
                    raise
                self._rely(doubtful=True)
                return self._exchange(method, path, body, headers)
        except (http.client.HTTPException, OSError, ValueError) as error:
            if self._doubtful:
                self._rely(doubtful=False)
            message = f"{LinkError.__doc__}（{type(error).__name__}: {_cause(error)}）"
            raise LinkError(message) from error

    def close(self) -> None:
        """Hang up. The next request connects anew."""
        idle = [self._idle.get() for _ in range(self._idle.qsize())]
        for connection in idle:
            if connection is not None:
                connection.close()
            self._idle.put(None)

    def _exchange(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        asking = {ASK_HEADER: ASK_PROOF} if self._doubtful else {}
        with self._connection() as connection:
            answer = connection.ask(method, path, body, {**headers, **asking})
            seconds = _seconds(answer.headers.get("retry-after"))
            response = Response(answer.status, answer.read(), seconds, answer.headers.get(PROOF_HEADER, ""))
            return replace(response, valid_ms=connection.valid_ms) if self._doubtful else response

    @contextmanager
    def _connection(self) -> Iterator[_InOnePiece]:
        """One of the connections, for one exchange; what fails on it closes it."""
        connection = self._idle.get()
        try:
            if connection is None or connection.context is not self._context:
                if connection is not None:
                    connection.close()
                connection = _open(self._centre, self._context)
            yield connection
        except BaseException:
            if connection is not None:
                connection.close()
            raise
        finally:
            self._idle.put(connection)

    def _trust(self) -> ssl.SSLContext | None:
        if not self._centre.startswith("https:"):
            return None
        if self._ca_file is None:
            return ssl.create_default_context()
        context = ssl.create_default_context(cafile=str(self._ca_file))
        if self._doubtful:
            context.verify_flags |= NO_CHECK_TIME
        return context

    def _rely(self, *, doubtful: bool) -> None:
        """Make the next connection by these rules."""
        self._doubtful = doubtful
        self._context = self._trust()

    def _follow_ca_file(self) -> None:
        """Trust what the file says now: the centre announces new authorities ahead, the uplink writes them there."""
        stamp = _stamp(self._ca_file)
        if stamp != self._stamp:
            self._stamp = stamp
            self._rely(doubtful=False)


def fetch_unverified(centre: str, path: str) -> bytes:
    """What a GET brings from whoever answers at this address, which nothing vouches for. Raises LinkError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the caller compares
    try:
        with closing(_open(centre, context)) as connection:
            return connection.ask("GET", path, b"", {}).read()
    except (http.client.HTTPException, OSError, ValueError) as error:
        raise LinkError(f"{LinkError.__doc__}（{type(error).__name__}）") from error


def _open(centre: str, context: ssl.SSLContext | None) -> _InOnePiece:
    """Raises ValueError for what is no address of a centre."""
    parts = urlsplit(centre)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"no address of a centre: {centre}")
    return _InOnePiece(parts.hostname, parts.port, context if parts.scheme == "https" else None, parts.path.rstrip("/"))


def _cause(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


def _validity(shown: Mapping[str, Any] | None) -> tuple[int, int]:
    """The dates of the certificate the centre showed; dates that hold at no time where they cannot be told."""
    if not shown:
        return (0, 0)
    return (
        ssl.cert_time_to_seconds(shown["notBefore"]) * 1000,
        ssl.cert_time_to_seconds(shown["notAfter"]) * 1000,
    )


def _stamp(file: Path | None) -> int:
    return file.stat().st_mtime_ns if file is not None and file.exists() else 0


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() else None
