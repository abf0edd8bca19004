"""Looks once at every sensor and once at the centre, for `yuanjiao-agent doctor`. Records nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.app import chosen_probes
from agent.doctor import Finding, Network, examine, judge_helper, judge_version
from agent.errors import LinkError, NotEnrolledError
from agent.identity import Identity, load_identity, pinned_ca
from agent.settings import AgentSettings
from agent.transport import HttpTransport, Transport
from agent.upgrade.pointer import FOLDER, Place
from agent.version import VERSION
from shared import signing
from shared.clock import Instant
from shared.wire.v1 import PATH


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
    states: dict[str, Mapping[str, Any] | None] = {}
    for name, probe, values in chosen_probes(settings):
        try:
            states[name] = probe.make(values, _Alone()).read(now).state
        except Exception:  # noqa: BLE001 - a sensor that fails has nothing to show
            states[name] = None
    place = Place(settings.state_dir / FOLDER)
    pointer = place.read()
    version = judge_version(pointer, place.describe(pointer.slot)[0] or VERSION)
    own = [judge_helper(settings.session.socket, settings.session.status), version]
    try:
        identity = load_identity(settings.state_dir)
    except NotEnrolledError:
        return [*examine(states, wall_ms=now.wall_ms, network=Network.UNTRIED, has_key=False), *own]
    transport = HttpTransport(settings.centre or identity.centre, pinned_ca(settings.state_dir, settings.ca_file))
    network = try_network(identity, transport)
    return [*examine(states, wall_ms=now.wall_ms, network=network, has_key=True), *own]


def try_network(identity: Identity, transport: Transport) -> Network:
    """Ask the centre with an empty, rightly signed push: it refuses the body but only after it knew the key."""
    header = signing.authorization(identity.key, method="POST", path=PATH, station=identity.station, body=b"")
    try:
        answer = transport.post(PATH, b"", {"Authorization": header})
    except LinkError as error:
        return Network.UNTRUSTED if "certificate" in str(error).lower() else Network.UNREACHABLE
    return Network.REFUSED if answer.status in {401, 403} else Network.WELL
