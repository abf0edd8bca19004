"""Ed25519 signatures over requests and answers. The station makes its key; the private half never leaves it.

The signature covers method, path, station, key id and the SHA-256 of the body bytes as sent, so it is checked
before anything is unpacked. `alg` is named so that another algorithm can stand beside this one later.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

ALGORITHM = "ed25519"
ASK_HEADER = "Yuanjiao-Ask"
ASK_PROOF = "proof"
PROOF_HEADER = "Yuanjiao-Proof"
"""A request that carries `ASK_HEADER: proof` has its answer signed with the centre's key in `PROOF_HEADER`."""
_HEADER = re.compile(
    r'Yuanjiao alg="(?P<alg>[a-z0-9-]{1,20})", station="(?P<station>[0-9]{1,12}/[0-9]{1,12})", '
    r'key="(?P<key>[0-9a-f]{16})", sig="(?P<sig>[A-Za-z0-9+/=]{1,200})"',
)


class BadSignature(Exception):  # noqa: N818 - the fact itself, as callers read it
    """The request does not carry a valid signature; enrol the station again if this lasts."""


class Claim(NamedTuple):
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
    return claim_text(Claim(ALGORITHM, station, name, signature))


def claim_text(claim: Claim) -> str:
    """Value of the `Authorization` header that makes this claim."""
    proof = base64.b64encode(claim.signature).decode("ascii")
    return f'Yuanjiao alg="{claim.algorithm}", station="{claim.station}", key="{claim.key_id}", sig="{proof}"'


def read_claim(header: str | None, algorithms: Collection[str] = (ALGORITHM,)) -> Claim:
    """The claim in an `Authorization` header.

    Raises BadSignature when there is none that can be read, or it is made by another than these algorithms.
    """
    match = _HEADER.fullmatch(header or "")
    if match is None:
        raise BadSignature("the Authorization header is missing or not in the form Yuanjiao alg, station, key, sig")
    if match["alg"] not in algorithms:
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


def prove_answer(key: SigningKey, *, station: str, request: bytes, answer: bytes) -> str:
    """Value of `PROOF_HEADER`: this very answer was given by the centre to this very request."""
    return base64.b64encode(key.sign(_answer_text(station, request, answer)).signature).decode("ascii")


def check_answer(proof: str, centre_key: bytes, *, station: str, request: bytes, answer: bytes) -> None:
    """Raise BadSignature unless the centre itself gave this answer to this request."""
    try:
        signature = base64.b64decode(proof, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadSignature("the proof is not base64") from error
    check_text(centre_key, _answer_text(station, request, answer), signature)


def sign_trust(key: SigningKey, *, version: int, authorities: Sequence[str]) -> str:
    """The centre's signature over the authorities that stations shall trust, as 128 hex digits."""
    return key.sign(_trust_text(version, authorities)).signature.hex()


def check_trust(signature: str, centre_key: bytes, *, version: int, authorities: Sequence[str]) -> None:
    """Raise BadSignature unless the centre itself names these authorities."""
    check_text(centre_key, _trust_text(version, authorities), bytes.fromhex(signature))


def prove_key(new: SigningKey, *, station: str) -> str:
    """The new key's own word that it is to become the key of this station, as 128 hex digits."""
    return new.sign(_key_text(station, bytes(new.verify_key))).signature.hex()


def check_key(proof: str, public_key: bytes, *, station: str) -> None:
    """Raise BadSignature unless whoever sent this public key holds its private half, for this station."""
    check_text(public_key, _key_text(station, public_key), bytes.fromhex(proof))


def check_text(public_key: bytes, text: bytes, signature: bytes) -> None:
    """Raise BadSignature unless the holder of this key signed this very text."""
    try:
        VerifyKey(public_key).verify(text, signature)
    except (BadSignatureError, ValueError) as error:
        raise BadSignature("the signature does not fit") from error


def _answer_text(station: str, request: bytes, answer: bytes) -> bytes:
    digests = (hashlib.sha256(request).hexdigest(), hashlib.sha256(answer).hexdigest())
    return "\n".join(("yuanjiao-answer-1", station, *digests)).encode()


def _trust_text(version: int, authorities: Sequence[str]) -> bytes:
    digests = (hashlib.sha256(each.encode()).hexdigest() for each in authorities)
    return "\n".join(("yuanjiao-trust-1", str(version), *digests)).encode()


def _key_text(station: str, public_key: bytes) -> bytes:
    return f"yuanjiao-key-1\n{station}\n{public_key.hex()}".encode()


def _canonical(method: str, path: str, station: str, name: str, body: bytes) -> bytes:
    return "\n".join(("yuanjiao-1", method, path, station, name, hashlib.sha256(body).hexdigest())).encode()
