"""Carries records by hand where there is no network: writes them out as a bundle, takes the centre's receipt back.

A bundle holds what pushes would carry, and moves no cursor: without a receipt everything is simply sent again. Works
beside a running agent.
"""

import gzip
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agent.durable import sync_folder
from agent.errors import BundleError
from agent.identity import Identity
from agent.spool import Batch, Spool
from agent.version import VERSION
from shared import signing
from shared.bundle import METHOD, SUFFIX, BadBundle, Part, check_receipt, read_receipt, write_parts
from shared.clock import Instant
from shared.months import local
from shared.wire.v1 import MAX_EVENTS, PATH, Envelope, Heartbeat, SpoolReport, dump_line

MAX_BATCH_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class Exported:
    """A bundle file and how many lines it holds."""

    path: Path
    lines: int


def export_bundle(folder: Path, identity: Identity, spool: Spool, now: Instant) -> Exported | None:
    """Write all the centre lacks into a new file of `folder`, whole or not at all; None when it lacks nothing.

    Raises BundleError when the stick cannot be written.
    """
    if spool.depth().waiting == 0:
        return None
    lines = 0

    def pack() -> Iterator[Part]:
        nonlocal lines
        for batch in spool.batches(max_lines=MAX_EVENTS, max_bytes=MAX_BATCH_BYTES):
            lines += len(batch.lines)
            yield _sign(batch, identity, spool, now)

    path = _free_path(folder, identity.station, now)
    beside = path.with_name(path.name + ".part")
    try:
        with beside.open("wb") as file:
            write_parts(file, pack())
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)
        sync_folder(folder)
    except OSError as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise BundleError(
            f"{folder} 写不进去（{error.strerror}）。请检查U盘是否插好、有没有空间、是否写保护。"
        ) from error
    return Exported(path, lines)


def take_receipt(path: Path, identity: Identity, spool: Spool, now: Instant) -> int:
    """Move the cursors to what the centre says it has. Returns how many lines still wait.

    Raises BundleError for a receipt of another station, one the centre did not sign though it has a key, or one that
    does not fit what was recorded here.
    """
    try:
        receipt = read_receipt(path.read_bytes())
        if identity.centre_key is not None:
            check_receipt(receipt, identity.centre_key)
    except OSError as error:
        raise BundleError(f"读不到 {path}：{error.strerror}") from error
    except BadBundle as error:
        raise BundleError(str(error)) from error
    if receipt.station != identity.station:
        raise BundleError(f"这份回执是给站点 {receipt.station} 的，本机是 {identity.station}（{identity.title}）。")
    for kept in receipt.streams:
        head = spool.chain_at(kept.stream, kept.stored)
        if head is None:
            continue
        if head.hex() != kept.head:
            raise BundleError("回执与本机的记录对不上，没有采用。请把它交给区中心核对。")
        if kept.stored > spool.stored_of(kept.stream):
            spool.acknowledge(kept.stream, kept.stored, now)
    return spool.depth().waiting


def _sign(batch: Batch, identity: Identity, spool: Spool, now: Instant) -> Part:
    depth = spool.depth()
    report = SpoolReport(last=depth.last, waiting=depth.waiting, bytes=depth.bytes)
    heartbeat = Heartbeat(wall=now.wall_ms, mono=now.mono_ms, boot=now.boot, agent=VERSION, spool=report)
    envelope = Envelope(
        wire=1,
        station=identity.station,
        stream=batch.stream,
        first=batch.first,
        head=batch.head.hex(),
        heartbeat=heartbeat,
    )
    first = dump_line(envelope.model_dump(by_alias=True, exclude_defaults=True) | {"wire": 1})
    body = gzip.compress(b"\n".join((first, *batch.lines)) + b"\n", compresslevel=6, mtime=0)
    return signing.authorization(identity.key, method=METHOD, path=PATH, station=identity.station, body=body), body


def _free_path(folder: Path, station: str, now: Instant) -> Path:
    stem = f"yuanjiao-{station.replace('/', '-')}-{local(now.wall_ms):%Y%m%d-%H%M%S}"
    number = 1
    path = folder / f"{stem}{SUFFIX}"
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}{SUFFIX}"
    return path
