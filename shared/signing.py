"""Ed25519 signatures over requests. The station makes its key; the private half never leaves it.

The signature covers method, path, station, key id and the SHA-256 of the body bytes as sent, so it is checked
before anything is unpacked. `alg` is named so that another algorithm can stand beside this one later.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

ALGORITHM = "ed25519"
_HEADER = re.compile(
    r'Yuanjiao alg="(?P<alg>[a-z0-9-]{1,20})", station="(?P<station>[0-9]{1,12}/[0-9]{1,12})", '
    r'key="(?P<key>[0-9a-f]{16})", sig="(?P<sig>[A-Za-z0-9+/=]{1,200})"',
)


class BadSignature(Exception):  # noqa: N818 - the fact itself, as callers read it
    """The request does not carry a valid signature; enrol the station again if this lasts."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who a request says it comes from. `station` is `district/station`, `key_id` 16 hex digits."""

    algorithm: str
    station: str
    key_id: str
    signature: bytes


def new_key() -> SigningKey:
    return SigningKey.generate()


def key_id(public_key: bytes) -> str:
    """Short name of a public key: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(public_key).hexdigest()[:16]


def authorization(key: SigningKey, *, method: str, path: str, station: str, body: bytes) -> str:
    """Value of the `Authorization` header for one request."""
    name = key_id(bytes(key.verify_key))
    signature = key.sign(_canonical(method, path, station, name, body)).signature
    text = base64.b64encode(signature).decode("ascii")
    return f'Yuanjiao alg="{ALGORITHM}", station="{station}", key="{name}", sig="{text}"'


def read_claim(header: str | None) -> Claim:
    """The claim in an `Authorization` header. Raises BadSignature when there is none that can be read."""
    match = _HEADER.fullmatch(header or "")
    if match is None:
        raise BadSignature("the Authorization header is missing or not in the form Yuanjiao alg, station, key, sig")
    if match["alg"] != ALGORITHM:
        raise BadSignature(f"algorithm {match['alg']} is not known here; use {ALGORITHM}")
    try:
        signature = base64.b64decode(match["sig"], validate=True)
    except binascii.Error as error:
        raise BadSignature("the signature is not base64") from error
    return Claim(match["alg"], match["station"], match["key"], signature)


def verify(claim: Claim, public_key: bytes, *, method: str, path: str, body: bytes) -> None:
    """Raise BadSignature unless the claim was made with the private half of `public_key` over this very request."""
    try:
        VerifyKey(public_key).verify(_canonical(method, path, claim.station, claim.key_id, body), claim.signature)
    except (BadSignatureError, ValueError) as error:
        raise BadSignature("the signature does not fit this request") from error


def _canonical(method: str, path: str, station: str, name: str, body: bytes) -> bytes:
    return "\n".join(("yuanjiao-1", method, path, station, name, hashlib.sha256(body).hexdigest())).encode()
