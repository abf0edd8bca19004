"""Asks the centre for a newer agent and fetches it in pieces, which a cut link, a kill or a restart does not undo."""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from agent.durable import make_folder, sync_folder
from agent.identity import Identity
from agent.transport import Response
from agent.upgrade.pointer import Place
from shared import signing
from shared.release import MAX_HEADER_BYTES, SUFFIX, BadRelease, Header, read_header, read_version
from shared.wire.releases import RELEASE_PATH, ReleaseAnswer

PIECE_BYTES = 32 * 1024
"""Small enough that a link of 2 KB/s brings it between two heartbeats."""
BY_HAND = 0
"""In place of an offer's number: a person brought it here, so it is tried even if it failed before."""

Get = Callable[[str, Mapping[str, str]], Response]


@dataclass(frozen=True, slots=True)
class Offer:
    """What the centre offers: the number of the offer and the first line of the release."""

    number: int
    header: Header


def ask(get: Get, identity: Identity, running: str) -> Offer | None:
    """What the centre offers this station that is newer than the version it runs; None for nothing.

    Raises LinkError; BadRelease for what makes no sense.
    """
    response = get(RELEASE_PATH, {**_signed(identity, RELEASE_PATH), "If-None-Match": f'"{running}"'})
    if response.status != 200 or len(response.body) > 2 * MAX_HEADER_BYTES:
        return None
    try:
        answer = ReleaseAnswer.model_validate_json(response.body)
    except ValidationError as error:
        raise BadRelease from error
    header = read_header(answer.header.encode())
    newer = read_version(header.manifest.version) > read_version(running)
    return Offer(answer.offer, header) if newer else None


def partial(place: Place, sha256: str) -> Path:
    return place.waiting / f"{sha256}.part"


def have_bytes(place: Place, sha256: str) -> int:
    """How much of a payload is here already."""
    try:
        return partial(place, sha256).stat().st_size
    except OSError:
        return 0


def fetch_piece(get: Get, identity: Identity, place: Place, offer: Offer) -> bool:
    """Fetch the next piece and keep it; True once the release waits whole, proven by its hash.

    Raises LinkError without a connection, BadRelease when the centre gives something else, OSError on a full disk.
    """
    manifest = offer.header.manifest
    file = partial(place, manifest.sha256)
    make_folder(place.waiting)
    have = have_bytes(place, manifest.sha256)
    if have < manifest.size:
        wanted = min(PIECE_BYTES, manifest.size - have)
        path = f"{RELEASE_PATH}/{manifest.sha256}"
        span = {"Range": f"bytes={have}-{have + wanted - 1}"}
        response = get(path, {**_signed(identity, path), **span})
        if response.status != 206 or not 0 < len(response.body) <= wanted:
            raise BadRelease("区中心没有给出升级包的内容，稍后再试。")
        with file.open("ab") as kept:
            kept.write(response.body)
        have += len(response.body)
    if have < manifest.size:
        return False
    payload = file.read_bytes()
    if hashlib.sha256(payload).hexdigest() != manifest.sha256:
        file.unlink()
        raise BadRelease("下载的升级包已损坏，稍后重新下载。")
    stage(place, offer.header, payload, offer.number)
    file.unlink()
    return True


def stage(place: Place, header: Header, payload: bytes, number: int) -> None:
    """Lay a whole release down to wait: there in one step, or not at all. Raises OSError."""
    target = place.waiting / f"{header.manifest.sha256}.{number}{SUFFIX}"
    beside = target.with_name(target.name + ".new")
    descriptor = os.open(beside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(header.dump() + payload)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(target)
    sync_folder(place.waiting)


def read_number(file: Path) -> int:
    """The number of the offer under which a waiting release came, `BY_HAND` for one that was carried here."""
    number = file.name.removesuffix(SUFFIX).rpartition(".")[2]
    return int(number) if number.isdecimal() else BY_HAND


def tidy(place: Place, keep: str) -> None:
    """Forget pieces of what is no longer offered."""
    for file in place.waiting.glob("*"):
        if file.suffix in {".part", ".new"} and file.stem != keep:
            file.unlink(missing_ok=True)


def _signed(identity: Identity, path: str) -> dict[str, str]:
    header = signing.authorization(identity.key, method="GET", path=path, station=identity.station, body=b"")
    return {"Authorization": header}
