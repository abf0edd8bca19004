"""Asks a network projector (PJLink, class 1) how it is. It only asks: nothing is ever switched."""

from dataclasses import dataclass

from pydantic import Field, IPvAnyAddress, SecretStr

from agent.probes.base import Probe, ProbeSettings, Reading, Surroundings
from shared.clock import Instant


class ProjectorSettings(ProbeSettings):
    """`host` None means that there is no projector on the network.

    `host` is an address, not a name: waiting for a name server cannot be bounded. `timeout_s` seconds for one step
    of one question; a whole look ends after three times as long.
    """

    host: IPvAnyAddress | None = None
    port: int = Field(default=4352, ge=1, le=65535)
    password: SecretStr | None = None
    timeout_s: float = Field(default=3, gt=0, le=5)


@dataclass(frozen=True, slots=True)
class ProjectorSensor:
    settings: ProjectorSettings

    def read(self, now: Instant) -> Reading:  # noqa: ARG002  # the contract's argument; a projector has no clock
        """Whatever the peer does is a state; nothing is raised for it."""
        asked = self.settings
        if asked.host is None:
            return Reading(state=None)
        from agent.probes._pjlink import look  # noqa: PLC0415  # 3 MB that only stations with a projector pay

        password = asked.password.get_secret_value() if asked.password else None
        state = look(str(asked.host), port=asked.port, password=password, timeout_s=asked.timeout_s)
        return Reading(state=state.model_dump())


def _make(settings: ProjectorSettings, surroundings: Surroundings) -> ProjectorSensor:  # noqa: ARG001  # the contract
    return ProjectorSensor(settings)


PROBE = Probe(
    settings=ProjectorSettings,
    every_s=60,
    limit_s=20,
    make=_make,
    sample={
        "reachable": True,
        "power": "on",
        "faults": {"filter": "warning"},
        "lamp_hours": 1830,
        "name": "教室投影仪",
        "error": "",
    },
)
