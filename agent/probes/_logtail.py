"""Follows the log of a stock player from look to look, through truncation and rotation."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.probes import _playerlogs, _tree
from agent.probes._journal import PIECE, Line, read_piece
from agent.probes._playerlogs import Run
from agent.probes._telling import Origin, Teller, Thread
from shared.clock import Instant

_PIECES_A_LOOK = 16
_HEAD, _TAIL = 4096, 256

Reader = Callable[[list[bytes], Run, Instant], tuple[list[Line], Run]]
READERS: dict[str, Reader] = {"mpv": _playerlogs.read_mpv, "vlc": _playerlogs.read_vlc}


class Followed(BaseModel):
    """The memo of a log: `offset` bytes taken in of the file that `anchor` and `inode` tell from its successor."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    offset: int
    inode: int
    anchor: str
    sid: str
    run: Run = Run()
    thread: Thread = Thread()


def follow(path: Path, player: str, memo: str | None, teller: Teller, *, is_running: bool) -> str:
    """Take in what is new in the log; returns the new memo. Raises OSError when the log cannot be read.

    A log seen for the first time is taken from its end: nobody knows when the plays before were.
    """
    before = _read_memo(memo)
    if before is None:
        return _first_sight(path, player, teller.now).model_dump_json()
    thread = before.thread
    if thread.playing is not None and thread.playing.begin.boot != teller.now.boot:
        thread = teller.abandon(thread)
    followed = before.model_copy(update={"thread": thread})
    if _is_replaced(path, followed):
        followed = _anew(player, teller.now, teller.abandon(thread))
    followed = _take_pieces(path, player, followed, teller)
    thread = _tick(followed, teller, player) if is_running else teller.abandon(followed.thread)
    teller.note_running(thread)
    identity = _identity(path, followed.offset)
    return followed.model_copy(update={**identity, "thread": thread}).model_dump_json()


def origin_of(followed: Followed, player: str) -> Origin:
    return Origin(followed.sid, player, f"{player}_log", exact=False)


def _take_pieces(path: Path, player: str, followed: Followed, teller: Teller) -> Followed:
    offset, run, thread = followed.offset, followed.run, followed.thread
    for _ in range(_PIECES_A_LOOK):
        lines, end, _size = read_piece(path, offset)
        told, run = READERS[player](lines, run, teller.now)
        thread = teller.take(thread, told, origin_of(followed, player))
        if end - offset < PIECE // 2:
            offset = end
            break
        offset = end
    return followed.model_copy(update={"offset": offset, "run": run, "thread": thread})


def _tick(followed: Followed, teller: Teller, player: str) -> Thread:
    """A playing film is silent in the log: this moment counts as a line of its own."""
    line = _playerlogs.tick(followed.run, teller.now)
    return teller.take(followed.thread, [line], origin_of(followed, player))


def _first_sight(path: Path, player: str, now: Instant) -> Followed:
    return _anew(player, now, Thread()).model_copy(update=_identity(path, path.stat().st_size))


def _anew(player: str, now: Instant, thread: Thread) -> Followed:
    sid = f"{player}-{now.boot[:12]}-{now.mono_ms}"
    return Followed(offset=0, inode=0, anchor="", sid=sid, thread=thread.model_copy(update={"closed": 0}))


def _is_replaced(path: Path, followed: Followed) -> bool:
    now = _identity(path, followed.offset)
    return (now["inode"], now["anchor"]) != (followed.inode, followed.anchor)


def _identity(path: Path, offset: int) -> dict[str, object]:
    """What the file is at this offset. mpv begins its log anew in the same file, so size and inode do not tell."""
    descriptor = _tree.open_regular(os.fsencode(path))
    try:
        head = os.pread(descriptor, min(_HEAD, offset), 0)
        tail = os.pread(descriptor, min(_TAIL, offset), max(0, offset - _TAIL))
        whole = len(head) + len(tail) == min(_HEAD, offset) + min(_TAIL, offset)
        anchor = hashlib.sha256(head + tail).hexdigest() if whole else ""
        return {"offset": offset, "inode": os.fstat(descriptor).st_ino, "anchor": anchor}
    finally:
        os.close(descriptor)


def _read_memo(memo: str | None) -> Followed | None:
    try:
        return None if memo is None else Followed.model_validate_json(memo)
    except ValidationError:
        return None
