"""The seeded life of a virtual station: what it downloaded, played and gathered for, day by day. Pure.

The same seed gives the same life. Nothing here knows the centre; the facts are those real sensors would report.
"""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agent.probes.base import Fact
from shared.clock import Instant
from shared.months import local

DAY_MS = 86_400_000
_TITLES = (
    "党章学习辅导 第{n}讲",
    "农村实用技术：黄羊饲养 第{n}讲",
    "油橄榄丰产栽培 第{n}讲",
    "核桃春季管理 第{n}讲",
    "动物防疫知识 第{n}讲",
    "农家乐经营与服务 第{n}讲",
    "乡村振兴政策解读 第{n}讲",
    "农村法律常识 第{n}讲",
    "食用菌栽培技术 第{n}讲",
    "妇女权益保障 第{n}讲",
    "村级财务管理 第{n}讲",
    "红色电影展播 第{n}辑",
)
_KINDS = {
    "党章": "三会一课",
    "乡村振兴": "政策理论",
    "村级": "政策理论",
    "法律": "专题讲座",
    "妇女": "专题讲座",
    "电影": "文化娱乐",
}
_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Film:
    """One courseware of the satellite channel; every station gets the same ones."""

    title: str
    minutes: int

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.title.encode()).hexdigest()

    @property
    def name(self) -> str:
        return f"{self.title}.mp4"

    @property
    def size(self) -> int:
        return self.minutes * 9 * 1024 * 1024

    @property
    def kind(self) -> str:
        return next((kind for word, kind in _KINDS.items() if word in self.title), "实用技术")


def broadcast(day: int) -> list[Film]:
    """What the satellite sends on a day (days since 1970): two films, three on the first days of a week."""
    dice = random.Random(day)  # noqa: S311 - a seeded life, no secret
    count = 3 if day % 7 in {0, 1} else 2
    return [Film(dice.choice(_TITLES).format(n=day % 97 + each), dice.randint(18, 55)) for each in range(count)]


@dataclass(frozen=True, slots=True)
class Life:
    """`name` makes it this station's own; `diligence` 0..1 how often the village gathers; `silent_days` its dish."""

    seed: int
    name: str
    diligence: float
    lamp_failing: bool = False
    silent_days: int = 0

    def past(self, now: Instant, days: int) -> Iterator[list[Fact]]:
        """Facts of the last `days` days, a day at a time, oldest first; nothing later than now."""
        for ago in range(days, -1, -1):
            yield [fact for fact in self._day(now, ago) if fact.at is not None and fact.at.wall_ms < now.wall_ms]

    def states(self, now: Instant) -> dict[str, dict[str, Any]]:
        """What the sensors see at this moment."""
        dice = self._dice("states", 0)
        day = now.wall_ms // DAY_MS
        dish_ago = DAY_MS * self.silent_days + dice.randint(1, 5) * 3_600_000 if self.silent_days else 3_600_000
        lamp = {"lamp": "error"} if self.lamp_failing else {}
        return {
            "courseware": {
                "files": 120 + dice.randint(0, 60),
                "bytes": 60 * _GIB,
                "last_received_ms": now.wall_ms - dish_ago,
                "incoming": 0,
                "digest": hashlib.sha256(f"{self.name}{day}".encode()).hexdigest(),
            },
            "projector": {
                "reachable": True,
                "power": "on" if self.lamp_failing else "off",
                "faults": lamp,
                "lamp_hours": 3980 if self.lamp_failing else dice.randint(200, 2400),
                "name": "EPSON EB-C301MS",
            },
            "audio": {"server": True, "sink": True, "sink_name": "HDMI", "muted": False, "volume": 0.8, "streams": 0},
            "host": {
                "disk_free": 200 * _GIB,
                "disk_total": 465 * _GIB,
                "memory_available": 2 * _GIB,
                "memory_total": 4 * _GIB,
                "uptime_s": now.mono_ms // 1000,
                "read_only": False,
            },
            "clock": {"jumps": 0},
        }

    def _day(self, now: Instant, ago: int) -> Iterator[Fact]:
        midnight = local(now.wall_ms - ago * DAY_MS).replace(hour=0, minute=0, second=0, microsecond=0)
        start_ms = int(midnight.timestamp() * 1000)
        day = (start_ms + 8 * 3_600_000) // DAY_MS
        dice = self._dice("day", day)
        if ago >= self.silent_days:
            yield from self._received(now, start_ms, broadcast(day))
        if dice.random() < self.diligence:
            yield from self._gathering(now, start_ms, day, dice)

    def _received(self, now: Instant, start_ms: int, films: list[Film]) -> Iterator[Fact]:
        for place, film in enumerate(films):
            data = {"sha256": film.sha256, "name": film.name, "title": film.title, "size": film.size}
            data |= {"source": "satellite", "duration_s": film.minutes * 60.0}
            yield Fact("courseware.received", data, at=_at(now, start_ms + (4 * 60 + place * 25) * 60_000))

    def _gathering(self, now: Instant, start_ms: int, day: int, dice: random.Random) -> Iterator[Fact]:
        """People meet, one or two films of the last fortnight are shown, the operator enters who came."""
        films = [film for back in range(14) for film in broadcast(day - 1 - back)]
        chosen = dice.sample(films, dice.choice((1, 1, 2)))
        begin_ms = start_ms + (19 * 60 + dice.randint(0, 45)) * 60_000
        moment_ms = begin_ms
        for film in chosen:
            yield from self._playing(now, film, moment_ms)
            moment_ms += (film.minutes + 3) * 60_000
        if dice.random() < 0.8:
            people = dice.randint(9, 46)
            claim: dict[str, Any] = {"session": f"{self.name}-{day}", "kind": chosen[0].kind, "topic": chosen[0].title}
            claim |= {"begin_ms": begin_ms, "end_ms": moment_ms, "people": people, "visits": people * len(chosen)}
            yield Fact("session.claimed", claim | {"operator": "操作员"}, at=_at(now, moment_ms + 300_000))

    def _playing(self, now: Instant, film: Film, begin_ms: int) -> Iterator[Fact]:
        data: dict[str, Any] = {"playback": f"{self.name}-{begin_ms}", "title": film.title, "name": film.name}
        data |= {"player": "mpv", "via": "journal", "sha256": film.sha256, "duration_s": film.minutes * 60.0}
        yield Fact("playback.started", data, at=_at(now, begin_ms))
        played = {"content_s": film.minutes * 60.0, "played_s": film.minutes * 60.0, "minutes": {"E2": film.minutes}}
        done = {"segments": f"0[.]{film.minutes * 60}", "begin_ms": begin_ms, "reason": "completed"}
        yield Fact("playback.ended", data | played | done, at=_at(now, begin_ms + film.minutes * 60_000))

    def _dice(self, what: str, number: int) -> random.Random:
        return random.Random(f"{self.seed}/{self.name}/{what}/{number}")  # noqa: S311 - a seeded life, no secret


def _at(now: Instant, wall_ms: int) -> Instant:
    """A past moment of the same boot."""
    return Instant(wall_ms, now.mono_ms - (now.wall_ms - wall_ms), now.boot)
