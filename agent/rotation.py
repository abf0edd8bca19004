"""Gives the station its next key: made here, vouched for by the present one, taken into use once the centre has it."""

import logging
from dataclasses import replace
from pathlib import Path

from nacl.signing import SigningKey

from agent.identity import Identity, load_or_make_next_key, promote_key
from agent.transport import Response, Transport
from shared import signing
from shared.signing import ASK_HEADER, ASK_PROOF
from shared.wire.v1 import ROTATE_PATH, RotateRequest

log = logging.getLogger("yuanjiao.rotation")


def rotate(identity: Identity, transport: Transport, state_dir: Path) -> Identity:
    """The identity with its next key, or unchanged when the centre did not take that. Raises LinkError.

    Safe to begin again after a power cut at any point: the next key is kept until it is in use, and when the present
    one has meanwhile run out, the next one speaks for itself.
    """
    new = load_or_make_next_key(state_dir)
    proof = signing.prove_key(new, station=identity.station)
    body = RotateRequest(public_key=bytes(new.verify_key).hex(), proof=proof).model_dump_json().encode()
    for signer in (identity.key, new):
        response = _ask(identity, transport, signer, body)
        if response.status == 200 and _is_honest(identity, response, body):
            promote_key(state_dir)
            log.info("rotation.done key=%s", signing.key_id(bytes(new.verify_key)))
            return replace(identity, key=new)
        if response.status != 401:
            break
    log.warning("rotation.refused status=%d", response.status)
    return identity


def _ask(identity: Identity, transport: Transport, signer: SigningKey, body: bytes) -> Response:
    header = signing.authorization(signer, method="POST", path=ROTATE_PATH, station=identity.station, body=body)
    headers = {"Authorization": header, "Content-Type": "application/json", ASK_HEADER: ASK_PROOF}
    return transport.post(ROTATE_PATH, body, headers)


def _is_honest(identity: Identity, response: Response, body: bytes) -> bool:
    """A forged yes would lock this station out, so the centre's own signature is asked for where it has one."""
    if identity.centre_key is None:
        return response.valid_ms is None
    try:
        signing.check_answer(
            response.proof, identity.centre_key, station=identity.station, request=body, answer=response.body
        )
    except signing.BadSignature:
        return False
    return True
