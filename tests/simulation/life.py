"""What truly happens at a station, and the clock that its PC believes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from agent.probes.base import Fact, Probe, ProbeSettings, Reading, Surroundings
from shared.clock import Instant

DAY_MS = 86_400_000
FILM = {"title": "f", "name": "f.mp4", "player": "mpv", "via": "journal", "content_s": 60, "played_s": 60}


@dataclass(slots=True)
class MachineClock:
    """Wall and monotonic clock of one PC. `error_ms` may be years; a frozen wall clock stands at `frozen_ms`."""

    boot: str
    booted_ms: int
    error_ms: int = 0
    frozen_ms: int | None = None

    def at(self, true_ms: int) -> Instant:
        wall = true_ms + self.error_ms if self.frozen_ms is None else self.frozen_ms
        return Instant(wall, true_ms - self.booted_ms, self.boot)


@dataclass(frozen=True, slots=True)
class Happening:
    """`name` names it for ever, `no` is its place in the journal."""

    no: int
    name: str
    true_ms: int
    fact: Fact


@dataclass(slots=True)
class Life:
    """A journal on the PC, as a player keeps one. The sensor takes it in and then deletes what it has taken."""

    who: str
    dice: Random
    tell: Callable[[Happening], None]
    journal: list[Happening] = field(default_factory=list)
    count: int = 0
    newer: bool = False
    """After an upgrade: kinds and fields this centre has never heard of."""

    def happens(self, clock: MachineClock, true_ms: int, *, poison: bool = False) -> None:
        self.count += 1
        name = f"{self.who}-{self.count}"
        kind, data = self._what(name)
        if poison:
            kind, data = "playback.ended", {"id": name}
        fact = Fact(kind, data, at=clock.at(true_ms))
        happening = Happening(self.count, name, true_ms, fact)
        self.journal.append(happening)
        self.tell(happening)

    def _what(self, name: str) -> tuple[str, dict[str, Any]]:
        if self.newer and self.dice.random() < 0.5:
            return "weather.observed", {"id": name, "wind": 3}
        kind = self.dice.choice(("playback.ended", "courseware.removed", "device.sampled"))
        data: dict[str, Any] = {"id": name}
        if kind == "playback.ended":
            data |= FILM | {"playback": name, "reason": "completed"}
        elif kind == "courseware.removed":
            data |= {"sha256": "ab" * 32, "name": "f.mp4"}
        return kind, data | ({"since": 2} if self.newer else {})


class JournalSensor:
    """Remembers how far it has read; what is taken in is deleted only once it is durable."""

    def __init__(self, life: Life, surroundings: Surroundings) -> None:
        self._life = life
        self._surroundings = surroundings

    def read(self, now: Instant) -> Reading:
        del now
        memo: Mapping[str, str] = self._surroundings.recall()
        taken = int(memo.get("taken", "0")) if memo.get("taken", "0").isdecimal() else 0
        fresh = [each for each in self._life.journal if each.no > taken]
        if not fresh:
            return Reading({"journal": len(self._life.journal)})
        upto = fresh[-1].no
        facts = [each.fact for each in fresh]
        return Reading({"taken": upto}, facts, {"taken": str(upto)}, done=lambda: self._drop(upto))

    def _drop(self, upto: int) -> None:
        self._life.journal = [each for each in self._life.journal if each.no > upto]


def probe_of(life: Life) -> Probe:
    def make(settings: ProbeSettings, surroundings: Surroundings) -> JournalSensor:
        del settings
        return JournalSensor(life, surroundings)

    return Probe(settings=ProbeSettings, every_s=1, limit_s=5, make=make, sample={})
