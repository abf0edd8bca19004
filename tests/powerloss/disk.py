"""A disk that a power cut may leave in many states.

A write is safe once its file was synced, a name once its folder was (the strict rule: syncing a file saves no name).
Until then each 512-byte sector of each write, and each name, may have reached the disk or not, in any order. Of a
sector written over and over without a sync (the spool's mark) the last two versions are in play.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from tests.powerloss.recording import Op, Recording

SECTOR = 512

T = TypeVar("T")

Files = dict[str, bytes]


@dataclass(slots=True)
class _File:
    safe: bytes = b""
    size: int = 0
    """As the running system sees it; appends go there."""
    pending: list[Op] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Cut:
    """The disk at one moment: what is safe, and what may or may not be. `promises` counts the marks made before."""

    promises: int
    names: dict[str, int]
    folders: frozenset[str]
    moves: tuple[Op, ...]
    safe: dict[int, bytes]
    pieces: tuple[tuple[int, Op], ...]


class Disk:
    """Follows a recording and cuts the power after every operation."""

    def __init__(self, recording: Recording) -> None:
        self._files: dict[int, _File] = {}
        self._seen: dict[str, int] = {}
        self._names: dict[str, int] = {}
        self._folders = {name.rstrip("/") for name in recording.before if name.endswith("/")} | {"."}
        self._moves: list[Op] = []
        self._promises = 0
        for name, content in recording.before.items():
            if not name.endswith("/"):
                self._names[name] = self._seen[name] = self._new(content)
        self._ops = recording.ops

    def cuts(self) -> Iterator[Cut]:
        """The disk after each operation that changes what a cut may leave."""
        for op in self._ops:
            self._do(op)
            moves = tuple(self._moves)
            pieces = tuple((number, each) for number, file in self._files.items() for each in file.pending)
            safe = {number: file.safe for number, file in self._files.items()}
            yield Cut(self._promises, dict(self._names), frozenset(self._folders), moves, safe, pieces)

    def _new(self, content: bytes = b"") -> int:
        number = len(self._files)
        self._files[number] = _File(content, len(content))
        return number

    def _do(self, op: Op) -> None:
        if op.kind == "mark":
            self._promises += 1
        elif op.kind == "sync":
            self._sync(op.path)
        elif op.kind in {"write", "append", "resize", "grow"}:
            self._change(op)
        elif op.kind == "make" and op.path not in self._seen:
            self._seen[op.path] = self._new()
            self._moves.append(Op("make", op.path, self._seen[op.path]))
        elif op.kind == "move":
            self._seen[op.target] = self._seen.pop(op.path)
            self._moves.append(Op("move", op.path, self._seen[op.target], target=op.target))
        elif op.kind == "drop":
            del self._seen[op.path]
            self._moves.append(op)
        elif op.kind == "folder":
            self._moves.append(op)

    def _change(self, op: Op) -> None:
        file = self._files[self._seen[op.path]]
        if op.kind == "append":
            op = Op("write", op.path, file.size, op.content)
        if op.kind == "grow":
            op = Op("resize", op.path, max(file.size, op.at))
        file.size = op.at if op.kind == "resize" else max(file.size, op.at + len(op.content))
        for piece in split(op):
            older = [each for each in file.pending if (each.at, len(each.content)) == (piece.at, len(piece.content))]
            if len(older) > 1:
                file.pending.remove(older[0])
            file.pending.append(piece)

    def _sync(self, path: str) -> None:
        if path in self._seen:
            file = self._files[self._seen[path]]
            file.safe, file.pending = apply(file.safe, file.pending), []
            return
        mine = [op for op in self._moves if parent(op.target or op.path) == path]
        for op in mine:
            move(op, self._names, self._folders)
        self._moves = [op for op in self._moves if op not in mine]


def split(op: Op) -> Iterator[Op]:
    """A write as the sectors it touches."""
    if op.kind != "write":
        yield op
        return
    at, content = op.at, op.content
    while content:
        size = min(len(content), SECTOR - at % SECTOR)
        yield Op("write", op.path, at, content[:size])
        at, content = at + size, content[size:]


def apply(content: bytes, ops: Sequence[Op]) -> bytes:
    """A file's content after some of its writes."""
    changed = bytearray(content)
    for op in ops:
        if op.kind == "resize":
            del changed[op.at :]
            changed.extend(bytes(op.at - len(changed)))
        else:
            changed.extend(bytes(max(0, op.at - len(changed))))
            changed[op.at : op.at + len(op.content)] = op.content
    return bytes(changed)


def move(op: Op, names: dict[str, int], folders: set[str]) -> None:
    """Carry out one change of names; what the disk does not know of cannot be changed there."""
    if op.kind == "folder":
        folders.add(op.path)
    elif op.kind == "drop":
        names.pop(op.path, None)
    else:
        names.pop(op.path, None)
        names[op.target or op.path] = op.at


def parent(path: str) -> str:
    return path.rpartition("/")[0] or "."


def left_behind(cut: Cut, moves: Sequence[Op], pieces: Sequence[tuple[int, Op]]) -> Files:
    """The files a cut leaves when just these of its pending changes reached the disk."""
    names, folders = dict(cut.names), set(cut.folders)
    for op in moves:
        move(op, names, folders)
    changes: dict[int, list[Op]] = {}
    for number, op in pieces:
        changes.setdefault(number, []).append(op)
    return {
        name: apply(cut.safe[number], changes.get(number, ()))
        for name, number in names.items()
        if not name.endswith("-shm") and _is_reachable(name, folders)
    }


def _is_reachable(name: str, folders: set[str]) -> bool:
    above = parent(name)
    return above == "." or (above in folders and _is_reachable(above, folders))


Chosen = tuple[Sequence[Op], Sequence[tuple[int, Op]]]
"""The changes of names and the pieces of files that reached the disk."""


def choices(cut: Cut, dice: random.Random, count: int) -> Iterator[Chosen]:
    """None, all, and `count` more: half in patterns (a beginning, an end, one alone, one missing), half by dice."""
    yield (), ()
    yield cut.moves, cut.pieces
    if not cut.pieces and not cut.moves:
        return
    for number in range(count):
        yield _pattern(cut, dice) if number % 2 else _scatter(cut, dice)


def _pattern(cut: Cut, dice: random.Random) -> Chosen:
    moves, pieces = cut.moves, cut.pieces
    place = dice.randrange(len(pieces) + len(moves))
    pattern = dice.choice((_beginning, _end, _missing, _alone))
    if place < len(pieces):
        return dice.choice((moves, ())), pattern(pieces, place)
    return pattern(moves, place - len(pieces)), dice.choice((pieces, ()))


def _scatter(cut: Cut, dice: random.Random) -> Chosen:
    """Every change by a throw of its own, sometimes nearly all, sometimes nearly none."""
    share, names = dice.random(), dice.random()
    moves = [each for each in cut.moves if dice.random() < names]
    return moves, [each for each in cut.pieces if dice.random() < share]


def _beginning(things: Sequence[T], place: int) -> Sequence[T]:
    return things[: place + 1]


def _end(things: Sequence[T], place: int) -> Sequence[T]:
    return things[place:]


def _missing(things: Sequence[T], place: int) -> Sequence[T]:
    return (*things[:place], *things[place + 1 :])


def _alone(things: Sequence[T], place: int) -> Sequence[T]:
    return things[place : place + 1]
