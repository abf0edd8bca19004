"""Stands in for the runner: remembers, commits and checks what a sensor says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.probes.base import Fact, Reading, Sensor
from shared.clock import Instant
from shared.wire import kinds


@dataclass(slots=True)
class Rig:
    """A sensor's surroundings; `look` is one turn of the runner."""

    memory: dict[str, str] = field(default_factory=dict)
    states: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    name: str = "first"

    def recall(self) -> Mapping[str, str]:
        return dict(self.memory)

    def memory_name(self) -> str:
        return self.name

    def identify(self, path: str) -> str | None:
        return self.hashes.get(path)

    def latest(self, probe: str) -> Mapping[str, Any] | None:
        return self.states.get(probe)

    def look(self, sensor: Sensor, now: Instant) -> Mapping[str, Any]:
        """Read, commit, finish; returns the state."""
        reading = self.look_and_crash(sensor, now)
        if reading.done is not None:
            reading.done()
        return reading.state or {}

    def look_and_crash(self, sensor: Sensor, now: Instant) -> Reading:
        """Read and commit, but die before `done`."""
        reading = sensor.read(now)
        for fact in reading.facts:
            kinds.check(fact.kind, fact.data)
            self.facts.append(fact)
        self.memory.update({key: value for key, value in reading.memo.items() if value is not None})
        for key in [key for key, value in reading.memo.items() if value is None]:
            self.memory.pop(key, None)
        return reading

    def kinds(self) -> list[str]:
        return [fact.kind for fact in self.facts]

    def told(self, kind: str) -> list[Mapping[str, Any]]:
        return [fact.data for fact in self.facts if fact.kind == kind]
