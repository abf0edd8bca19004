"""The one way out to the centre: a POST of bytes, or a GET. Tests and the simulation put their own in its place.

With a pinned authority a dead clock does not cut a village off. When the ordinary check of the centre's certificate
fails on nothing but the time, the connection is made once more without looking at the time; authority and host name
are still enforced. Such an answer is marked as doubtful: whoever reads it must have the centre's own signature over it
and must hold the certificate's dates against the signed time (decision 0016).
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from agent.errors import LinkError
from shared.signing import ASK_HEADER, ASK_PROOF, PROOF_HEADER

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 30.0
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


class HttpTransport:
    """httpx with kept-alive connections, one for one station. `ca_file` pins private authorities; it may change.

    Raises LinkError for what is no address of a centre.
    """

    def __init__(self, centre: str, ca_file: Path | None = None, *, connections: int = 1) -> None:
        import httpx  # noqa: PLC0415 - costs memory and start-up time, so only where it is used

        self._httpx = httpx
        self._centre = centre
        self._ca_file = ca_file
        self._limits = httpx.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=900
        )
        self._stamp = _stamp(ca_file)
        self._client = self._open(0)
        self._doubtful = False

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
            except self._httpx.ConnectError as error:
                if self._ca_file is None or self._doubtful or not _is_about_time(error):
                    raise
                self._reopen(doubtful=True)
                return self._exchange(method, path, body, headers)
        except (self._httpx.HTTPError, OSError) as error:
            self._reopen(doubtful=False)
            message = f"{LinkError.__doc__}（{type(error).__name__}: {_cause(error)}）"
            raise LinkError(message) from error

    def close(self) -> None:
        """Hang up. The next request connects anew."""
        self._client.close()
        self._client = self._open(NO_CHECK_TIME if self._doubtful else 0)

    def _exchange(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        asking = {ASK_HEADER: ASK_PROOF} if self._doubtful else {}
        answer = self._client.request(method, path, content=body, headers={**headers, **asking})
        seconds = _seconds(answer.headers.get("retry-after"))
        response = Response(answer.status_code, answer.content, seconds, answer.headers.get(PROOF_HEADER, ""))
        return replace(response, valid_ms=_validity(answer)) if self._doubtful else response

    def _open(self, flags: int) -> "httpx.Client":
        # Without TLS the list of public authorities would only lie there, and it is 3 MB.
        verify = self._centre.startswith("https:") if self._ca_file is None else _pinned(self._ca_file, flags)
        try:
            client = self._httpx.Client(
                base_url=self._centre, timeout=TIMEOUT_S, verify=verify, limits=self._limits, trust_env=True
            )
        except self._httpx.InvalidURL as error:
            raise LinkError(f"{LinkError.__doc__}（{self._centre}: {error}）") from error
        # What a browser would say of itself is a third of what a quiet day weighs, and tells the centre nothing.
        for name in list(client.headers):
            del client.headers[name]
        return client

    def _reopen(self, *, doubtful: bool) -> None:
        """Drop the connection where the next one is to be made by other rules."""
        if doubtful != self._doubtful:
            self._client.close()
            self._client = self._open(NO_CHECK_TIME if doubtful else 0)
            self._doubtful = doubtful

    def _follow_ca_file(self) -> None:
        """Trust what the file says now: the centre announces new authorities ahead, the uplink writes them there."""
        stamp = _stamp(self._ca_file)
        if stamp != self._stamp:
            self._client.close()
            self._client = self._open(0)
            self._doubtful, self._stamp = False, stamp


def fetch_unverified(centre: str, path: str) -> bytes:
    """What a GET brings from whoever answers at this address, which nothing vouches for. Raises LinkError."""
    import httpx  # noqa: PLC0415 - as above

    try:
        return httpx.get(f"{centre}{path}", verify=False, timeout=TIMEOUT_S).content  # noqa: S501 - the caller compares
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise LinkError(f"{LinkError.__doc__}（{type(error).__name__}）") from error


def _pinned(ca_file: Path, flags: int) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca_file))
    context.verify_flags |= flags
    return context


def _is_about_time(error: BaseException) -> bool:
    """Whether a connection failed because a certificate is not valid yet or no longer."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_code in _ABOUT_TIME
        cause = cause.__cause__ or cause.__context__
    return False


def _cause(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


def _validity(answer: "httpx.Response") -> tuple[int, int]:
    """The dates of the certificate the centre showed; dates that hold at no time where they cannot be told."""
    stream = answer.extensions.get("network_stream")
    connection = None if stream is None else stream.get_extra_info("ssl_object")
    shown = None if connection is None else connection.getpeercert()
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
