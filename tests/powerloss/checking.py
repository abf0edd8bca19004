"""Opens the disk a power cut left with the real spool, and holds it to what was promised before the cut."""

import functools
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from agent.errors import SpoolFullError
from agent.probes.base import Fact
from agent.spool import Spool
from agent.spool_rows import Line, Stream, list_streams
from shared.bundle import BadBundle, read_parts
from tests.powerloss.disk import Files
from tests.powerloss.lives import LIMITS, NOW, PREPARED, ROOM, STREAMS

AFTER = b"\xee" * 16
"""Name of the stream a spool would open in a state that needs one."""

Named = tuple[str, int]
"""A fact's stream and seq."""


class Promises:
    """What a life has said: facts it tried and facts it kept, by stream and seq; bundles it made."""

    def __init__(self, life: str, marks: Sequence[bytes]) -> None:
        self.life = life
        self._marks = [mark.decode().split(" ") for mark in marks]
        count = {"heal": 13, "errand": PREPARED + 1}.get(life, 0)
        before = {(STREAMS[0].hex(), number + 1): number for number in range(count)}
        self._before = {place: number for place, number in before.items() if (life, place[1]) != ("heal", 5)}
        tried = [mark for mark in self._marks if mark[0] in {"tried", "kept"}]
        self.tried = before | {(mark[1], int(mark[2])): int(mark[3]) for mark in tried}

    @functools.lru_cache(maxsize=8)  # noqa: B019 - one for each process
    def kept(self, count: int) -> dict[Named, int]:
        """Facts whose append had returned after the first `count` marks."""
        kept = [mark for mark in self._marks[:count] if mark[0] == "kept"]
        return self._before | {(mark[1], int(mark[2])): int(mark[3]) for mark in kept}

    def bundles(self, count: int) -> list[str]:
        return [mark[1] for mark in self._marks[:count] if mark[0] == "made"]


def check(promises: Promises, count: int, files: Files, folder: str, *, writes: bool = True) -> str:
    """What a state breaks of the first `count` promises, empty when nothing. `writes`: it must also take one more."""
    for name in ("", "stick", "spool", "state", "state/spool"):
        with suppress(FileExistsError):
            os.mkdir(f"{folder}/{name}")  # noqa: PTH102 - a hundred thousand times
    for name, content in files.items():
        with open(f"{folder}/{name}", "wb") as file:  # noqa: PTH123 - as above
            file.write(content)
    try:
        return _check_bundles(promises, count, folder) or _check_spool(promises, count, folder, writes=writes)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong is what this harness looks for
        return f"{type(error).__name__}: {error}"
    finally:
        _empty(folder)


def _empty(folder: str) -> None:
    for entry in os.scandir(folder):
        if entry.is_dir():
            _empty(entry.path)
        else:
            os.unlink(entry.path)  # noqa: PTH108 - as above


def _check_bundles(promises: Promises, count: int, folder: str) -> str:
    stick = Path(folder) / "stick"
    there = {path.name for path in stick.iterdir() if path.suffix == ".bundle"}
    missing = set(promises.bundles(count)) - there
    if missing:
        return f"bundle lost: {missing}"
    for name in there:
        try:
            list(read_parts(stick / name))
        except BadBundle as error:
            return f"bundle not whole: {error}"
    return ""


def _check_spool(promises: Promises, count: int, folder: str, *, writes: bool) -> str:
    place = Path(folder) / ("state/spool" if promises.life == "live" else "spool")
    spool = Spool(place, NOW, limits=LIMITS, entropy=lambda _: AFTER, free_bytes=lambda _: ROOM)
    try:
        streams = {each.stream: each for each in list_streams(spool._db)}
        rows = [Line(*row) for row in spool._db.execute("SELECT * FROM lines ORDER BY no, seq")]
        names = {each.no: each.stream for each in streams.values()}
        broken = (
            _find_false_alarm(promises, place)
            or _find_lost(promises.kept(count), streams, names, rows)
            or _find_invented(promises, names, rows)
            or _find_forgetful(promises.tried, spool, list(streams.values()))
        )
        if writes:
            with suppress(SpoolFullError):
                spool.append([Fact("note", {"n": -1})], NOW, memo={})
        return broken
    finally:
        spool.close()


def _find_false_alarm(promises: Promises, place: Path) -> str:
    """A legal power cut is no damage."""
    damaged = [path.name for path in place.iterdir() if "damaged" in path.name]
    return f"taken for damaged: {damaged}" if damaged and promises.life != "heal" else ""


def _find_lost(kept: dict[Named, int], streams: dict[str, Stream], names: dict[int, str], rows: Sequence[Line]) -> str:
    present = {(names[row.no], row.seq): row for row in rows}
    gaps = [(names[row.no], row.seq, row.upto) for row in rows if _read(row)["kind"] == "spool.gap"]
    for (stream, seq), number in kept.items():
        row = present.get((stream, seq))
        declared = any(name == stream and first <= seq <= last for name, first, last in gaps)
        forgotten = stream in streams and seq <= min(streams[stream].floor, streams[stream].stored)
        if not declared and not forgotten and (row is None or _read(row)["data"].get("n", 0) != number):
            return f"lost: fact {number}, recorded as {seq}"
    return ""


def _find_invented(promises: Promises, names: dict[int, str], rows: Sequence[Line]) -> str:
    for row in rows:
        event = _read(row)
        if event["kind"] == "spool.gap":
            if "unreadable" in event["data"]["counts"] and (promises.life, row.seq, row.upto) != ("heal", 5, 5):
                return f"declared unreadable without damage: {row.seq}-{row.upto}"
        elif event["kind"] != "stream.opened" and promises.tried.get((names[row.no], row.seq)) != event["data"]["n"]:
            return f"invented: line {row.seq}"
    return ""


def _find_forgetful(tried: dict[Named, int], spool: Spool, streams: Sequence[Stream]) -> str:
    """What a probe remembers was committed with its newest fact."""
    numbers = [tried.get((each.stream, each.last), 0) for each in streams]
    newest = next((number for number in reversed(numbers) if number), 0)
    remembered = int(spool.recall("p").get("n", 0))
    return "" if remembered == newest else f"the memo says {remembered}, the newest fact is {newest}"


def _read(row: Line) -> dict[str, Any]:
    return _parse(row.line)


@functools.lru_cache(maxsize=4096)
def _parse(line: bytes) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(line)
    return value
