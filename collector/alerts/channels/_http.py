"""How channels speak HTTP: no redirects, no proxies, bounded answers, nothing logged, errors sorted.

It goes below httpx's client, which would log the address, and that can hold a key.
"""

import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

import httpx

from collector.alerts.channels.base import PermanentError, Problem, TemporaryError

LONGEST_WAIT_S = 6 * 3600
_MOST_BYTES = 64 * 1024
_LIMITS = httpx.Timeout(5).as_dict()
_WORTH_ANOTHER_TRY = frozenset({408, 425})
_TOO_MANY = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, headers, and the first 64 KiB of the body."""

    status: int
    headers: httpx.Headers
    body: bytes


async def exchange(
    method: str, url: str | httpx.URL, body: bytes = b"", headers: Mapping[str, str] | None = None, **extensions: Any
) -> Answer:
    """One request and its answer, whatever its status. Raises DeliveryError when there is none."""
    try:
        request = httpx.Request(
            method, url, content=body, headers=headers, extensions={"timeout": _LIMITS, **extensions}
        )
        async with httpx.AsyncHTTPTransport(verify=_tls(), trust_env=False) as transport:
            answer = await transport.handle_async_request(request)
            try:
                return Answer(answer.status_code, answer.headers, await _read(answer))
            finally:
                await answer.aclose()
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as problem:
        raise PermanentError(Problem.BAD_ADDRESS) from problem
    except httpx.RemoteProtocolError as problem:
        raise TemporaryError(Problem.GARBAGE) from problem
    except (httpx.TransportError, httpx.DecodingError) as problem:
        raise TemporaryError(Problem.UNREACHABLE, type(problem).__name__) from problem


async def post_json(
    url: str, value: Mapping[str, Any], *, now_ms: int, headers: Mapping[str, str] | None = None
) -> Any:
    """Post JSON to one of the centre's own gateways and read the JSON it answers."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    known = {"content-type": "application/json; charset=utf-8", **(headers or {})}
    return read_json(await exchange("POST", url, body, known), now_ms=now_ms)


def read_json(answer: Answer, *, now_ms: int) -> dict[str, Any]:
    """The object in an answer that went well."""
    judge(answer, now_ms=now_ms)
    try:
        value = json.loads(answer.body)
    except ValueError as problem:
        raise TemporaryError(Problem.GARBAGE) from problem
    if not isinstance(value, dict):
        raise TemporaryError(Problem.GARBAGE)
    return value


def judge(answer: Answer, *, now_ms: int) -> None:
    """Raise what a status means, unless it says that all is well."""
    status = answer.status
    if 200 <= status < 300:
        return
    if status in _TOO_MANY:
        raise TemporaryError(Problem.BUSY, status, wait_s=retry_after(answer.headers.get("retry-after", ""), now_ms))
    if status >= 500 or status in _WORTH_ANOTHER_TRY:
        raise TemporaryError(Problem.SERVER_FAILED, status)
    raise PermanentError(Problem.BAD_KEY if status in {401, 403} else Problem.REFUSED, status)


def retry_after(value: str, now_ms: int) -> int:
    """Seconds, from either form of the header; 0 for what is neither, never more than six hours."""
    seconds = 0
    if value.isascii() and value.isdecimal() and len(value) <= 9:
        seconds = int(value)
    elif value:
        try:
            seconds = round(parsedate_to_datetime(value).timestamp() - now_ms / 1000)
        except (ValueError, OverflowError):
            seconds = 0
    return max(0, min(seconds, LONGEST_WAIT_S))


@dataclass(frozen=True, slots=True)
class Codes:
    """What the error codes of a service mean that answers 200 whatever happens; a code not named is a refusal for good.

    `names` of the field that carries it, the first that is there counts. After one `too_fast` nothing is sent for
    `deaf_s` seconds.
    """

    names: Sequence[str]
    too_fast: frozenset[int] = frozenset()
    bad_key: frozenset[int] = frozenset()
    again: frozenset[int] = frozenset()
    bad_address: frozenset[int] = frozenset()
    deaf_s: int = 60

    def read(self, value: Mapping[str, Any]) -> int:
        """The code of an answer, 0 when all is well. Raises TemporaryError for an answer without one."""
        for name in self.names:
            code = value.get(name)
            if isinstance(code, int) and not isinstance(code, bool):
                return code
        raise TemporaryError(Problem.GARBAGE)

    def judge(self, value: Mapping[str, Any]) -> None:
        """Raise what the code of an answer means; nothing when all is well."""
        code = self.read(value)
        if code == 0:
            return
        if code in self.too_fast:
            raise TemporaryError(Problem.BUSY, code, wait_s=self.deaf_s)
        if code in self.again:
            raise TemporaryError(Problem.SERVER_FAILED, code)
        if code in self.bad_address:
            raise PermanentError(Problem.BAD_ADDRESS, code)
        raise PermanentError(Problem.BAD_KEY if code in self.bad_key else Problem.REFUSED, code)


def fit(text: str, most: int) -> str:
    """The text in at most so many bytes of UTF-8. What goes is taken from before the links, which stand last."""
    if len(text.encode()) <= most:
        return text
    lines = text.split("\n")
    links = [line for line in lines if "://" in line][-2:]
    tail = "\n".join(["…", *links])
    if len(tail.encode()) > most:
        return text.encode()[: most - 3].decode(errors="ignore") + "…"
    head = "\n".join(line for line in lines if line not in links)
    return head.encode()[: most - len(tail.encode())].decode(errors="ignore") + tail


async def _read(answer: httpx.Response) -> bytes:
    taken = bytearray()
    async for piece in answer.aiter_raw():
        taken += piece
        if len(taken) >= _MOST_BYTES:
            break
    return bytes(taken[:_MOST_BYTES])


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)
