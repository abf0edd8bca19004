"""What a sensor is. The runner (`agent/runner.py`) times, guards and reports every one of them; a sensor only reads.

A sensor returns facts (events that must never be lost) and state (the newest picture, sent in the heartbeat).
What it wants to remember across restarts goes into `memo`, which is committed in the same transaction as its facts:
after a power cut it either saw something and said so, or did neither.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict

from shared.clock import Instant


class ProbeSettings(BaseModel):
    """Every sensor's settings can at least switch it off.

    The centre may set every field but files, secrets and those in `station_only` (programs, sockets, listening ports).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    station_only: ClassVar[frozenset[str]] = frozenset()

    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Fact:
    """One event to record. `kind` and the fields of `data` are those of `shared.wire.kinds`."""

    kind: str
    data: Mapping[str, Any]
    at: Instant | None = None
    """When it happened, where that is better known than "now"."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one look at the device brought.

    `state` None means there is nothing to look at here (not installed); an unreachable device is a state, not None.
    `memo` maps keys to values to remember, or to None to forget. `done` runs once facts and memo are durable
    (for example to delete a journal that has been taken in); it must be safe to run twice.
    """

    state: Mapping[str, Any] | None
    facts: Sequence[Fact] = ()
    memo: Mapping[str, str | None] = field(default_factory=dict)
    done: Callable[[], None] | None = None


class Surroundings(Protocol):
    """What a sensor may know beyond its own device. Safe to call from the sensor's thread."""

    def recall(self) -> Mapping[str, str]:
        """All this sensor has remembered."""

    def memory_name(self) -> str:
        """Names what `recall` reads from. Another name: it may hold something else than was last recorded (healed)."""

    def identify(self, path: str) -> str | None:
        """SHA-256 of the courseware file at this absolute path, if it has been hashed."""

    def latest(self, probe: str) -> Mapping[str, Any] | None:
        """Newest state of another sensor, None when there is none."""


class Sensor(Protocol):
    """May also have `is_eager`, `retell` and `close`.

    `is_eager() -> bool`: to be looked at before it is due. `retell()`: to tell again all that is
    there. Both for any thread. `close()` is called at the end.
    """

    def read(self, now: Instant) -> Reading:
        """Look once. May raise: the runner reports the sensor as failed and looks again next time."""


@dataclass(frozen=True, slots=True)
class Probe:
    """The plugin a module exports as `PROBE`.

    `every_s` seconds between looks, `limit_s` after which a look counts as hung, `make` builds the sensor from its
    settings and surroundings, `sample` is one state as it appears on the wire.
    """

    settings: type[ProbeSettings]
    every_s: int
    limit_s: int
    make: Callable[[Any, Surroundings], Sensor]
    sample: Mapping[str, Any]
