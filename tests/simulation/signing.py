"""A cheap stand-in for Ed25519, which would take half of the simulation's time.

Same header, same canonical text, same key ids; only the 64 bytes of the signature come from HMAC. Whoever lacks the
secret cannot make one, which is all the protocol asks of a signature.
"""

import hmac
from dataclasses import dataclass

from shared import signing

_SECRETS: dict[bytes, bytes] = {}


@dataclass(frozen=True, slots=True)
class Signed:
    signature: bytes


@dataclass(frozen=True, slots=True)
class StandInKey:
    """Looks to `shared.signing.authorization` like a SigningKey."""

    secret: bytes

    @property
    def verify_key(self) -> bytes:
        public = hmac.digest(self.secret, b"public", "sha256")
        _SECRETS[public] = self.secret
        return public

    def sign(self, message: bytes) -> Signed:
        return Signed(hmac.digest(self.secret, message, "sha512"))


def verify(claim: signing.Claim, public_key: bytes, *, method: str, path: str, body: bytes) -> None:
    """As `shared.signing.verify`. Raises BadSignature."""
    text = signing._canonical(method, path, claim.station, claim.key_id, body)
    if not hmac.compare_digest(hmac.digest(_SECRETS[public_key], text, "sha512"), claim.signature):
        raise signing.BadSignature("the signature does not fit this request")
