"""Who may do what. Every route names its permission with `may(...)`; a route that names none stops the program's start.

Two questions are kept apart: what a role may do (`May`), and which stations it may do it to (`Visitor.township_id`,
`Visitor.station_id`).
"""

import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from fastapi import Depends, FastAPI
from starlette.requests import Request
from starlette.routing import BaseRoute

from collector.centre import Centre
from collector.errors import CentreError, NotAllowedError, SetupError
from collector.people import service
from collector.people.queries import Person, Role
from collector.web.assets import Assets
from collector.web.i18n import msgid

CSRF_FIELD = "csrf"
CSRF_HEADER = "x-csrf-token"


class SignInNeededError(CentreError):
    """请先登录。"""

    status = 401
    problem = "sign-in-needed"


class FormExpiredError(NotAllowedError):
    """这个页面已经过期。请刷新页面后重新提交。"""

    problem = "form-expired"


class May(StrEnum):
    """What a route asks of the person at the keyboard."""

    EVERYBODY = "everybody"
    SEE = "see"
    WORK_TICKETS = "work_tickets"
    CONFIRM_SESSIONS = "confirm_sessions"
    FILE_REPORTS = "file_reports"
    ENROL_STATIONS = "enrol_stations"
    COMMAND_STATIONS = "command_stations"
    SET_STATIONS = "set_stations"
    MANAGE_PEOPLE = "manage_people"
    SET_CHANNELS = "set_channels"


_WORKERS = frozenset({May.SEE, May.WORK_TICKETS, May.CONFIRM_SESSIONS})
_OFFICE = _WORKERS | {May.FILE_REPORTS, May.ENROL_STATIONS, May.COMMAND_STATIONS, May.MANAGE_PEOPLE}
RIGHTS: Mapping[Role, frozenset[May]] = {
    Role.CENTRE: _OFFICE | {May.SET_STATIONS, May.SET_CHANNELS},
    Role.TOWNSHIP: _OFFICE,
    Role.BACKBONE: _WORKERS | {May.COMMAND_STATIONS},
    Role.PLAIN: _WORKERS,
    Role.LEADER: frozenset({May.SEE}),
}
ROLE_WORDS: Mapping[Role, str] = {
    Role.CENTRE: msgid("区中心"),
    Role.TOWNSHIP: msgid("乡镇管理站"),
    Role.BACKBONE: msgid("骨干操作员（1）"),
    Role.PLAIN: msgid("普通操作员（X）"),
    Role.LEADER: msgid("领导（只读）"),
}


@dataclass(frozen=True, slots=True)
class Visitor:
    """The person a request comes from. `township_id` and `station_id` bound what is seen; both None = all."""

    person: Person
    csrf: str
    district: str

    @property
    def district_id(self) -> int:
        return self.person.district_id

    @property
    def name(self) -> str:
        return self.person.name

    @property
    def role_word(self) -> str:
        return ROLE_WORDS[self.person.role]

    @property
    def language(self) -> str:
        return self.person.language

    @property
    def township_id(self) -> UUID | None:
        return self.person.area_id if self.person.role in {Role.TOWNSHIP, Role.BACKBONE} else None

    @property
    def station_id(self) -> int | None:
        return self.person.station_id if self.person.role is Role.PLAIN else None

    def may(self, permission: str) -> bool:
        return May(permission) in RIGHTS[self.person.role]

    def sees(self, *, station_id: int | None, township_id: UUID | None) -> bool:
        """Whether a thing of this station and township lies in the person's field of work."""
        match self.person.role:
            case Role.CENTRE | Role.LEADER:
                return True
            case Role.TOWNSHIP | Role.BACKBONE:
                return self.person.answers_for(township_id)
            case Role.PLAIN:
                return station_id is not None and station_id == self.person.station_id

    def require_sight(self, *, station_id: int | None, township_id: UUID | None) -> None:
        """Raise NotAllowedError for a thing outside the person's field of work."""
        if not self.sees(station_id=station_id, township_id=township_id):
            raise NotAllowedError


def centre_of(request: Request) -> Centre:
    centre: Centre = request.app.state.centre
    return centre


def may(permission: May) -> Any:
    """The dependency of a route that lets in people with this permission.

    Written `visitor: Annotated[Visitor, may(May.SEE)]`.
    """
    return Depends(_guard(permission))


def everybody() -> Any:
    """The dependency of a page open to people who are not signed in; the visitor is None then."""
    return Depends(_welcome)


def require_declared(app: FastAPI, *, machine: frozenset[str] = frozenset()) -> None:
    """Stop with SetupError when a route declares no permission.

    `machine` names the paths that check a station's signature or a token by themselves.
    """
    for path, permission in declared(app.routes):
        if permission is None and path not in machine:
            raise SetupError(f"the route {path} declares no permission; give it may(...) from collector.people.access")


def declared(routes: Sequence[BaseRoute]) -> Iterator[tuple[str, May | None]]:
    """Every path the application answers, with the permission it asks. Static files need none and are left out."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from declared(included.routes)
        elif not isinstance(getattr(route, "app", None), Assets):
            dependencies = getattr(getattr(route, "dependant", None), "dependencies", [])
            asked = [getattr(each.call, "permission", None) for each in dependencies]
            yield str(getattr(route, "path", "")), next((each for each in asked if each is not None), None)


def _guard(permission: May) -> Callable[[Request], Awaitable[Visitor]]:
    async def guard(request: Request) -> Visitor:
        visitor = await _welcome(request)
        if visitor is None:
            raise SignInNeededError
        if not visitor.may(permission):
            raise NotAllowedError
        if request.method not in {"GET", "HEAD"}:
            await _require_csrf(request, visitor.csrf)
        return visitor

    guard.permission = permission  # type: ignore[attr-defined]
    return guard


async def _welcome(request: Request) -> Visitor | None:
    token = request.cookies.get(service.COOKIE)
    if token is None:
        return None
    centre = centre_of(request)
    async with centre.database.read() as connection:
        session = await service.get_session(connection, token, now_ms=centre.now_ms)
    if session is None:
        return None
    visitor = Visitor(session.person, session.csrf, session.district)
    request.state.visitor = visitor
    return visitor


_welcome.permission = May.EVERYBODY  # type: ignore[attr-defined]


async def _require_csrf(request: Request, expected: str) -> None:
    sent = request.headers.get(CSRF_HEADER)
    if sent is None:
        sent = str((await request.form()).get(CSRF_FIELD, ""))
    if not secrets.compare_digest(sent.encode(), expected.encode()):
        raise FormExpiredError
