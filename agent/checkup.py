"""Looks once at every sensor and once at the centre, for `yuanjiao-agent doctor`. Records nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from agent.app import chosen_probes
from agent.doctor import Finding, Network, examine, judge_helper, judge_room, judge_version
from agent.errors import LinkError, NotEnrolledError
from agent.identity import Identity, load_identity, pinned_ca
from agent.probes.base import Probe, Reading
from agent.room import measure_disk
from agent.runner import Look
from agent.settings import AgentSettings
from agent.transport import HttpTransport, Transport
from agent.upgrade.pointer import FOLDER, Place
from agent.version import VERSION
from shared import signing
from shared.clock import Instant
from shared.wire.v1 import PATH

LOOK_S = 20
"""How long a person at the PC waits for one sensor."""


@dataclass(frozen=True, slots=True)
class _Alone:
    """Surroundings of a sensor that remembers nothing and has no neighbours."""

    def recall(self) -> Mapping[str, str]:
        return {}

    def memory_name(self) -> str:
        return ""

    def identify(self, path: str) -> str | None:
        del path
        return None

    def latest(self, probe: str) -> Mapping[str, Any] | None:
        del probe
        return None


def check_up(settings: AgentSettings, now: Instant) -> list[Finding]:
    """Findings about this station, in the order a person should work through them."""
    looks = {name: _look(name, probe, values, now) for name, probe, values in chosen_probes(settings)}
    states = {name: look.reading.state if look.reading is not None else None for name, look in looks.items()}
    hanging = [name for name, look in looks.items() if look.is_alive()]
    place = Place(settings.state_dir / FOLDER)
    pointer = place.read()
    version = judge_version(pointer, place.describe(pointer.slot)[0] or VERSION)
    own = [_judge_room(settings), judge_helper(settings.session.socket, settings.session.status), version]
    network = _ask_centre(settings)
    has_key = network is not None
    seen = examine(states, wall_ms=now.wall_ms, network=network or Network.UNTRIED, has_key=has_key, hanging=hanging)
    return [*seen, *own]


def _look(name: str, probe: Probe, values: Any, now: Instant) -> Look:
    """One look, waited for as long as a person would: a share whose server is gone never answers."""
    look = Look(name, partial(_read, probe, values, now))
    look.start()
    look.join(LOOK_S)
    return look


def _read(probe: Probe, values: Any, now: Instant) -> Reading:
    return probe.make(values, _Alone()).read(now)


def _judge_room(settings: AgentSettings) -> Finding:
    try:
        return judge_room(measure_disk(settings.state_dir))
    except OSError:
        return judge_room(None)


def _ask_centre(settings: AgentSettings) -> Network | None:
    """None where this station has no key to ask with."""
    try:
        identity = load_identity(settings.state_dir)
    except NotEnrolledError:
        return None
    transport = HttpTransport(settings.centre or identity.centre, pinned_ca(settings.state_dir, settings.ca_file))
    return try_network(identity, transport)


def try_network(identity: Identity, transport: Transport) -> Network:
    """Ask the centre with an empty, rightly signed push: it refuses the body but only after it knew the key."""
    header = signing.authorization(identity.key, method="POST", path=PATH, station=identity.station, body=b"")
    try:
        answer = transport.post(PATH, b"", {"Authorization": header})
    except LinkError as error:
        return Network.UNTRUSTED if "certificate" in str(error).lower() else Network.UNREACHABLE
    return Network.REFUSED if answer.status in {401, 403} else Network.WELL
