"""What somebody on the way, or with a stolen key, would send. None of it may ever be stored."""

import gzip
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nacl.signing import SigningKey

from shared import signing
from shared.wire.v1 import PATH, dump_line
from tests.simulation.centre import Request
from tests.simulation.machine import Machine

if TYPE_CHECKING:
    from tests.simulation.run import Simulation


def packed(machine: Machine, key: SigningKey, *, stream: str, first: int, head: bytes, count: int = 2) -> Request:
    """A push of invented events in the name of a machine's station, signed with `key`."""
    heartbeat = {"wall": 1, "mono": 0, "boot": machine.clock.boot, "spool": {"last": 1, "waiting": 0, "bytes": 0}}
    envelope = {"wire": 1, "station": machine.station, "stream": stream, "from": first, "head": head.hex()}
    lines = [
        dump_line({"seq": seq, "kind": "note", "at": 1, "boot": "f", "mono": 1, "data": {"id": "forged"}})
        for seq in range(first, first + count)
    ]
    body = gzip.compress(b"\n".join((dump_line(envelope | {"heartbeat": heartbeat}), *lines)) + b"\n", mtime=0)
    header = signing.authorization(key, method="POST", path=PATH, station=machine.station, body=body)
    return Request(body, {"Authorization": header})


def impostor(sim: "Simulation", machine: Machine) -> Iterator[Request]:
    """Requests of somebody who lacks the station's key."""
    stream, head = sim.dice.randbytes(16).hex(), bytes(32)
    foreign = packed(machine, SigningKey(sim.dice.randbytes(32)), stream=stream, first=1, head=head)
    yield foreign
    yield Request(foreign.body, {})
    other = sim.dice.choice(sim.audit.machines)
    if other.station != machine.station:
        request = packed(machine, other.key, stream=stream, first=1, head=head)
        yield request
        name = request.headers["Authorization"].replace(machine.station, other.station)
        yield Request(request.body, {"Authorization": name})
    for true in machine.link.seen[-1:]:
        yield Request(foreign.body, true.headers)


def forged_history(sim: "Simulation", machine: Machine) -> Request | None:
    """Other lines for a stream that is stored already, signed with the station's own key; None when it has none."""
    district_id, station_id = map(int, machine.station.split("/"))
    mine = [key for key in sorted(sim.centre.tables.streams) if key[:2] == (district_id, station_id)]
    if not mine:
        return None
    stream = sim.dice.choice(mine)
    stored = sim.centre.tables.streams[stream].stored
    first = stored + 1 if sim.dice.random() < 0.5 else max(1, stored - 1)
    return packed(machine, machine.key, stream=stream[2], first=first, head=sim.dice.randbytes(32))
