"""Asks the projector how it is: over the network (PJLink) or over a serial cable (ESC/VP21).

The sensor switches nothing; `switch` does, when the centre orders it. One projector, one sensor, whatever the cable
(docs/decisions/0013-one-projector-sensor-two-cables.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, IPvAnyAddress, SecretStr

from agent.probes import _burning, _identity, _notices
from agent.probes._burning import Burning
from agent.probes.base import Probe, ProbeSettings, Reading, Surroundings
from shared.clock import Instant
from shared.hours import OpenHours, is_open
from shared.wire.states import ProjectorState

_IDENTIFY_EVERY_MS = 3_600_000


class NotSwitchedError(Exception):
    """The projector was not switched; the message says why."""


class ProjectorSettings(ProbeSettings):
    """`host` is for the network, `device` (`/dev/ttyUSB0`) for the serial cable; with neither nobody is asked.

    With both, the cable is asked when the network does not answer. `host` is an address, not a name: waiting for a
    name server cannot be bounded. `timeout_s` seconds for one step of one question; a whole look ends after three
    times as long on each way.

    `notices` listens for the notices of a class 2 projector, which must be told this PC's address; `open_hours` are
    the station's, to tell what burns after hours.
    """

    station_only: ClassVar[frozenset[str]] = frozenset({"notices", "notices_port", "open_hours"})

    host: IPvAnyAddress | None = None
    port: int = Field(default=4352, ge=1, le=65535)
    password: SecretStr | None = None
    device: Path | None = None
    baud: Literal[9600, 19200, 38400, 115200] = 9600
    timeout_s: float = Field(default=3, gt=0, le=5)
    notices: bool = False
    notices_port: int = Field(default=_notices.PORT, ge=0, le=65535)
    open_hours: OpenHours = ()


@dataclass(slots=True)
class ProjectorSensor:
    """`bell` rings when the projector has sent a notice. Who it is, is asked once an hour."""

    settings: ProjectorSettings
    surroundings: Surroundings
    bell: _notices.Doorbell | None = None
    _burning: Burning = field(default_factory=Burning)
    _known: dict[str, str] = field(default_factory=dict)
    _identified_ms: int | None = None

    def read(self, now: Instant) -> Reading:
        """Whatever the peer does is a state; nothing is raised for it."""
        if self.settings.host is None and self.settings.device is None:
            return Reading(state=None)
        if self.bell is not None:
            self.bell.calm()
        memory = self.surroundings.recall()
        state = ask(self.settings, identify=self._is_due(now, memory))
        if state is None:
            return Reading(state=None)
        told = {name: getattr(state, name) for name in ("maker", "model", "serial")}
        if state.reachable and (any(told.values()) or state.power == "on"):
            self._identified_ms = now.mono_ms
            self._known |= {name: value for name, value in told.items() if value}
        facts, memo = _identity.compare("projector", told, memory)
        more = self._remember(state, now, {} if facts else memory, memo)
        return Reading(state=state.model_dump(exclude_defaults=True) | self._known | more, facts=facts, memo=memo)

    def is_eager(self) -> bool:
        """Whether to look before it is due."""
        return self.bell is not None and self.bell.is_rung()

    def close(self) -> None:
        if self.bell is not None:
            self.bell.close()

    def _is_due(self, now: Instant, memory: Mapping[str, str]) -> bool:
        unsure = any(key.startswith("next:") for key in memory)
        return unsure or self._identified_ms is None or now.mono_ms - self._identified_ms >= _IDENTIFY_EVERY_MS

    def _remember(
        self, state: ProjectorState, now: Instant, memory: Mapping[str, str], memo: dict[str, str | None]
    ) -> dict[str, Any]:
        """What the looks before this one add to the state; `memo` gets what the next one needs."""
        self._burning.see(state.power, now, is_open=is_open(self.settings.open_hours, now.wall_ms))
        told: dict[str, Any] = {}
        points = _burning.read_points(memory.get("lamp"))
        if state.lamp_hours is not None:
            grown = _burning.add_point(points, state.lamp_hours, wall_ms=now.wall_ms)
            if grown != points:
                memo["lamp"] = _burning.dump_points(grown)
            points = grown
        if (rate := _burning.hours_a_day(points)) is not None:
            told["lamp_hours_a_day"] = rate
        if state.power is not None and (on_s := self._burning.on_s(now)) is not None:
            told["on_s"] = on_s
            if self.settings.open_hours:
                told["after_hours_s"] = self._burning.after_ms // 1000
        return told


def ask(settings: ProjectorSettings, *, identify: bool = False) -> ProjectorState | None:
    """What the projector says on the first way that answers; None where there is no way to it."""
    state = _ask_network(settings, identify=identify)
    if settings.device is None or (state is not None and state.reachable):
        return state
    from agent.probes import _escvp21  # noqa: PLC0415  # only stations with a cable pay for it

    return _escvp21.look(settings.device, speed=settings.baud, timeout_s=settings.timeout_s)


def switch(settings: ProjectorSettings, *, on: bool) -> str:
    """Switch the projector on or off, on the first way that answers; returns that way.

    Raises NotSwitchedError, which says why; the whole takes at most seven times `timeout_s`.
    """
    reason = "no projector is set up at this station"
    if settings.host is not None:
        from agent.probes import _pjlink  # noqa: PLC0415

        reason = _pjlink.switch(
            str(settings.host), port=settings.port, password=_password(settings), timeout_s=settings.timeout_s, on=on
        )
        if not reason:
            return "pjlink"
    if settings.device is not None:
        from agent.probes import _escvp21  # noqa: PLC0415

        reason = _escvp21.switch(settings.device, speed=settings.baud, timeout_s=settings.timeout_s, on=on)
        if not reason:
            return "serial"
    raise NotSwitchedError(reason)


def _password(settings: ProjectorSettings) -> str | None:
    return settings.password.get_secret_value() if settings.password else None


def _ask_network(settings: ProjectorSettings, *, identify: bool) -> ProjectorState | None:
    if settings.host is None:
        return None
    from agent.probes import _pjlink  # noqa: PLC0415  # only stations with a network projector pay for it

    return _pjlink.look(
        str(settings.host),
        port=settings.port,
        password=_password(settings),
        timeout_s=settings.timeout_s,
        identify=identify,
    )


def _make(settings: ProjectorSettings, surroundings: Surroundings) -> ProjectorSensor:
    listens = settings.notices and settings.host is not None
    bell = _notices.hang(str(settings.host), settings.notices_port) if listens else None
    return ProjectorSensor(settings, surroundings, bell)


PROBE = Probe(
    settings=ProjectorSettings,
    every_s=60,
    limit_s=40,
    make=_make,
    sample={
        "reachable": True,
        "power": "on",
        "faults": {"filter": "warning"},
        "lamp_hours": 1830,
        "name": "教室投影仪",
        "error": "",
        "via": "pjlink",
        "maker": "EPSON",
        "model": "EB-X41",
        "serial": "X8JK0000001",
        "lamp_hours_a_day": 1.6,
        "on_s": 5400,
        "after_hours_s": 0,
    },
)
