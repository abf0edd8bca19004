"""Tokens of acknowledge links: short, signed, for one person, one ticket at one version, until an hour. Pure.

Five numbers of varying length and twelve bytes of HMAC-SHA256, in base64url: about thirty characters, which fit into
a short message. Whoever has the link is the person it was sent to, so it must not reach a log or another site.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import astuple, dataclass

_MAC_BYTES = 12
_LONGEST = 80
_HOUR_MS = 3_600_000
GOOD_FOR_MS = 7 * 24 * _HOUR_MS
"""A week: the waits of the ladder with a long holiday between."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a token says. Nothing of it is true before `is_signed` says so."""

    district_id: int
    ticket_id: int
    person_id: int
    version: int
    until_h: int

    @property
    def until_ms(self) -> int:
        return self.until_h * _HOUR_MS


def make_token(key: str, *, district_id: int, ticket_id: int, person_id: int, version: int, now_ms: int) -> str:
    until_h = -(-(now_ms + GOOD_FOR_MS) // _HOUR_MS)
    payload = b"".join(_pack(each) for each in (district_id, ticket_id, person_id, version, until_h))
    return base64.urlsafe_b64encode(payload + _mac(key, payload)).decode().rstrip("=")


def read_token(token: str) -> Claim | None:
    """What a token claims, whoever made it; None when it is no token at all."""
    raw = _decode(token)
    if raw is None:
        return None
    numbers: list[int] = []
    value = shift = 0
    for byte in raw[:-_MAC_BYTES]:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            numbers.append(value)
            value = shift = 0
    if len(numbers) != 5 or shift or max(numbers) >= 2**53:
        return None
    return Claim(*numbers)


def is_signed(token: str, key: str) -> bool:
    """Whether the district with this key made the token, byte for byte."""
    raw = _decode(token)
    if raw is None:
        return False
    payload, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    claim = read_token(token)
    whole = claim is not None and payload == b"".join(_pack(each) for each in astuple(claim))
    return whole and hmac.compare_digest(mac, _mac(key, payload))


def _mac(key: str, payload: bytes) -> bytes:
    return hmac.digest(bytes.fromhex(key), b"acknowledge " + payload, hashlib.sha256)[:_MAC_BYTES]


def _pack(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the top bit says that more follow."""
    packed = bytearray()
    while number > 127:
        packed.append(number & 127 | 128)
        number >>= 7
    packed.append(number)
    return bytes(packed)


def _decode(token: str) -> bytes | None:
    if not token.isascii() or len(token) > _LONGEST:
        return None
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (ValueError, binascii.Error):
        return None
    whole = base64.urlsafe_b64encode(raw).decode().rstrip("=") == token
    return raw if whole and len(raw) > _MAC_BYTES else None
