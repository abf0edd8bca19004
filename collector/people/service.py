"""Signing in and out, and who can be reached. Passwords are argon2id; of tokens only the hash is kept.

A token begins with its district's number, so that the look-up stays inside one district. Nothing here commits.
"""

import asyncio
import hashlib
import secrets
from dataclasses import dataclass
from datetime import date

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from collector.db.engine import Connection
from collector.errors import BadInputError, CentreError
from collector.people import queries
from collector.people.queries import Person, WebSession
from collector.web.i18n import msgid

COOKIE = "yuanjiao_session"
SESSION_MS = 7 * 24 * 3_600_000
LINK_HOURS = 24
SHORTEST_PASSWORD = 10
FREE_TRIES = 5
_FIRST_WAIT_MS = 30_000
_LONGEST_WAIT_MS = 15 * 60_000
_NOBODY = 0
"""Wrong tries under an account that exists nowhere are counted in district 0, so that they look the same."""

# OWASP's second recommendation: 19 MiB, so that six sign-ins at once do not drive a small centre out of memory.
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


class WrongPasswordError(BadInputError):
    """账号或密码不对。请检查后再试；忘记密码请向区中心要一个登录链接。"""

    problem = "wrong-password"


class TooManyTriesError(CentreError):
    """输错次数过多。请稍后再试，或向区中心要一个登录链接。"""

    status = 429
    problem = "too-many-tries"

    def __init__(self, wait_ms: int) -> None:
        super().__init__()
        self.retry_after_s = max(1, -(-wait_ms // 1000))


class LinkOverError(CentreError):
    """这个登录链接已经用过或已过期。请向区中心再要一个。"""

    status = 410
    problem = "link-over"


class WeakPasswordError(BadInputError):
    """密码至少 10 个字，且不能与账号相同。请换一个。"""


class AccountTakenError(BadInputError):
    """这个账号已经有人用了。请换一个。"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A counted try to sign in: whose failures it is counted under, and whom it may turn out to be."""

    district_id: int
    account: str
    person: Person | None
    password_hash: str | None


async def begin_attempt(connection: Connection, typed: str, *, now_ms: int) -> Attempt:
    """Count the try before the password is looked at, so that many tries at once are all counted.

    `typed` is an account, or `区划代码/账号` on a centre of several districts. Raises TooManyTriesError while waiting.
    """
    district, _, account = typed.strip().rpartition("/")
    account = account[:60]
    wanted = int(district) if district.isdecimal() else None
    found = await queries.find_accounts(connection, account, district_id=wanted)
    person, password_hash = found[0] if len(found) == 1 else (None, None)
    district_id = person.district_id if person else _NOBODY
    failures, until_ms = await queries.get_failures(connection, district_id, account)
    if now_ms < until_ms:
        raise TooManyTriesError(until_ms - now_ms)
    failures += 1
    await queries.set_failures(
        connection, district_id, account, failures=failures, until_ms=now_ms + wait_after(failures)
    )
    return Attempt(district_id, account, person, password_hash)


def wait_after(failures: int) -> int:
    """Milliseconds to wait after so many wrong tries: none for the first few, then doubling up to a bound."""
    if failures < FREE_TRIES:
        return 0
    return int(min(_FIRST_WAIT_MS * 2 ** min(failures - FREE_TRIES, 20), _LONGEST_WAIT_MS))


async def check_password(attempt: Attempt, password: str) -> Person:
    """The person, if the password is right. Takes as long for an unknown account. Raises WrongPasswordError."""
    right = await asyncio.to_thread(_verify, attempt.password_hash, password)
    if not right or attempt.person is None:
        raise WrongPasswordError
    return attempt.person


async def open_session(connection: Connection, person: Person, *, now_ms: int, how: str) -> str:
    """Sign the person in and return the cookie's token. `how` (password, link) goes into the audit trail."""
    token = _new_token(person.district_id)
    await queries.add_session(
        connection,
        person.district_id,
        person.person_id,
        token_hash=_digest(token),
        csrf=secrets.token_hex(32),
        now_ms=now_ms,
        expires_ms=now_ms + SESSION_MS,
    )
    if person.account is not None:
        await queries.forget_failures(connection, person.district_id, person.account)
    await queries.record(
        connection, person.district_id, person_id=person.person_id, action=f"sign_in.{how}", object_="", now_ms=now_ms
    )
    return token


async def get_session(connection: Connection, token: str, *, now_ms: int) -> WebSession | None:
    """The live session behind a cookie's token."""
    district_id = _district_of(token)
    if district_id is None:
        return None
    return await queries.get_session(connection, district_id, _digest(token), now_ms=now_ms)


async def end_session(connection: Connection, token: str) -> None:
    district_id = _district_of(token)
    if district_id is not None:
        await queries.end_session(connection, district_id, _digest(token))


async def make_link(
    connection: Connection, district_id: int, person_id: int, *, now_ms: int, hours: int = LINK_HOURS
) -> str:
    """A token for `/signin/link/<token>` that signs this person in once."""
    token = _new_token(district_id)
    await queries.add_link(
        connection, district_id, person_id, token_hash=_digest(token), expires_ms=now_ms + hours * 3_600_000
    )
    return token


async def use_link(connection: Connection, token: str, *, now_ms: int) -> tuple[Person, str]:
    """Use a link up: the person and the token of the new session. Raises LinkOverError."""
    district_id = _district_of(token)
    if district_id is None:
        raise LinkOverError
    person_id = await queries.use_link(connection, district_id, _digest(token), now_ms=now_ms)
    person = None if person_id is None else await queries.get_person(connection, district_id, person_id)
    if person is None:
        raise LinkOverError
    return person, await open_session(connection, person, now_ms=now_ms, how="link")


async def hash_password(account: str, password: str) -> str:
    """The hash to store. Raises WeakPasswordError for a password that is too short or is the account."""
    if len(password) < SHORTEST_PASSWORD or password.casefold() == account.casefold():
        raise WeakPasswordError
    return await asyncio.to_thread(_hasher.hash, password)


async def list_reachable(connection: Connection, district_id: int, *, day: date) -> list[Person]:
    """Who is at work on a day: neither on leave nor off duty."""
    text = day.isoformat()
    away = {
        each.person_id
        for each in await queries.list_absences(connection, district_id, from_day=text)
        if each.from_day <= text
    }
    everybody = await queries.list_people(connection, district_id)
    return [
        each for each in everybody if each.person_id not in away and (not each.duty or day.isoweekday() in each.duty)
    ]


def mask_phone(phone: str) -> str:
    """A number as screens and files show it: 138****5678. Short ones keep their last two digits."""
    shown = phone.strip()
    if len(shown) >= 7:
        return f"{shown[:3]}****{shown[-4:]}" if len(shown) > 7 else f"{'*' * (len(shown) - 2)}{shown[-2:]}"
    return "*" * len(shown)


async def set_account(connection: Connection, person: Person, *, account: str, password_hash: str, now_ms: int) -> str:
    """Give the person an account and password; every other session ends. Returns the token of a new session."""
    account = account.strip()
    if not account or "/" in account or len(account) > 60:
        raise BadInputError(msgid("账号不能为空，不能含“/”，最多 60 个字。"))
    taken = await queries.find_accounts(connection, account, district_id=person.district_id)
    if any(other.person_id != person.person_id for other, _ in taken):
        raise AccountTakenError
    await queries.change_password(
        connection, person.district_id, person.person_id, account=account, password_hash=password_hash
    )
    await queries.end_sessions_of(connection, person.district_id, person.person_id)
    return await open_session(connection, person, now_ms=now_ms, how="new_password")


def _verify(password_hash: str | None, password: str) -> bool:
    if password_hash is None:
        _hasher.hash(password)  # as much work as a real check, so that the answer's delay tells nothing
        return False
    try:
        return _hasher.verify(password_hash, password)
    except (Argon2Error, InvalidHashError):
        return False


def _new_token(district_id: int) -> str:
    return f"{district_id}.{secrets.token_urlsafe(32)}"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _district_of(token: str) -> int | None:
    district, dot, _ = token.partition(".")
    return int(district) if dot and district.isascii() and district.isdecimal() and len(district) <= 12 else None
