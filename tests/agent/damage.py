"""A spool with a history, ways to damage its files, and a centre that judges what is sent afterwards."""

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from agent import salvage
from agent.probes.base import Fact
from agent.spool import Limits, Spool
from agent.spool_rows import PAGE_BYTES, Line, list_streams
from collector.intake.admission import admit
from shared import chain
from tests.clocks import ManualClock

LIMITS = Limits(ballast_bytes=4096)
TEXTS = ["学习" * (number * 12) for number in range(17)]
Place = tuple[str, int]
"""A stream and a seq."""


@dataclass(slots=True)
class History:
    """What was recorded, how far the centre has it, and the files as they lay on the disk."""

    files: dict[str, bytes]
    lines: dict[Place, Line]
    stored: dict[str, int]
    newest: tuple[str, int]
    pages: dict[tuple[str, int], set[Place]] = field(default_factory=dict)


def make_history(folder: Path, clock: ManualClock, *, closed: bool) -> History:
    """Two streams, the first disputed half-way; half of the second stored; the newest part still in the WAL."""
    spool = Spool(folder, clock.now(), limits=LIMITS)
    _record(spool, clock, 36)
    spool.acknowledge(spool.stream, 12, clock.now())
    first = spool.stream
    spool.acknowledge(first, 37, clock.now())
    spool.acknowledge(first, 18, clock.now())
    spool._replace_stream(next(iter(list_streams(spool._db))), clock.now(), "corrupt")
    _record(spool, clock, 40)
    spool.acknowledge(spool.stream, 22, clock.now())
    spool._db.execute("PRAGMA wal_checkpoint(PASSIVE)")
    _record(spool, clock, 15)
    history = _read(spool)
    if closed:
        spool.close()
    history.files = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".db-shm"}
    spool.close()
    history.pages = _list_pages(history)
    return history


def _record(spool: Spool, clock: ManualClock, count: int) -> None:
    for number in range(count):
        clock.advance(minutes=7)
        text = TEXTS[number % 17]
        memo = {f"k{number % 9}": text}
        spool.append([Fact("playback.ended", {"n": number, "text": text})], clock.now(), probe="p", memo=memo)


def _read(spool: Spool) -> History:
    streams = list_streams(spool._db)
    names = {each.no: each.stream for each in streams}
    rows = [Line(*row) for row in spool._db.execute("SELECT * FROM lines")]
    lines = {(names[row.no], row.seq): row for row in rows}
    stored = {each.stream: each.stored for each in streams}
    return History({}, lines, stored, (streams[-1].stream, streams[-1].last))


def lay(files: dict[str, bytes], folder: Path) -> None:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)


Damage = Callable[[dict[str, bytes], random.Random], None]


def _flip(name: str) -> Damage:
    def damage(files: dict[str, bytes], dice: random.Random) -> None:
        content = bytearray(files[name])
        for _ in range(dice.randint(1, 3)):
            content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
        files[name] = bytes(content)

    return damage


def _cut(name: str) -> Damage:
    def damage(files: dict[str, bytes], dice: random.Random) -> None:
        files[name] = files[name][: dice.randrange(len(files[name]))]

    return damage


def _lose(name: str) -> Damage:
    def damage(files: dict[str, bytes], dice: random.Random) -> None:
        del dice
        del files[name]

    return damage


def _overwrite(name: str, *, zeros: bool, pages: bool) -> Damage:
    """Zeros or noise over whole pages, or over a stretch anywhere."""

    def damage(files: dict[str, bytes], dice: random.Random) -> None:
        content = bytearray(files[name])
        size = PAGE_BYTES if pages else dice.randint(1, 600)
        at = dice.randrange(max(1, len(content) - size))
        at -= at % PAGE_BYTES * pages
        size = min(size, len(content) - at)
        content[at : at + size] = bytes(size) if zeros else dice.randbytes(size)
        files[name] = bytes(content)

    return damage


def _empty(files: dict[str, bytes], dice: random.Random) -> None:
    del dice
    files["spool.db"] = b""


def _spoil_head(files: dict[str, bytes], dice: random.Random) -> None:
    files["spool.db"] = dice.randbytes(100) + files["spool.db"][100:]


def _go_back(files: dict[str, bytes], dice: random.Random) -> None:
    """The WAL was lost and the file is whole as of its last checkpoint; a new empty WAL lies there."""
    del dice
    files["spool.db-wal"] = b""


DAMAGES: dict[str, Damage] = {
    "a file of length zero": _empty,
    "a file cut short": _cut("spool.db"),
    "a lost file": _lose("spool.db"),
    "a header of noise": _spoil_head,
    "flipped bits": _flip("spool.db"),
    "a zeroed page": _overwrite("spool.db", zeros=True, pages=True),
    "a page of noise": _overwrite("spool.db", zeros=False, pages=True),
    "a stretch of noise": _overwrite("spool.db", zeros=False, pages=False),
    "a lost WAL": _lose("spool.db-wal"),
    "an empty WAL": _go_back,
    "a WAL cut short": _cut("spool.db-wal"),
    "flipped bits in the WAL": _flip("spool.db-wal"),
    "a WAL with noise in the middle": _overwrite("spool.db-wal", zeros=False, pages=False),
    "a mark of noise": _overwrite("spool.mark", zeros=False, pages=False),
}


@dataclass(slots=True)
class Centre:
    """Takes in what is sent by the intake's own rules, standing where the true centre stood."""

    history: History
    places: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    taken: dict[Place, bytes] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for stream, stored in self.history.stored.items():
            self.places[stream] = (stored, self.history.lines[(stream, stored)].hash)

    def take(self, spool: Spool) -> None:
        for batch in spool.batches(max_lines=40, max_bytes=1 << 20):
            stored, head = self.places.get(batch.stream, (0, chain.START))
            admission = admit(first=batch.first, head=batch.head, lines=batch.lines, stored=stored, stored_head=head)
            if admission.conflict is not None:
                self.wrong.append(f"conflict at {admission.conflict}")
            self.places[batch.stream] = (admission.stored, admission.head)
            for row in admission.rows:
                self._judge(batch.stream, row.seq, row.line, row.refused)

    def _judge(self, stream: str, seq: int, line: bytes, refused: str | None) -> None:
        if b'"kind":"spool.gap"' in line and refused is None:
            return
        true = self.history.lines.get((stream, seq))
        if true is None and b'"kind":"stream.opened"' in line and stream not in self.history.stored:
            return
        if true is None or true.line != line:
            self.wrong.append(f"wrong line {seq}: {line[:80]!r}")
        self.taken[(stream, seq)] = line


def list_whole(history: History, files: dict[str, bytes]) -> set[Place]:
    """Lines the centre lacks that lie, with the line before them, in pages the damage did not touch."""
    whole: set[Place] = set()
    for (name, at), places in history.pages.items():
        if files.get(name, b"")[at : at + PAGE_BYTES] == history.files[name][at : at + PAGE_BYTES]:
            whole |= places
    return {
        (stream, seq)
        for stream, seq in whole
        if seq > history.stored[stream] and ((stream, seq - 1) in whole or seq == 1)
    }


def _list_pages(history: History) -> dict[tuple[str, int], set[Place]]:
    """Which lines every page of the files holds as a whole, by file and place; long lines hang over into others."""
    names = {(row.no, row.seq, row.line): place for place, row in history.lines.items()}
    found: dict[tuple[str, int], set[Place]] = {}
    for name, start, step in (("spool.db", 0, PAGE_BYTES), ("spool.db-wal", 56, PAGE_BYTES + 24)):
        whole = history.files.get(name, b"")
        for at in range(start, len(whole) - PAGE_BYTES + 1, step):
            rows = salvage._rows(whole[at : at + PAGE_BYTES], lambda _: b"", 0)
            keys = ((*row[:2], row[4]) for row in rows if len(row) == 6)
            found[(name, at)] = {names[key] for key in keys if key in names}
    return found


def kept_aside(folder: Path, files: dict[str, bytes]) -> bool:
    """Whether what was damaged is still there, byte for byte, under another name."""
    aside = {path.read_bytes() for path in folder.glob("spool.db.damaged-*")}
    return all(content in aside for name, content in files.items() if name in {"spool.db", "spool.db-wal"})


def remove(folder: Path) -> None:
    shutil.rmtree(folder)
