"""What somebody on the way, or with a stolen key, would send. None of it may ever be stored."""

import gzip
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nacl.signing import SigningKey

from shared import signing, tags
from shared.wire.v1 import PATH, dump_line
from tests.simulation.centre import Request
from tests.simulation.machine import Machine

if TYPE_CHECKING:
    from tests.simulation.run import Simulation


def packed(machine: Machine, *, stream: str, first: int, head: bytes, count: int = 2) -> bytes:
    """A push of invented events in the name of a machine's station."""
    heartbeat = {"wall": 1, "mono": 0, "boot": machine.clock.boot, "spool": {"last": 1, "waiting": 0, "bytes": 0}}
    envelope = {"wire": 1, "station": machine.station, "stream": stream, "from": first, "head": head.hex()}
    lines = [
        dump_line({"seq": seq, "kind": "note", "at": 1, "boot": "f", "mono": 1, "data": {"id": "forged"}})
        for seq in range(first, first + count)
    ]
    return gzip.compress(b"\n".join((dump_line(envelope | {"heartbeat": heartbeat}), *lines)) + b"\n", mtime=0)


def signed(body: bytes, key: SigningKey, station: str) -> Request:
    return Request(
        body, {"Authorization": signing.authorization(key, method="POST", path=PATH, station=station, body=body)}
    )


def impostor(sim: "Simulation", machine: Machine) -> Iterator[Request]:
    """Requests of somebody who lacks the station's key."""
    body = packed(machine, stream=sim.dice.randbytes(16).hex(), first=1, head=bytes(32))
    yield Request(body, {})
    yield signed(body, SigningKey(sim.dice.randbytes(32)), machine.station)
    other = sim.dice.choice(sim.audit.machines)
    if other.station != machine.station:
        yield signed(body, other.key, machine.station)
        yield signed(body, other.key, other.station)
    name = signing.key_id(bytes(machine.key.verify_key))
    secret = sim.dice.randbytes(32)
    tag = tags.authorization(secret, key_id=name, method="POST", path=PATH, station=machine.station, body=body)
    yield Request(body, {"Authorization": tag})
    for true in machine.link.seen[-1:]:
        yield Request(body, true.headers)


def forged_history(sim: "Simulation", machine: Machine) -> Request | None:
    """Other lines for a stream that is stored already, signed with the station's own key; None when it has none."""
    district_id, station_id = map(int, machine.station.split("/"))
    mine = [key for key in sorted(sim.centre.tables.streams) if key[:2] == (district_id, station_id)]
    if not mine:
        return None
    stream = sim.dice.choice(mine)
    stored = sim.centre.tables.streams[stream].stored
    first = max(1, stored + sim.dice.choice((1, -1, -4)))
    there = sim.centre.tables.events.get((*stream, first + 1))
    if first + 1 < stored and (there is None or there["kind"] == "spool.gap"):
        first = stored + 1  # a gap tells nothing that other lines could contradict
    body = packed(machine, stream=stream[2], first=first, head=sim.dice.randbytes(32))
    return signed(body, machine.key, machine.station)
