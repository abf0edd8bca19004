"""Takes a list of people into the archive: every row is proposed first, and all of them are written, or none.

A person is who bears the same name at the same place. What the list leaves out, or shows masked, stays as it is.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from collector.areas import queries as areas
from collector.areas.queries import AreaKind
from collector.db.engine import Connection
from collector.errors import BadInputError
from collector.operators import queries, service
from collector.operators.lists import Line
from collector.operators.service import Change
from collector.people import queries as people
from collector.people.queries import Person, Role
from collector.stations import queries as stations
from collector.stations.queries import Station
from collector.tickets.words import CATEGORIES

_ROLES = (
    (Role.TOWNSHIP, ("管理站",)),
    (Role.CENTRE, ("区中心",)),
    (Role.LEADER, ("领导",)),
    (Role.BACKBONE, ("骨干", "1")),
    (Role.PLAIN, ("普通", "X", "x")),
)
_MARK = "*"
"""Stands in a masked phone number."""


class Fate(StrEnum):
    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Field:
    """What whoever imports may touch."""

    roles: Collection[Role]
    sees: Callable[[int | None, UUID | None], bool]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would be done with one row. `person` is who is there already, at `version`."""

    line: Line
    fate: Fate
    change: Change | None = None
    person: Person | None = None
    version: int = 1
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Register:
    """Who and what the rows can name."""

    townships: Mapping[str, UUID]
    stations: Sequence[Station]
    homes: Mapping[int, UUID]
    people: Sequence[Person]


async def propose(connection: Connection, district_id: int, lines: Sequence[Line], field: Field) -> list[Proposal]:
    """What each row would do, in their order."""
    register = await _load(connection, district_id)
    known: dict[tuple[str, UUID | None, int | None], int] = {}
    proposals: list[Proposal] = []
    for line in lines:
        try:
            person, change = _read(line, register, field)
            _require_once(known, line, change)
            proposals.append(await _weigh(connection, district_id, line, person, change))
        except BadInputError as problem:
            proposals.append(Proposal(line, Fate.WRONG, problem=str(problem)))
    return proposals


async def take_in(
    connection: Connection, district_id: int, proposals: Sequence[Proposal], *, person_id: int, now_ms: int
) -> None:
    """Write what is new and what has changed. Raises BadInputError while any row is wrong."""
    if any(each.fate is Fate.WRONG for each in proposals):
        raise BadInputError("还有写错的行，什么都没有导入。请在表格中改正后再上传。")
    for each in proposals:
        if each.change is None or each.fate is Fate.SAME:
            continue
        if each.person is None:
            await service.add(connection, district_id, each.change, person_id=person_id, now_ms=now_ms)
        else:
            await service.change(
                connection, each.person, each.change, version=each.version, person_id=person_id, now_ms=now_ms
            )


async def _load(connection: Connection, district_id: int) -> _Register:
    townships = await areas.list_areas(connection, district_id, kind=AreaKind.TOWNSHIP)
    register = await stations.list_stations(connection, district_id)
    return _Register(
        {word: each.area_id for each in townships for word in (each.name, each.short)},
        register,
        {each.station_id: each.township_id for each in register},
        await people.list_people(connection, district_id),
    )


async def _weigh(
    connection: Connection, district_id: int, line: Line, person: Person | None, change: Change
) -> Proposal:
    service.check(change)
    if person is None:
        return Proposal(line, Fate.NEW, change)
    kept = await queries.get_file(connection, district_id, person.person_id)
    version, duties = (1, "") if kept is None else (kept.version, kept.duties)
    if "duties" not in line.values:
        change = replace(change, duties=duties)
    before = replace(change, role=person.role, email=person.email, station_id=person.station_id, duties=duties)
    before = replace(before, skills=tuple(sorted(person.skills)), phone=person.phone if change.phone else "")
    return Proposal(line, Fate.SAME if before == change else Fate.CHANGED, change, person, version)


def _require_once(known: dict[tuple[str, UUID | None, int | None], int], line: Line, change: Change) -> None:
    first = known.setdefault((change.name, change.area_id, change.station_id), line.number)
    if first != line.number:
        raise BadInputError(f"与第 {first} 行重复。请只保留一行。")


def _read(line: Line, register: _Register, field: Field) -> tuple[Person | None, Change]:
    """Whom a row means, and what their file would say."""
    station = _station(line, register)
    area_id = _township(line, register, station)
    person = _find(line.values["name"], area_id, station, register)
    role = _role(line, person)
    if role not in field.roles:
        raise BadInputError("管理站和区中心的人员由区中心登记。请选择骨干或普通操作员。")
    station_id = None if station is None else station.station_id
    if role not in {Role.CENTRE, Role.LEADER} and not field.sees(station_id, area_id):
        raise BadInputError("这个人不在您管的乡镇。请删去这一行，或交给区中心导入。")
    if person is not None and person.role not in field.roles:
        raise BadInputError("管理站和区中心的人员由区中心登记。请选择骨干或普通操作员。")
    phone = line.values.get("phone", "")
    change = Change(
        name=line.values["name"],
        role=role,
        phone="" if _MARK in phone else phone.lstrip("'"),
        email=line.values.get("email", "") or ("" if person is None else person.email),
        area_id=area_id,
        station_id=station.station_id if station else None if person is None else person.station_id,
        skills=_skills(line, person),
        more_areas=() if person is None else tuple(sorted(person.more_areas)),
        duty=() if person is None else tuple(sorted(person.duty)),
        duties=line.values.get("duties", ""),
    )
    return person, change


def _role(line: Line, person: Person | None) -> Role:
    text = line.values.get("role", "")
    if not text and person is not None:
        return person.role
    for role, words in _ROLES:
        if any(word in text for word in words):
            return role
    raise BadInputError("类别应是骨干、普通、管理站、区中心或领导。请改正。")


def _township(line: Line, register: _Register, station: Station | None) -> UUID | None:
    text = line.values.get("township", "")
    if text:
        if text not in register.townships:
            raise BadInputError(f"没有叫“{text[:20]}”的乡镇。请按名册填写。")
        return register.townships[text]
    return None if station is None else station.township_id


def _station(line: Line, register: _Register) -> Station | None:
    text, township = line.values.get("station", ""), line.values.get("township", "")
    if not text:
        return None
    area_id = register.townships.get(township)
    found = [
        each
        for each in register.stations
        if text in {each.name, each.title} and (not township or each.township_id == area_id)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise BadInputError(f"叫“{text[:20]}”的站点不止一个。请同时填写乡镇。")
    raise BadInputError(f"没有叫“{text[:20]}”的站点。请按名册填写。")


def _find(name: str, area_id: UUID | None, station: Station | None, register: _Register) -> Person | None:
    found = [
        each
        for each in register.people
        if each.name == name
        and (each.area_id or register.homes.get(each.station_id or 0)) == area_id
        and (station is None or each.station_id in {None, station.station_id})
    ]
    if len(found) > 1:
        raise BadInputError("档案里有同名的人。请在档案页面上修改。")
    return found[0] if found else None


def _skills(line: Line, person: Person | None) -> Sequence[str]:
    if "skills" not in line.values:
        return () if person is None else tuple(sorted(person.skills))
    by_word = {word: category for category, word in CATEGORIES.items()}
    words = [each for each in re.split(r"[、，,;；/\s]+", line.values["skills"]) if each]
    unknown = [each for each in words if each not in by_word]
    if unknown:
        raise BadInputError(f"没有叫“{unknown[0][:20]}”的专长。可以写：{'、'.join(by_word)}。")
    return tuple(sorted({by_word[each] for each in words}))
