"""The one way out to the centre: a POST of bytes. Tests and the simulation put their own in its place."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agent.errors import LinkError

TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes
    retry_after_s: float | None = None


class Transport(Protocol):
    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        """Send and wait for the answer, whatever its status. Raises LinkError when there is none."""


class HttpTransport:
    """httpx with kept-alive connections, one for one station. `ca_file` pins a private authority."""

    def __init__(self, centre: str, ca_file: Path | None = None, *, connections: int = 1) -> None:
        import httpx  # noqa: PLC0415 - costs memory and start-up time, so only where it is used

        self._httpx = httpx
        verify = True if ca_file is None else _pinned(ca_file)
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=900)
        self._client = httpx.Client(base_url=centre, timeout=TIMEOUT_S, verify=verify, limits=limits, trust_env=True)

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        try:
            answer = self._client.post(path, content=body, headers=dict(headers))
        except (self._httpx.HTTPError, self._httpx.InvalidURL, OSError) as error:
            message = f"{LinkError.__doc__}（{type(error).__name__}）"
            raise LinkError(message) from error
        return Response(answer.status_code, answer.content, _seconds(answer.headers.get("retry-after")))

    def close(self) -> None:
        self._client.close()


def _pinned(ca_file: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca_file))


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() else None
