"""How the station proves that a push is its own.

With a centre whose key it knows, a push carries a tag, which costs the centre little (`shared/tags.py`); once an hour,
when there is something new, it also carries a pledge, which proves the records to anybody. With any other centre, and
with one that does not take tags, every push is signed.
"""

import logging
from dataclasses import dataclass

from agent.batches import Batch
from agent.identity import Identity
from shared import signing, tags
from shared.clock import Instant
from shared.signing import key_id
from shared.wire.v1 import PATH, Pledge

log = logging.getLogger("yuanjiao.uplink")

PLEDGE_MS = 3_600_000


@dataclass(slots=True)
class Prover:
    """Remembers for one run what was derived, what was refused and what was pledged."""

    _secret: bytes = b""
    _key: bytes = b""
    """The station's and the centre's public key, which the secret belongs to."""
    _refused: bytes = b""
    """These keys, for whose tags the centre had no use."""
    _pledged: str = ""
    _pledge_due_ms: int = 0

    def authorize(self, identity: Identity, body: bytes) -> str:
        """Value of the `Authorization` header of a push."""
        station = identity.station
        if not self._tags(identity):
            return signing.authorization(identity.key, method="POST", path=PATH, station=station, body=body)
        name = key_id(bytes(identity.key.verify_key))
        return tags.authorization(self._secret, key_id=name, method="POST", path=PATH, station=station, body=body)

    def pledge(self, identity: Identity, batch: Batch, head: bytes | None, now: Instant) -> Pledge | None:
        """The pledge that the push of this batch is to carry; `head` is the chain after it, None when not known."""
        due = batch.stream != self._pledged or now.mono_ms >= self._pledge_due_ms
        if not due or not batch.lines or head is None or not self._tags(identity):
            return None
        seq, text = batch.last, head.hex()
        signature = tags.pledge(identity.key, station=identity.station, stream=batch.stream, seq=seq, head=text)
        return Pledge(seq=seq, head=text, signature=signature)

    def keep(self, pledge: Pledge | None, stream: str, stored: int, now: Instant) -> None:
        """Note that a push was taken; a pledge counts when the centre stands where it was made for."""
        if pledge is not None and stored == pledge.seq:
            self._pledged, self._pledge_due_ms = stream, now.mono_ms + PLEDGE_MS

    def refuse(self) -> None:
        """Note that the centre found the proof of a push wrong: with these keys it is given signatures from now on."""
        if self._secret:
            log.warning("uplink.tag_refused")
            self._refused, self._secret, self._key = self._key, b"", b""

    def _tags(self, identity: Identity) -> bool:
        """Whether a tag can be made. Makes the secret where keys are new."""
        if identity.centre_key is None:
            return False
        names = bytes(identity.key.verify_key) + identity.centre_key
        if names == self._refused:
            return False
        if names != self._key:
            try:
                self._secret, self._key = tags.station_secret(identity.key, identity.centre_key), names
            except signing.BadSignature:
                self._refused = names
                return False
        return True
