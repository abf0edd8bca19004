"""Every SQL statement about people, sign-in sessions and the audit trail."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.areas.models import districts
from collector.db.dialect import insert as upsert
from collector.db.numbers import next_number
from collector.people.models import absences, audit, people, sign_in_failures, sign_in_links, web_sessions


class Role(StrEnum):
    """What a person is, in the words of the district: 区中心, 乡镇管理站, 骨干操作员 "1", 普通操作员 "X", 领导."""

    CENTRE = "centre"
    TOWNSHIP = "township"
    BACKBONE = "backbone"
    PLAIN = "plain"
    LEADER = "leader"


@dataclass(frozen=True, slots=True)
class Person:
    """One person. `area_id` is the township answered for, `station_id` an operator's own station.

    `more_areas` are townships answered for besides, `skills` categories of faults, `duty` weekdays (none: every day).
    """

    district_id: int
    person_id: int
    name: str
    account: str | None
    phone: str
    email: str
    webhook: str
    role: Role
    area_id: UUID | None
    station_id: int | None
    language: str
    skills: frozenset[str] = frozenset()
    more_areas: frozenset[UUID] = frozenset()
    duty: frozenset[int] = frozenset()

    def answers_for(self, township_id: UUID | None) -> bool:
        """Whether this township is one of the person's."""
        return township_id is not None and (township_id == self.area_id or township_id in self.more_areas)


@dataclass(frozen=True, slots=True)
class Absence:
    """Leave, both days included, as texts: 2026-09-10."""

    person_id: int
    absence_id: int
    from_day: str
    to_day: str
    reason: str


@dataclass(frozen=True, slots=True)
class WebSession:
    """Who is signed in, the token every form of theirs carries, and the name of their district."""

    person: Person
    csrf: str
    district: str


_FORGET_MS = 24 * 3_600_000
"""Wrong tries are forgotten a day after the last wait."""


async def add_person(
    connection: AsyncConnection,
    district_id: int,
    *,
    name: str,
    role: Role,
    now_ms: int,
    area_id: UUID | None = None,
    station_id: int | None = None,
    account: str | None = None,
    password_hash: str | None = None,
    phone: str = "",
    email: str = "",
    webhook: str = "",
) -> int:
    """Add a person and return the number in the district."""
    person_id = await next_number(connection, district_id, "person")
    await connection.execute(
        insert(people).values(
            district_id=district_id,
            person_id=person_id,
            name=name,
            account=account,
            phone=phone,
            email=email,
            webhook=webhook,
            role=role,
            area_id=area_id,
            station_id=station_id,
            password_hash=password_hash,
            created_ms=now_ms,
        )
    )
    return person_id


async def list_people(
    connection: AsyncConnection,
    district_id: int,
    *,
    role: Role | None = None,
    area_id: UUID | None = None,
    station_id: int | None = None,
) -> list[Person]:
    """People who are not disabled, oldest first."""
    statement = _people().where(people.c.district_id == district_id, people.c.disabled_ms.is_(None))
    for column, value in ((people.c.role, role), (people.c.area_id, area_id), (people.c.station_id, station_id)):
        if value is not None:
            statement = statement.where(column == value)
    return [_person(row) for row in await connection.execute(statement.order_by(people.c.person_id))]


async def list_names(connection: AsyncConnection, district_id: int) -> dict[int, str]:
    """What everybody is called, those who have left included: history names them."""
    statement = select(people.c.person_id, people.c.name).where(people.c.district_id == district_id)
    return {row[0]: row[1] for row in await connection.execute(statement)}


async def get_person(connection: AsyncConnection, district_id: int, person_id: int) -> Person | None:
    statement = _people().where(people.c.district_id == district_id, people.c.person_id == person_id)
    row = (await connection.execute(statement)).first()
    return None if row is None else _person(row)


async def change_person(
    connection: AsyncConnection, district_id: int, person_id: int, *, version: int, **values: Any
) -> bool:
    """Change a person who is still at this version; False when somebody was quicker."""
    each = people.c
    statement = (
        update(people)
        .where(each.district_id == district_id, each.person_id == person_id, each.version == version)
        .values(version=version + 1, **values)
    )
    return (await connection.execute(statement)).rowcount == 1


async def add_absence(
    connection: AsyncConnection, district_id: int, person_id: int, *, from_day: str, to_day: str, reason: str
) -> int:
    """Write leave into the book and return its number."""
    absence_id = await next_number(connection, district_id, "absence")
    key = {"district_id": district_id, "person_id": person_id, "absence_id": absence_id}
    await connection.execute(insert(absences).values(**key, from_day=from_day, to_day=to_day, reason=reason))
    return absence_id


async def drop_absence(connection: AsyncConnection, district_id: int, person_id: int, absence_id: int) -> None:
    each = absences.c
    await connection.execute(
        delete(absences).where(
            each.district_id == district_id, each.person_id == person_id, each.absence_id == absence_id
        )
    )


async def list_absences(connection: AsyncConnection, district_id: int, *, from_day: str) -> list[Absence]:
    """Leave that ends on this day or later, the earliest first."""
    each = absences.c
    statement = (
        select(each.person_id, each.absence_id, each.from_day, each.to_day, each.reason)
        .where(each.district_id == district_id, each.to_day >= from_day)
        .order_by(each.from_day, each.absence_id)
    )
    return [Absence(*row) for row in await connection.execute(statement)]


async def find_accounts(
    connection: AsyncConnection, account: str, *, district_id: int | None = None
) -> list[tuple[Person, str | None]]:
    """People who sign in under this name, with their password hashes: one a district. Disabled people are left out."""
    statement = _people().add_columns(people.c.password_hash)
    statement = statement.where(people.c.account == account, people.c.disabled_ms.is_(None))
    if district_id is not None:
        statement = statement.where(people.c.district_id == district_id)
    return [(_person(row[:-1]), row[-1]) for row in await connection.execute(statement)]


async def has_password(connection: AsyncConnection, district_id: int, person_id: int) -> bool:
    statement = select(people.c.password_hash).where(
        people.c.district_id == district_id, people.c.person_id == person_id
    )
    return (await connection.execute(statement)).scalar() is not None


async def change_password(
    connection: AsyncConnection, district_id: int, person_id: int, *, account: str, password_hash: str
) -> None:
    await connection.execute(
        update(people)
        .where(people.c.district_id == district_id, people.c.person_id == person_id)
        .values(account=account, password_hash=password_hash)
    )


async def change_language(connection: AsyncConnection, district_id: int, person_id: int, language: str) -> None:
    await connection.execute(
        update(people)
        .where(people.c.district_id == district_id, people.c.person_id == person_id)
        .values(language=language)
    )


async def add_session(
    connection: AsyncConnection,
    district_id: int,
    person_id: int,
    *,
    token_hash: str,
    csrf: str,
    now_ms: int,
    expires_ms: int,
) -> None:
    await connection.execute(
        insert(web_sessions).values(
            district_id=district_id,
            token_hash=token_hash,
            person_id=person_id,
            csrf=csrf,
            created_ms=now_ms,
            seen_ms=now_ms,
            expires_ms=expires_ms,
        )
    )


async def get_session(
    connection: AsyncConnection, district_id: int, token_hash: str, *, now_ms: int
) -> WebSession | None:
    """A live session, None when it is unknown, over or its person disabled."""
    statement = (
        _people()
        .add_columns(web_sessions.c.csrf, districts.c.name)
        .join(
            web_sessions,
            (web_sessions.c.district_id == people.c.district_id) & (web_sessions.c.person_id == people.c.person_id),
        )
        .join(districts, districts.c.district_id == people.c.district_id)
        .where(
            web_sessions.c.district_id == district_id,
            web_sessions.c.token_hash == token_hash,
            web_sessions.c.expires_ms > now_ms,
            people.c.disabled_ms.is_(None),
        )
    )
    row = (await connection.execute(statement)).first()
    return None if row is None else WebSession(_person(row[:-2]), row[-2], row[-1])


async def end_session(connection: AsyncConnection, district_id: int, token_hash: str) -> None:
    await connection.execute(
        delete(web_sessions).where(web_sessions.c.district_id == district_id, web_sessions.c.token_hash == token_hash)
    )


async def end_sessions_of(connection: AsyncConnection, district_id: int, person_id: int) -> None:
    """Sign a person out everywhere, after the password has changed."""
    await connection.execute(
        delete(web_sessions).where(web_sessions.c.district_id == district_id, web_sessions.c.person_id == person_id)
    )


async def end_sessions_before(connection: AsyncConnection, now_ms: int) -> None:
    """Forget sessions, links and waits that are over."""
    for table in (web_sessions, sign_in_links):
        await connection.execute(delete(table).where(table.c.expires_ms <= now_ms))
    await connection.execute(delete(sign_in_failures).where(sign_in_failures.c.until_ms <= now_ms - _FORGET_MS))


async def get_failures(connection: AsyncConnection, district_id: int, account: str) -> tuple[int, int]:
    """Wrong tries under this name so far, and until when the next one has to wait."""
    statement = select(sign_in_failures.c.failures, sign_in_failures.c.until_ms).where(
        sign_in_failures.c.district_id == district_id, sign_in_failures.c.account == account
    )
    row = (await connection.execute(statement)).first()
    return (0, 0) if row is None else (row[0], row[1])


async def set_failures(
    connection: AsyncConnection, district_id: int, account: str, *, failures: int, until_ms: int
) -> None:
    statement = upsert(connection, sign_in_failures).values(
        district_id=district_id, account=account, failures=failures, until_ms=until_ms
    )
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=[sign_in_failures.c.district_id, sign_in_failures.c.account],
            set_={"failures": failures, "until_ms": until_ms},
        )
    )


async def forget_failures(connection: AsyncConnection, district_id: int, account: str) -> None:
    await connection.execute(
        delete(sign_in_failures).where(
            sign_in_failures.c.district_id == district_id, sign_in_failures.c.account == account
        )
    )


async def add_link(
    connection: AsyncConnection, district_id: int, person_id: int, *, token_hash: str, expires_ms: int
) -> None:
    await connection.execute(
        insert(sign_in_links).values(
            district_id=district_id, person_id=person_id, token_hash=token_hash, expires_ms=expires_ms
        )
    )


async def use_link(connection: AsyncConnection, district_id: int, token_hash: str, *, now_ms: int) -> int | None:
    """Person of a one-time link, which is used up by this; None when it is used, over or unknown."""
    statement = (
        update(sign_in_links)
        .where(
            sign_in_links.c.district_id == district_id,
            sign_in_links.c.token_hash == token_hash,
            sign_in_links.c.used_ms.is_(None),
            sign_in_links.c.expires_ms > now_ms,
        )
        .values(used_ms=now_ms)
        .returning(sign_in_links.c.person_id)
    )
    row = (await connection.execute(statement)).first()
    return None if row is None else int(row[0])


async def record(
    connection: AsyncConnection,
    district_id: int,
    *,
    person_id: int | None,
    action: str,
    object_: str,
    now_ms: int,
    detail: dict[str, Any] | None = None,
) -> None:
    """Write one line of the audit trail, in the transaction of the act itself."""
    await connection.execute(
        insert(audit).values(
            district_id=district_id,
            entry_id=await next_number(connection, district_id, "audit"),
            at_ms=now_ms,
            person_id=person_id,
            action=action,
            object=object_,
            detail=detail or {},
        )
    )


def _people() -> Select[Any]:
    each = people.c
    return select(
        each.district_id,
        each.person_id,
        each.name,
        each.account,
        each.phone,
        each.email,
        each.webhook,
        each.role,
        each.area_id,
        each.station_id,
        each.language,
        each.skills,
        each.more_areas,
        each.duty,
    )


def _person(row: Any) -> Person:
    values = dict(zip(Person.__slots__, row, strict=True))
    values["role"] = Role(values["role"])
    values["more_areas"] = frozenset(UUID(each) for each in values["more_areas"] or ())
    return Person(**values | {name: frozenset(values[name] or ()) for name in ("skills", "duty")})
