"""Finds out whether a push was made by whom it says, and keeps what was derived for that.

A push carries a signature or a tag (`shared/tags.py`). Revocation is judged where the push is written.
"""

from collections import OrderedDict
from typing import NamedTuple

from collector.centre import Centre
from collector.errors import PushRefusedError
from collector.intake import queries
from shared import signing, tags
from shared.signing import BadSignature, Claim
from shared.wire.v1 import PATH

MAX_KEPT = 100_000
"""Some 30 MB. Of more stations than that, those heard last are kept."""
_ALGORITHMS = frozenset({signing.ALGORITHM, tags.ALGORITHM})


class Held(NamedTuple):
    """A station's public key and the secret shared with it; None as long as no tag has come."""

    public_key: bytes
    secret: bytes | None = None


class Keyring:
    """What is known of the keys that pushes name."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        self._held: OrderedDict[tuple[str, str], Held] = OrderedDict()

    async def check(self, header: str | None, body: bytes) -> Claim:
        """The claim in a push's `Authorization` header, proven. Raises PushRefusedError."""
        try:
            claim = signing.read_claim(header, _ALGORITHMS)
            held = await self._hold(claim)
            if claim.algorithm != tags.ALGORITHM:
                signing.verify(claim, held.public_key, method="POST", path=PATH, body=body)
            else:
                tags.verify(claim, held.secret or self._derive(claim, held), method="POST", path=PATH, body=body)
        except BadSignature as error:
            raise PushRefusedError(401, "bad-signature", str(error)) from error
        return claim

    async def _hold(self, claim: Claim) -> Held:
        name = (claim.station, claim.key_id)
        held = self._held.get(name)
        if held is not None:
            self._held.move_to_end(name)
            return held
        district_id, station_id = map(int, claim.station.split("/"))
        async with self._centre.database.read() as connection:
            key = await queries.get_public_key(connection, district_id, station_id, claim.key_id)
        if key is None:
            raise PushRefusedError(401, "unknown-key", "this station and key are not known here; enrol it again")
        self._held[name] = held = Held(key)
        if len(self._held) > MAX_KEPT:
            self._held.popitem(last=False)
        return held

    def _derive(self, claim: Claim, held: Held) -> bytes:
        if self._centre.seal is None:
            raise BadSignature("this centre has no key of its own to check a tag with; use a signature")
        secret = self._centre.seal.secret_with(held.public_key)
        self._held[claim.station, claim.key_id] = held._replace(secret=secret)
        return secret
