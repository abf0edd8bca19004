"""Faults and people of an invented year in Lizhou District, as independent of the centre's engine as can be. Pure.

What is told of the district: 18 townships, 245 stations, a plain operator at each, "1"s who clear every software fault
and common hardware faults alone, offices with three administrators, a centre of four; reports to the centre fell by
80 % with them. Everything else here is ASSUMED: how often things break, how long power is away, how quickly and how
well people act. The figures were chosen before the first run and stand below, so that anyone can change them.
"""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from collector.faults.rules.base import Category
from collector.people.queries import Role

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
YEAR_MS = 365 * DAY_MS
FILM_EVERY_DAYS = 3
NEXT_FILM_H = 24 * FILM_EVERY_DAYS + 1

SILENT = frozenset({"station_silent", "area_silent", "collector_isolated"})
LACKING = "courseware_missing"
LACKING_SHOWS_H = 24 * 4
"""Who was off at night lacks the films of those nights, until somebody copies them: three make a ticket that is right,
though whatever kept them away is over. It shows when they count as settled, three days later. (Until November 2026
such tickets were held to be false.)"""


@dataclass(frozen=True, slots=True)
class Kind:
    """What can go wrong. `per_year` for each station, or for each township or the whole district by `scope`.

    `rules` are those that may rightly open for it; `state` is what the station's sensors then report; `ends_h` the
    median hours after which it ends by itself, None: only people end it. It must be found if it lasts longer than
    `shows_h`: a projector without power shows at the next film, a dish that points elsewhere after two nights.
    """

    name: str
    per_year: float
    rules: frozenset[str]
    category: Category
    state: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    silent: bool = False
    scope: str = "station"
    ends_h: float | None = None
    shows_h: float = 1.0


def _of(*rules: str) -> frozenset[str]:
    return frozenset(rules)


_PROJECTOR = {"reachable": True, "power": "on", "lamp_hours": 900, "faults": {}}
_AUDIO = {"server": True, "sink": True, "muted": False, "volume": 0.8}

KINDS = (
    Kind("停电", 8, SILENT, Category.POWER, silent=True, scope="township", ends_h=2.5),
    Kind("乡镇线路中断", 2, SILENT, Category.NETWORK, silent=True, scope="township", ends_h=4),
    Kind("中心断网", 1, SILENT, Category.NETWORK, silent=True, scope="district", ends_h=1),
    Kind("主机被关", 1.2, SILENT, Category.OPERATOR, silent=True),
    Kind("线路故障", 0.6, SILENT, Category.NETWORK, silent=True, ends_h=60),
    Kind("主机损坏", 0.08, SILENT, Category.HARDWARE_MAJOR, silent=True),
    Kind(
        "投影机断电",
        0.8,
        _of("projector_unreachable"),
        Category.OPERATOR,
        {"projector": {"reachable": False, "error": "timeout"}},
        shows_h=NEXT_FILM_H,
    ),
    Kind(
        "灯泡损坏",
        0.25,
        _of("projector_error", "lamp_end_of_life"),
        Category.HARDWARE_COMMON,
        {"projector": _PROJECTOR | {"faults": {"lamp": "error"}}},
    ),
    Kind(
        "灯泡老化",
        0.2,
        _of("lamp_end_of_life"),
        Category.HARDWARE_COMMON,
        {"projector": _PROJECTOR | {"lamp_hours": 2900}},
    ),
    Kind(
        "滤网堵塞",
        0.4,
        _of("projector_error"),
        Category.HARDWARE_COMMON,
        {"projector": _PROJECTOR | {"faults": {"filter": "warning"}}},
    ),
    Kind("声音输出缺失", 0.4, _of("audio_missing"), Category.HARDWARE_COMMON, {"audio": _AUDIO | {"sink": False}}),
    Kind(
        "画面线松脱",
        0.4,
        _of("display_disconnected"),
        Category.OPERATOR,
        {"display": {"outputs": 2, "screens": 0}},
        shows_h=NEXT_FILM_H,
    ),
    Kind(
        "磁盘将满", 0.5, _of("disk_low"), Category.SOFTWARE, {"host": {"disk_free": 3 << 30, "disk_total": 100 << 30}}
    ),
    Kind(
        "课件损坏",
        0.4,
        _of("courseware_corrupt"),
        Category.COURSEWARE,
        {"courseware": {"corrupt": ["农技/柑橘修剪.mp4"]}},
    ),
    Kind("天线偏移", 0.3, _of("satellite_silent", "courseware_missing"), Category.SATELLITE, shows_h=84),
    Kind("卫星停播", 1, _of("uplink_silent"), Category.SATELLITE, scope="district", ends_h=72, shows_h=84),
)


@dataclass(slots=True)
class Trouble:
    """One thing that is truly wrong. `place` is a station's or a township's number, None the whole district."""

    kind: Kind
    place: int | None
    begin_ms: int
    end_ms: float
    """When it ends by itself; people may end it earlier."""
    found: bool = False

    def is_on(self, at_ms: int) -> bool:
        return self.begin_ms <= at_ms < self.end_ms


def invent_year(dice: random.Random, townships: Mapping[int, int], *, begin_ms: int, days: float) -> list[Trouble]:
    """Every trouble of the year, by its beginning. `townships` maps a station to its township."""
    places: Mapping[str, Sequence[int | None]] = {
        "station": sorted(townships),
        "township": sorted(set(townships.values())),
        "district": [None],
    }
    troubles = [
        Trouble(kind, place, at_ms, _natural_end(dice, kind, at_ms))
        for kind in KINDS
        for place in places[kind.scope]
        for at_ms in _moments(dice, kind.per_year, begin_ms, days)
    ]
    return sorted(troubles, key=lambda each: each.begin_ms)


def _moments(dice: random.Random, per_year: float, begin_ms: int, days: float) -> Iterator[int]:
    at_ms = float(begin_ms)
    while True:
        at_ms += dice.expovariate(per_year) * YEAR_MS
        if at_ms >= begin_ms + days * DAY_MS:
            return
        yield int(at_ms)


def _natural_end(dice: random.Random, kind: Kind, at_ms: int) -> float:
    if kind.ends_h is None:
        return math.inf
    return at_ms + dice.lognormvariate(math.log(kind.ends_h), 0.6) * HOUR_MS


@dataclass(frozen=True, slots=True)
class Habit:
    """How people of a role act: the share of tickets they take on, the median hours until they do, and to mend it."""

    answers: float
    answer_h: float
    mend_h: float
    can: Mapping[Category, float]
    otherwise: float = 0.0

    def skill(self, category: Category) -> float:
        """Probability that this person can mend a fault of this category."""
        return self.can.get(category, self.otherwise)


HABITS: Mapping[Role, Habit] = {
    Role.PLAIN: Habit(0.85, 0.5, 0.5, {Category.OPERATOR: 0.9, Category.POWER: 0.9}, 0.1),
    Role.BACKBONE: Habit(
        0.95,
        1.0,
        3.0,
        {Category.SOFTWARE: 0.98, Category.HARDWARE_COMMON: 0.95, Category.HARDWARE_MAJOR: 0.3, Category.NETWORK: 0.85},
        0.95,
    ),
    Role.TOWNSHIP: Habit(0.9, 2.0, 8.0, {Category.HARDWARE_MAJOR: 0.2, Category.OPERATOR: 0.9}, 0.5),
    Role.CENTRE: Habit(1.0, 1.0, 12.0, {}, 1.0),
}


def spread(dice: random.Random, median_h: float) -> float:
    """Hours around a median, as waiting times are: often shorter, seldom much longer."""
    return dice.lognormvariate(math.log(median_h), 0.7)
