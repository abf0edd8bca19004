"""A load of tagged pushes over kept-alive connections, as lean as Python can send it, from a core of its own."""

import asyncio
import gzip
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nacl.signing import SigningKey

from agent.proving import PLEDGE_MS
from shared import chain, tags
from shared.signing import key_id
from shared.wire.v1 import PATH, dump_line

BOOT = "b" * 32
CENTRE = SigningKey(hashlib.sha256(b"a centre under load").digest())
"""The centre's key in every bench, so that pushes can be made before it runs."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`rate` answers a second, `waits` for each in seconds, `bad` answers that were not 200."""

    rate: float
    waits: Sequence[float]
    bad: int


@dataclass(slots=True)
class LoadStation:
    """One station's next pushes, built and tagged ahead of the clock, with a pledge every hour as agents make it."""

    name: str
    key: SigningKey
    stream: str
    seq: int = 1
    mono: int = 1_000_000
    head: bytes = chain.START
    pledged: int = -PLEDGE_MS
    secret: bytes = b""

    def __post_init__(self) -> None:
        self.secret = tags.station_secret(self.key, bytes(CENTRE.verify_key))

    def build(self, events: int) -> bytes:
        """A whole HTTP request with one heartbeat and so many events of a usual shape."""
        lines = [self._event(self.seq + each) for each in range(events)]
        heartbeat = {"wall": 1_790_000_000_000, "mono": self.mono, "boot": BOOT, "agent": "0.1.0"}
        heartbeat |= {"spool": {"last": self.seq + events, "waiting": events, "bytes": 200_000}, "probes": _PROBES}
        envelope = {"wire": 1, "station": self.name, "stream": self.stream, "from": self.seq, "head": self.head.hex()}
        self.seq += events
        self.head = chain.extend_all(self.head, lines)
        envelope |= {"heartbeat": heartbeat, **self._pledge(events)}
        body = gzip.compress(b"\n".join((dump_line(envelope), *lines)) + b"\n", 6, mtime=0)
        name = key_id(bytes(self.key.verify_key))
        header = tags.authorization(self.secret, key_id=name, method="POST", path=PATH, station=self.name, body=body)
        self.mono += 300_000
        head = f"POST {PATH} HTTP/1.1\r\nHost: centre\r\nAuthorization: {header}\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body

    def _pledge(self, events: int) -> dict[str, Any]:
        if not events or self.mono - self.pledged < PLEDGE_MS:
            return {}
        self.pledged = self.mono
        seq, head = self.seq - 1, self.head.hex()
        signature = tags.pledge(self.key, station=self.name, stream=self.stream, seq=seq, head=head)
        return {"pledge": {"seq": seq, "head": head, "signature": signature}}

    def _event(self, seq: int) -> bytes:
        data: dict[str, Any] = {
            "playback": f"{self.name}-{seq // 3}",
            "title": "油橄榄丰产栽培 第1讲",
            "name": "油橄榄.mp4",
        }
        data |= {"player": "mpv", "via": "journal", "sha256": "ab" * 32, "content_s": 60.0, "played_s": 60.0}
        event = {"seq": seq, "kind": "playback.progress", "at": 1_790_000_000_000, "boot": BOOT, "mono": self.mono - 5}
        return dump_line(event | {"data": data})


_PROBES: dict[str, Any] = {
    "courseware": {"status": "ok", "mono": 990_000, "state": {"files": 140, "bytes": 64_000_000_000}},
    "projector": {"status": "ok", "mono": 990_000, "state": {"reachable": True, "power": "on", "lamp_hours": 1200}},
    "audio": {"status": "ok", "mono": 990_000, "state": {"server": True, "sink": True, "muted": False, "volume": 0.8}},
    "host": {"status": "ok", "mono": 990_000, "state": {"disk_free": 10**11, "disk_total": 5 * 10**11}},
}


async def run_load(port: int, queues: Sequence[list[bytes]]) -> Outcome:
    """Send every queue over a connection of its own, side by side."""
    waits: list[float] = []
    began = time.perf_counter()
    bad = sum(await asyncio.gather(*(_drain(port, queue, waits) for queue in queues)))
    passed = time.perf_counter() - began
    return Outcome(len(waits) / passed, waits, bad)


async def _drain(port: int, queue: list[bytes], waits: list[float]) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    bad = 0
    for request in queue:
        began = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(_length(head))
        waits.append(time.perf_counter() - began)
        bad += not head.startswith(b"HTTP/1.1 200")
    writer.close()
    return bad


def _length(head: bytes) -> int:
    lower = head.lower()
    start = lower.index(b"content-length:") + 15
    return int(lower[start : lower.index(b"\r", start)])
