"""Builds pushes by hand, right and wrong ones."""

import gzip
from typing import Any

from nacl.signing import SigningKey

from shared import chain, signing
from shared.wire.v1 import PATH, dump_line

STREAM = "5" * 32


def event(seq: int, kind: str = "note", **data: Any) -> bytes:
    return dump_line({"seq": seq, "kind": kind, "at": 1_788_000_000_000, "boot": "b", "mono": 500, "data": data})


def envelope(station: str, *, first: int = 1, head: bytes = chain.START, **changes: Any) -> bytes:
    heartbeat = {"wall": 1_788_000_000_000, "mono": 1000, "boot": "b"}
    heartbeat |= {"spool": {"last": 1, "waiting": 1, "bytes": 1}, "probes": {}}
    heartbeat |= changes.pop("heartbeat", {})
    values = {"wire": 1, "station": station, "stream": STREAM, "from": first, "head": head.hex()}
    return dump_line(values | {"heartbeat": heartbeat} | changes)


def packed(*lines: bytes) -> bytes:
    return gzip.compress(b"\n".join(lines) + b"\n", mtime=0)


def signed(key: SigningKey, station: str, body: bytes) -> dict[str, str]:
    return {"Authorization": signing.authorization(key, method="POST", path=PATH, station=station, body=body)}
