"""What the operators' archive does: list who there is, keep files, propose topics for training.

Phones leave it masked; a whole number is shown to those who manage people, and each showing stands in the audit trail.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from collector.db.engine import Connection
from collector.errors import BadInputError, ConflictError, NotFoundError
from collector.faults.rules.base import Category
from collector.operators import queries
from collector.people import queries as people
from collector.people.queries import Absence, Person, Role
from collector.people.service import mask_phone
from collector.tickets import ended_queries
from collector.tickets import queries as tickets
from collector.tickets.routing import Step
from collector.web.i18n import msgid

YEAR_MS = 365 * 86_400_000
OPERATORS = (Role.BACKBONE, Role.PLAIN)
"""Whom a township's office keeps files of; those of the offices themselves are the centre's."""
CLASSES: Mapping[Role, str] = {
    Role.BACKBONE: msgid("骨干“1”"),
    Role.PLAIN: msgid("普通“X”"),
    Role.TOWNSHIP: msgid("乡镇管理站"),
    Role.CENTRE: msgid("区中心"),
    Role.LEADER: msgid("领导（只读）"),
}
TOPICS: Mapping[Category, str] = {
    Category.OPERATOR: msgid("设备日常操作：开关机、静音、投影机散热"),
    Category.SOFTWARE: msgid("系统与播放软件：清理磁盘、对时、重装"),
    Category.HARDWARE_COMMON: msgid("常见硬件：灯泡、滤网、线缆、音箱"),
    Category.HARDWARE_MAJOR: msgid("重大硬件：备份数据、报废与更换手续"),
    Category.NETWORK: msgid("网络：光猫、路由器、网线检查"),
    Category.POWER: msgid("供电：停电报备、稳压与安全用电"),
    Category.SATELLITE: msgid("天网接收：天线对星、接收卡、下载目录"),
    Category.COURSEWARE: msgid("课件：下载检查、校验、光盘与 U 盘拷贝"),
}
_TOP = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One person in the list. `expires` is the earliest end of a qualification, `away` leave on this day."""

    person: Person
    phone: str
    load: int
    trained: int
    expires: str | None
    away: Absence | None


@dataclass(frozen=True, slots=True)
class Topic:
    """What a township should be trained in: the commonest categories of its faults within a year."""

    area_id: UUID
    counts: Sequence[tuple[Category, int]]


@dataclass(frozen=True, slots=True)
class Change:
    """What the form of a person's file says."""

    name: str
    role: Role
    phone: str
    email: str
    area_id: UUID | None
    station_id: int | None
    skills: Sequence[str]
    more_areas: Sequence[UUID]
    duty: Sequence[int]
    duties: str


async def list_rows(connection: Connection, district_id: int, *, today: date) -> list[Row]:
    """Everybody in service, with what carries weight today."""
    text = today.isoformat()
    load = await tickets.count_open_by_assignee(connection, district_id)
    year = str(today.year)
    trained = await queries.count_trainings(connection, district_id, from_day=f"{year}-01-01", to_day=f"{year}-12-31")
    expires: dict[int, str] = {}
    for each in await queries.list_qualifications(connection, district_id):
        if each.expires_day is not None:
            expires[each.person_id] = min(each.expires_day, expires.get(each.person_id, each.expires_day))
    leave = await people.list_absences(connection, district_id, from_day=text)
    away = {each.person_id: each for each in leave if each.from_day <= text}
    everybody = await people.list_people(connection, district_id)
    return [
        Row(
            each,
            mask_phone(each.phone),
            load.get(each.person_id, 0),
            trained.get(each.person_id, 0),
            expires.get(each.person_id),
            away.get(each.person_id),
        )
        for each in everybody
    ]


async def require_person(connection: Connection, district_id: int, person_id: int) -> Person:
    person = await people.get_person(connection, district_id, person_id)
    if person is None:
        raise NotFoundError("没有这个人的档案。请从操作员名单进入。")
    return person


def check(change: Change) -> None:
    """Raises BadInputError for a file that cannot be."""
    if not change.name.strip():
        raise BadInputError("姓名不能为空。请填写姓名。")
    if change.role is Role.BACKBONE and change.area_id is None:
        raise BadInputError("骨干操作员要有所属乡镇。请选择乡镇。")
    if change.role is Role.TOWNSHIP and change.area_id is None:
        raise BadInputError("管理站人员要有所属乡镇。请选择乡镇。")
    if change.role is Role.PLAIN and change.station_id is None:
        raise BadInputError("普通操作员要有所在站点。请选择站点。")
    digits = change.phone.strip().removeprefix("+")
    if digits and not all(each.isdecimal() or each in " -" for each in digits):
        raise BadInputError("电话只能是数字。请改正后再提交。")


async def add(connection: Connection, district_id: int, change: Change, *, person_id: int, now_ms: int) -> int:
    """Take a person into the archive; `person_id` is who does it. Returns the number."""
    check(change)
    number = await people.add_person(
        connection,
        district_id,
        name=change.name.strip(),
        role=change.role,
        now_ms=now_ms,
        area_id=change.area_id,
        station_id=change.station_id,
        phone=change.phone.strip(),
        email=change.email.strip(),
    )
    await people.change_person(connection, district_id, number, version=1, **_values(change))
    await _audit(connection, district_id, "operators.added", number, person_id=person_id, now_ms=now_ms)
    return number


async def change(
    connection: Connection, person: Person, new: Change, *, version: int, person_id: int, now_ms: int
) -> None:
    """Change a person's file, if nobody has since it was read."""
    check(new)
    if person.person_id == person_id and new.role is not person.role:
        raise BadInputError("不能改自己的类别。请由另一位管理员操作。")
    values = {
        "name": new.name.strip(),
        "role": new.role,
        "email": new.email.strip(),
        "area_id": new.area_id,
        "station_id": new.station_id,
        **({"phone": new.phone.strip()} if new.phone.strip() else {}),
        **_values(new),
    }
    if not await people.change_person(connection, person.district_id, person.person_id, version=version, **values):
        raise ConflictError(f"{person.name}的档案刚刚被别人改过。请刷新页面，看过最新内容后再修改。")
    await _audit(
        connection, person.district_id, "operators.changed", person.person_id, person_id=person_id, now_ms=now_ms
    )


async def let_go(connection: Connection, person: Person, *, version: int, person_id: int, now_ms: int) -> None:
    """End a person's service: signed out everywhere, and what lies with them goes on to the next."""
    if person.person_id == person_id:
        raise BadInputError("不能停用自己。请由另一位管理员操作。")
    gone = await people.change_person(
        connection, person.district_id, person.person_id, version=version, disabled_ms=now_ms
    )
    if not gone:
        raise ConflictError(f"{person.name}的档案刚刚被别人改过。请刷新页面，看过最新内容后再修改。")
    await people.end_sessions_of(connection, person.district_id, person.person_id)
    await _audit(connection, person.district_id, "operators.left", person.person_id, person_id=person_id, now_ms=now_ms)


async def show_phone(connection: Connection, person: Person, *, person_id: int, now_ms: int) -> str:
    """The whole number, and a line in the audit trail that it was shown."""
    await _audit(
        connection, person.district_id, "operators.phone", person.person_id, person_id=person_id, now_ms=now_ms
    )
    return person.phone


async def list_topics(connection: Connection, district_id: int, *, now_ms: int) -> list[Topic]:
    """For each township with faults within a year, what they were about most."""
    outcomes = await ended_queries.list_outcomes(
        connection, district_id, from_ms=now_ms - YEAR_MS, to_ms=now_ms, centre_step=Step.CENTRE
    )
    by_area: dict[UUID, list[tuple[Category, int]]] = {}
    for each in outcomes:
        if each.area_id is not None:
            by_area.setdefault(each.area_id, []).append((each.category, each.faults))
    return [
        Topic(area_id, sorted(counts, key=lambda pair: (-pair[1], pair[0]))[:_TOP])
        for area_id, counts in by_area.items()
    ]


def _values(new: Change) -> dict[str, Any]:
    return {
        "skills": _sorted(new.skills),
        "more_areas": _sorted(map(str, new.more_areas)),
        "duty": sorted(set(new.duty)),
        "duties": new.duties.strip(),
    }


def _sorted(words: Iterable[str]) -> list[str]:
    return sorted(set(words))


async def _audit(
    connection: Connection, district_id: int, action: str, about_id: int, *, person_id: int, now_ms: int
) -> None:
    await people.record(
        connection, district_id, person_id=person_id, action=action, object_=f"person/{about_id}", now_ms=now_ms
    )
