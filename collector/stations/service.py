"""What the station register does: give out enrolment codes and turn a code into a station's key."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from collector.db.engine import Connection, Database
from collector.errors import PushRefusedError
from collector.people import queries as people
from collector.stations import loss_queries, queries
from collector.stations.errors import (
    CodeDeadError,
    CodeExpiredError,
    CodeUnknownError,
    CodeUsedError,
    LostAheadError,
    LostBeforeError,
)
from collector.stations.queries import Code
from shared import codes
from shared.signing import key_id

CODE_MS = 72 * 3600 * 1000
OVERLAP_MS = 24 * 3600 * 1000
"""How long a key goes on being valid after its successor was accepted."""
MAX_TRIES = 5
# A code lives three days and dies after five wrong tries, so its hash needs less stretching than a password's.
_HASHER = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1)


async def new_code(
    connection: Connection, district_id: int, station_id: int, *, now_ms: int, person_id: int | None = None
) -> str:
    """A fresh code for one station, as printed (`7K4M-9QXT-2HDW`). Codes given out before stop working."""
    code = codes.new_code()
    lookup, secret = codes.split(codes.normalise(code))
    secret_hash = await asyncio.to_thread(_HASHER.hash, secret)
    await queries.add_code(
        connection,
        district_id,
        station_id,
        lookup=lookup,
        secret_hash=secret_hash,
        now_ms=now_ms,
        expires_ms=now_ms + CODE_MS,
    )
    await people.record(
        connection,
        district_id,
        person_id=person_id,
        action="code.made",
        object_=f"station/{station_id}",
        now_ms=now_ms,
    )
    return code


async def enrol(database: Database, *, code: str, public_key: bytes, now_ms: int) -> queries.Station:
    """Make `public_key` the key of the code's station. The same code and key again give the same answer.

    Raises PushRefusedError: mistyped, unknown, dead, used or expired code.
    """
    try:
        lookup, secret = codes.split(codes.normalise(code))
    except codes.MistypedCodeError as error:
        raise PushRefusedError(422, "code-mistyped", "安装码输入有误，请对照安装单逐位核对（共 12 位）。") from error
    found = await _find(database, lookup, secret)
    name = key_id(public_key)
    async with database.write() as connection:
        if found.used_key_id != name:
            _require_usable(found, now_ms)
            if not await queries.use_code(connection, found.district_id, lookup, key_id=name, now_ms=now_ms):
                raise CodeUsedError
            await queries.add_key(
                connection, found.district_id, found.station_id, key_id=name, public_key=public_key, now_ms=now_ms
            )
            await people.record(
                connection,
                found.district_id,
                person_id=None,
                action="station.enrolled",
                object_=f"station/{found.station_id}",
                now_ms=now_ms,
                detail={"key": name},
            )
        return await queries.require_station(connection, found.district_id, found.station_id)


async def require_key(database: Database, district_id: int, station_id: int, name: str, *, now_ms: int) -> bytes:
    """The public key of this name while it is valid. Raises PushRefusedError."""
    async with database.read() as connection:
        key = await queries.get_key(connection, district_id, station_id, name, now_ms=now_ms)
    if key is None:
        raise PushRefusedError(401, "unknown-key", "this station and key are not valid here; enrol it again")
    return key


async def rotate(database: Database, district_id: int, station_id: int, *, signer: str, new: bytes, now_ms: int) -> int:
    """Let `new` follow the key `signer`, which stays valid for one day; returns until when. Repeating changes nothing.

    Raises PushRefusedError when another key has followed it already.
    """
    name = key_id(new)
    async with database.write() as connection:
        valid = await queries.list_keys(connection, district_id, station_id, now_ms=now_ms)
        if name in valid:
            return max((until for each, until in valid.items() if each != name and until is not None), default=now_ms)
        if signer not in valid or valid[signer] is not None:
            raise PushRefusedError(409, "key-followed", "another key has followed this one; enrol the station again")
        await queries.end_keys(connection, district_id, station_id, at_ms=now_ms + OVERLAP_MS)
        await queries.insert_key(connection, district_id, station_id, key_id=name, public_key=new, now_ms=now_ms)
        await people.record(
            connection,
            district_id,
            person_id=None,
            action="station.key_rotated",
            object_=f"station/{station_id}",
            now_ms=now_ms,
            detail={"old": signer, "new": name},
        )
    return now_ms + OVERLAP_MS


async def order_rotation(connection: Connection, district_id: int, station_id: int | None, *, now_ms: int) -> None:
    """Have one station, or all of the district, make a new key at their next push."""
    await queries.order_rotation(connection, district_id, station_id, now_ms=now_ms)


async def release(
    connection: Connection, district_id: int, station_id: int, *, now_ms: int, person_id: int | None = None
) -> None:
    """A person has decided that a station held aside is one machine after all: whoever pushes next goes on."""
    await queries.reset_leases(connection, district_id, station_id)
    await people.record(
        connection,
        district_id,
        person_id=person_id,
        action="station.released",
        object_=f"station/{station_id}",
        now_ms=now_ms,
    )


async def take_out(
    connection: Connection,
    district_id: int,
    station_id: int,
    *,
    now_ms: int,
    person_id: int | None = None,
    lost_ms: int | None = None,
) -> None:
    """Refuse a station's computer from its next push on. What it told since `lost_ms` stays, marked for a check.

    Raises LostAheadError, LostBeforeError: the loss lies ahead, or before the computer was installed.
    """
    if lost_ms is not None:
        installed_ms = await loss_queries.get_installed_ms(connection, district_id, station_id)
        if lost_ms > now_ms:
            raise LostAheadError
        if installed_ms is None or lost_ms < installed_ms:
            raise LostBeforeError
        await loss_queries.mark_lost(connection, district_id, station_id, lost_ms=lost_ms, installed_ms=installed_ms)
    await queries.revoke_key(connection, district_id, station_id, now_ms=now_ms)
    await people.record(
        connection,
        district_id,
        person_id=person_id,
        action="station.key_revoked",
        object_=f"station/{station_id}",
        now_ms=now_ms,
        detail={} if lost_ms is None else {"lost_ms": lost_ms},
    )


async def _find(database: Database, lookup: str, secret: str) -> Code:
    """The code whose secret fits. A wrong secret counts as a try, committed whatever happens next."""
    async with database.read() as connection:
        candidates = await queries.list_codes(connection, lookup)
    for candidate in candidates:
        if candidate.tries < MAX_TRIES and await asyncio.to_thread(_fits, candidate.secret_hash, secret):
            return candidate
    async with database.write() as connection:
        for candidate in candidates:
            await queries.count_try(connection, candidate.district_id, lookup)
    if any(candidate.tries + 1 >= MAX_TRIES for candidate in candidates):
        raise CodeDeadError
    raise CodeUnknownError


def _fits(secret_hash: str, secret: str) -> bool:
    try:
        return _HASHER.verify(secret_hash, secret)
    except VerifyMismatchError:
        return False


def _require_usable(code: Code, now_ms: int) -> None:
    if code.used_key_id is not None:
        raise CodeUsedError
    if code.expires_ms <= now_ms:
        raise CodeExpiredError
