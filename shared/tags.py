"""Tags over pushes: between a station and its centre as good as a signature, at a fiftieth of its cost.

Station and centre each turn the Ed25519 keys they hold into X25519 keys and derive one secret that nobody else can.
A tag under it covers method, path, station, key id and the body as sent, as a signature does. Only these two can make
it, so to anybody else it proves nothing: for that the station pledges its chain with its own signature, now and then
(`pledge`, decision 0025).
"""

import hashlib
import hmac

from nacl.bindings import crypto_scalarmult
from nacl.exceptions import CryptoError
from nacl.signing import SigningKey, VerifyKey

from shared.signing import BadSignature, Claim, check_text, claim_text

ALGORITHM = "x25519-blake2b"
_BYTES = 32
_TAG_BYTES = 16
"""Whoever guesses has one try a request, and each try is seen: short enough to spare the wire."""
_PERSON = b"yuanjiao-tag-1"


def station_secret(station: SigningKey, centre_key: bytes) -> bytes:
    """The secret as the station derives it, from its private key and the centre's public one."""
    return _derive(station, centre_key, names=bytes(station.verify_key) + centre_key)


def centre_secret(centre: SigningKey, station_key: bytes) -> bytes:
    """The same secret as the centre derives it. Raises BadSignature for a public key that is none."""
    return _derive(centre, station_key, names=station_key + bytes(centre.verify_key))


def authorization(secret: bytes, *, key_id: str, method: str, path: str, station: str, body: bytes) -> str:
    """Value of the `Authorization` header for one request. `key_id` names the station's key."""
    claim = Claim(ALGORITHM, station, key_id, b"")
    return claim_text(claim._replace(signature=_tag(secret, claim, method, path, body)))


def verify(claim: Claim, secret: bytes, *, method: str, path: str, body: bytes) -> None:
    """Raise BadSignature unless the claim was made with this secret over this very request."""
    tag = _tag(secret, claim, method, path, body)
    if claim.algorithm != ALGORITHM or not hmac.compare_digest(tag, claim.signature):
        raise BadSignature("the tag does not fit this request")


def pledge(key: SigningKey, *, station: str, stream: str, seq: int, head: str) -> str:
    """The station's word, for anybody, that its chain stands at `head` after line `seq`, as 128 hex digits."""
    return key.sign(_pledge_text(station, stream, seq, head)).signature.hex()


def check_pledge(signature: bytes, public_key: bytes, *, station: str, stream: str, seq: int, head: str) -> None:
    """Raise BadSignature unless this station itself pledged this."""
    check_text(public_key, _pledge_text(station, stream, seq, head), signature)


def _derive(own: SigningKey, other: bytes, *, names: bytes) -> bytes:
    try:
        theirs = VerifyKey(other).to_curve25519_public_key()
        shared = crypto_scalarmult(bytes(own.to_curve25519_private_key()), bytes(theirs))
    except (CryptoError, ValueError, RuntimeError) as error:
        raise BadSignature("no secret can be derived with this key") from error
    return hashlib.blake2b(names, key=shared, digest_size=_BYTES, person=_PERSON).digest()


def _tag(secret: bytes, claim: Claim, method: str, path: str, body: bytes) -> bytes:
    text = f"{method}\n{path}\n{claim.station}\n{claim.key_id}\n".encode()
    return hashlib.blake2b(text + body, key=secret, digest_size=_TAG_BYTES, person=_PERSON).digest()


def _pledge_text(station: str, stream: str, seq: int, head: str) -> bytes:
    return f"yuanjiao-pledge-1\n{station}\n{stream}\n{seq}\n{head}".encode()
