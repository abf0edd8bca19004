"""Notices who holds a film open, by inotify: a second witness of a playing, whatever player it is and whatever it says.

Needs no more than the right to read the folder. Only opening and closing are seen, and only from look to look; equal
events in a row come as one, so what counts is the span from the first opening to the last closing. Where too much
happened at once, or the kernel gives no watch, it says that it does not know.
"""

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from agent.probes._patience import Patience
from shared.clock import Instant

_OPEN, _CLOSE_WRITE, _CLOSE_NOWRITE = 0x20, 0x08, 0x10
_OVERFLOW, _ISDIR, _ONLYDIR = 0x4000, 0x40000000, 0x01000000
_HEAD = struct.Struct("iIII")
_PIECE = 64 * 1024
_MAX_PIECES = 64
_MAX_FOLDERS = 200
_FOLDERS_AGAIN_MS = 300_000
_LEAST_MS = 10_000
_KEPT_MS = 7_200_000
_MAX_SPANS = 1000

_STILL = 2**53
Span = tuple[int, int]
"""Monotonic ms of the first opening and of the last closing, as seen; `_STILL` while it was opened last."""


@dataclass(slots=True)
class Opened:
    """`since_ms` from when on nothing was missed; None as long as nothing is watched.

    `patience` is for the folders: they may lie on a share that answers no more.
    """

    root: bytes
    patience: Patience = field(default_factory=Patience)
    since_ms: int | None = None
    _file: int = -1
    _folders: dict[int, bytes] = field(default_factory=dict)
    _looked_ms: int | None = None
    _spans: dict[bytes, Span] = field(default_factory=dict)

    def look(self, now: Instant) -> None:
        """Take in what has happened since the last look."""
        if self._file < 0:
            self._file = _begin()
        if self._file < 0:
            return
        if self._looked_ms is None or now.mono_ms - self._looked_ms >= _FOLDERS_AGAIN_MS:
            self.patience.ask(partial(self._watch, now))
        for folder, mask, name in _read(self._file):
            self._take(folder, mask, name, now)
        fresh = sorted(self._spans.items(), key=lambda item: item[1][1])[-_MAX_SPANS:]
        self._spans = {path: span for path, span in fresh if now.mono_ms - span[1] < _KEPT_MS}

    def was_held(self, path: bytes, begin_ms: int, end_ms: int) -> bool | None:
        """Whether somebody held this file open in this span for long enough; None where that cannot be known."""
        if self.since_ms is None or begin_ms <= self.since_ms or end_ms - begin_ms < 2 * _LEAST_MS:
            return None
        if not path.startswith(self.root + b"/"):
            return None
        first, last = self._spans.get(path, (0, 0))
        return min(last, end_ms) - max(first, begin_ms) >= _LEAST_MS

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file, self.since_ms, self._looked_ms = -1, None, None

    def _watch(self, now: Instant) -> None:
        """Watch every folder there is now; one that is watched already stays so."""
        self._looked_ms = now.mono_ms
        for folder in _folders(self.root):
            number = _LIBC.inotify_add_watch(self._file, folder, _OPEN | _CLOSE_WRITE | _CLOSE_NOWRITE | _ONLYDIR)
            if number >= 0:
                self._folders[number] = folder
        if self._folders and self.since_ms is None:
            self.since_ms = now.mono_ms

    def _take(self, folder: int, mask: int, name: bytes, now: Instant) -> None:
        if mask & _OVERFLOW:
            self.since_ms = now.mono_ms
        if mask & _ISDIR or not name or folder not in self._folders:
            return
        path = self._folders[folder] + b"/" + name
        first, last = self._spans.get(path, (now.mono_ms, now.mono_ms))
        if mask & _OPEN and now.mono_ms - last >= _LEAST_MS:
            first = now.mono_ms
        self._spans[path] = (first, _STILL if mask & _OPEN else now.mono_ms)


_LIBC = ctypes.CDLL(None, use_errno=True)


def _begin() -> int:
    """A watching descriptor, -1 where the kernel gives none (128 a user)."""
    return int(_LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))


def _read(file: int) -> Iterator[tuple[int, int, bytes]]:
    for _ in range(_MAX_PIECES):
        try:
            piece = os.read(file, _PIECE)
        except OSError:
            return
        at = 0
        while at + _HEAD.size <= len(piece):
            folder, mask, _cookie, length = _HEAD.unpack_from(piece, at)
            at += _HEAD.size + length
            yield folder, mask, piece[at - length : at].rstrip(b"\0")


def _folders(root: bytes) -> Iterator[bytes]:
    """The folder and those below it, at most so many; symlinks are not followed."""
    waiting = [root]
    for _ in range(_MAX_FOLDERS):
        if not waiting:
            return
        folder = waiting.pop(0)
        yield folder
        with suppress(OSError), os.scandir(folder) as entries:
            waiting += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
