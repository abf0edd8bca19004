"""Asks the projector how it is: over the network (PJLink) or over a serial cable (ESC/VP21). It switches nothing.

One projector, one sensor, whatever the cable (docs/decisions/0013-one-projector-sensor-two-cables.md).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, IPvAnyAddress, SecretStr

from agent.probes.base import Probe, ProbeSettings, Reading, Surroundings
from shared.clock import Instant
from shared.wire.states import ProjectorState


class ProjectorSettings(ProbeSettings):
    """`host` is for the network, `device` (`/dev/ttyUSB0`) for the serial cable; with neither nobody is asked.

    With both, the cable is asked when the network does not answer. `host` is an address, not a name: waiting for a
    name server cannot be bounded. `timeout_s` seconds for one step of one question; a whole look ends after three
    times as long on each way.
    """

    host: IPvAnyAddress | None = None
    port: int = Field(default=4352, ge=1, le=65535)
    password: SecretStr | None = None
    device: Path | None = None
    baud: Literal[9600, 19200, 38400, 115200] = 9600
    timeout_s: float = Field(default=3, gt=0, le=5)


@dataclass(frozen=True, slots=True)
class ProjectorSensor:
    settings: ProjectorSettings

    def read(self, now: Instant) -> Reading:  # noqa: ARG002  # the contract's argument; a projector has no clock
        """Whatever the peer does is a state; nothing is raised for it."""
        state = ask(self.settings)
        return Reading(state=None if state is None else state.model_dump(exclude_defaults=True))


def ask(settings: ProjectorSettings) -> ProjectorState | None:
    """What the projector says on the first way that answers; None where there is no way to it."""
    state = _ask_network(settings)
    if settings.device is None or (state is not None and state.reachable):
        return state
    from agent.probes import _escvp21  # noqa: PLC0415  # only stations with a cable pay for it

    return _escvp21.look(settings.device, speed=settings.baud, timeout_s=settings.timeout_s)


def _ask_network(settings: ProjectorSettings) -> ProjectorState | None:
    if settings.host is None:
        return None
    from agent.probes import _pjlink  # noqa: PLC0415  # 3 MB that only stations with a projector pay

    password = settings.password.get_secret_value() if settings.password else None
    return _pjlink.look(str(settings.host), port=settings.port, password=password, timeout_s=settings.timeout_s)


def _make(settings: ProjectorSettings, surroundings: Surroundings) -> ProjectorSensor:  # noqa: ARG001  # the contract
    return ProjectorSensor(settings)


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
        "source": "HDMI1",
        "lamp_hours_a_day": 1.6,
        "on_s": 5400,
        "after_hours_s": 0,
    },
)
