"""What the figures are asked: one period, grouped by township, category, operator or device model."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from uuid import UUID

from collector.areas import queries as areas
from collector.areas.queries import AreaKind
from collector.db.engine import Connection
from collector.figures import queries
from collector.figures.queries import Case
from collector.figures.summing import Sums, add_up, add_up_by
from collector.people import queries as people
from collector.stations import queries as stations
from collector.stations.queries import Station
from collector.tickets.words import CATEGORIES
from collector.timeline import queries as timeline
from collector.timeline.queries import Availability
from collector.web.i18n import msgid
from shared.wire.states import ProjectorState
from shared.wire.v1 import Heartbeat


class By(StrEnum):
    """What the lines of the table are."""

    TOWNSHIP = "township"
    CATEGORY = "category"
    OPERATOR = "operator"
    MODEL = "model"


BY_WORDS: Mapping[By, str] = {
    By.TOWNSHIP: msgid("乡镇（街道）"),
    By.CATEGORY: msgid("故障类别"),
    By.OPERATOR: msgid("处理人"),
    By.MODEL: msgid("投影机型号"),
}
_NOBODY = msgid("无人受理")
_DISTRICT = msgid("区中心本身")
_UNNAMED = msgid("型号不明")
_DEVICE_RULES = ("projector_", "lamp_")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table. `label` is a msgid or a name; `count` how many stations or devices it stands for.

    `presence` is how long its stations were there, all of them together.
    """

    label: str
    sums: Sums
    count: int | None = None
    presence: Availability | None = None

    @property
    def faults_each(self) -> float | None:
        """Faults for each station or device."""
        return self.sums.faults / self.count if self.count else None


@dataclass(frozen=True, slots=True)
class Table:
    """Figures of a period. `total` are those of all lines together, `before` those of the period before it."""

    by: By
    lines: tuple[Line, ...]
    total: Sums
    before: Sums


@dataclass(frozen=True, slots=True)
class _Found:
    """What the lines are made of: the cases, the stations looked at, and how long each of them was there."""

    cases: Sequence[Case]
    register: Sequence[Station]
    presence: Mapping[int, Availability]


async def make_table(
    connection: Connection,
    district_id: int,
    by: By,
    *,
    period: tuple[int, int],
    before: tuple[int, int],
    now_ms: int,
    township_id: UUID | None = None,
) -> Table:
    """The table of one period. Periods are epoch ms, the end not included; `township_id` narrows to one township."""
    cases = await _list_cases(connection, district_id, by, period, township_id)
    earlier = await _list_cases(connection, district_id, by, before, township_id)
    register = await stations.list_stations(connection, district_id)
    mine = [each for each in register if township_id in (None, each.township_id)]
    make = {By.TOWNSHIP: _by_township, By.CATEGORY: _by_category, By.OPERATOR: _by_operator, By.MODEL: _by_model}[by]
    seen = await timeline.availability(connection, district_id, period[0], min(period[1], now_ms))
    lines = await make(connection, district_id, _Found(cases, mine, seen))
    return Table(by, tuple(lines), add_up(cases), add_up(earlier))


async def _list_cases(
    connection: Connection, district_id: int, by: By, period: tuple[int, int], township_id: UUID | None
) -> list[Case]:
    from_ms, to_ms = period
    cases = await queries.list_cases(connection, district_id, from_ms=from_ms, to_ms=to_ms, township_id=township_id)
    if by is By.MODEL:
        return [each for each in cases if each.rule.startswith(_DEVICE_RULES) and each.station_id is not None]
    return cases


async def _by_township(connection: Connection, district_id: int, found: _Found) -> list[Line]:
    """Every township, in official order; last what concerned the district itself."""
    sums = add_up_by(found.cases, lambda each: each.area_id)
    members: dict[UUID, list[Station]] = {}
    for each in found.register:
        members.setdefault(each.township_id, []).append(each)
    townships = await areas.list_areas(connection, district_id, kind=AreaKind.TOWNSHIP)
    lines = [
        Line(
            area.short,
            sums.get(area.area_id, add_up(())),
            len(members[area.area_id]),
            _together(found.presence.get(each.station_id) for each in members[area.area_id]),
        )
        for area in townships
        if area.area_id in members
    ]
    others = [each for each in found.cases if each.area_id not in {area.area_id for area in townships}]
    return [*lines, *([Line(_DISTRICT, add_up(others))] if others else [])]


def _together(found: Iterable[Availability | None]) -> Availability:
    seen = [each for each in found if each is not None]
    return Availability(*(sum(getattr(each, field.name) for each in seen) for field in fields(Availability)))


async def _by_category(_connection: Connection, _district_id: int, found: _Found) -> list[Line]:
    sums = add_up_by(found.cases, lambda each: each.category)
    words = {str(category): word for category, word in CATEGORIES.items()}
    lines = [Line(words.get(name, name), each) for name, each in sums.items()]
    return sorted(lines, key=lambda line: (-line.sums.faults, line.label))


async def _by_operator(connection: Connection, district_id: int, found: _Found) -> list[Line]:
    names = {each.person_id: each.name for each in await people.list_people(connection, district_id)}
    sums = add_up_by(found.cases, lambda each: each.assignee_id)
    lines = [Line(names.get(number or 0, _NOBODY), each) for number, each in sums.items()]
    return sorted(lines, key=lambda line: (-line.sums.faults, line.label))


async def _by_model(connection: Connection, district_id: int, found: _Found) -> list[Line]:
    """Projectors by what they say of themselves today: an earlier device's faults stand under its successor."""
    states = await stations.list_states(connection, district_id)
    models: dict[int, str] = {}
    for each in found.register:
        state = states.get(each.station_id)
        projector = None if state is None else _read_projector(state.heartbeat)
        if projector is not None:
            models[each.station_id] = f"{projector.maker} {projector.model}".strip() or _UNNAMED
    sums = add_up_by(found.cases, lambda each: models.get(each.station_id or 0, _UNNAMED))
    sizes = Counter(models.values())
    lines = [Line(name, sums.get(name, add_up(())), sizes.get(name)) for name in sizes.keys() | sums.keys()]
    return sorted(lines, key=lambda line: (-(line.faults_each or 0.0), line.label))


def _read_projector(heartbeat: str) -> ProjectorState | None:
    report = Heartbeat.model_validate_json(heartbeat).probes.get("projector")
    return None if report is None or report.state is None else ProjectorState.model_validate(report.state)
