"""Reads a courseware file once, in pieces a look can afford: hash and packet count in the same pass."""

import hashlib
import os
from dataclasses import dataclass, field

from agent.probes import _media, _tree

BLOCK = 1024 * 1024


class FileChangedError(Exception):
    """The file is not the one that settled; it has to settle again."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A file read to its end. `sha256` is None when `finding` was clear before hashing.

    `hole`: it is still arriving. `again`: the disk or the rights failed, not the content: worth another try.
    """

    sha256: str | None = None
    finding: _media.Finding | None = None
    duration_s: float | None = None
    hole: bool = False
    again: bool = False


@dataclass(slots=True)
class Job:
    """A file being read: absolute `path` below `root`, `offset` bytes done of the settled `version`."""

    root: bytes
    path: bytes
    version: _tree.Version
    offset: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    packets: _media.PacketCounter | None = None
    duration_s: float | None = None

    def proceed(self, budget: int) -> Outcome | None:
        """Read on for at most about `budget` bytes; None when there is more to read.

        Raises FileChangedError, or OSError when the file cannot be read.
        """
        descriptor = _tree.open_beneath(self.root, self.path.removeprefix(self.root + b"/"))
        try:
            self._require_same(descriptor)
            if self.offset == 0:
                early = self._begin(descriptor)
                if early is not None:
                    return early
            self._read_on(descriptor, budget)
            self._require_same(descriptor)
        finally:
            os.close(descriptor)
        return self._finish() if self.offset >= self.version.size else None

    def reopen(self) -> int:
        """A descriptor of the same file, to be closed by the caller. Raises OSError when it is another by now."""
        descriptor = _tree.open_beneath(self.root, self.path.removeprefix(self.root + b"/"))
        try:
            self._require_same(descriptor)
        except FileChangedError as error:
            os.close(descriptor)
            raise OSError("another file by now") from error
        return descriptor

    def _require_same(self, descriptor: int) -> None:
        if _tree.version_of(os.fstat(descriptor)) != self.version:
            raise FileChangedError

    def _begin(self, descriptor: int) -> Outcome | None:
        if _media.has_hole(descriptor, self.version.size):
            return Outcome(hole=True)
        with os.fdopen(os.dup(descriptor), "rb") as file:
            checked = _media.check(file, self.version.size, suffix_of(self.path))
        if checked.finding is not None:
            return Outcome(finding=checked.finding)
        self.packets = _media.PacketCounter() if checked.stream else None
        self.duration_s = checked.duration_s
        return None

    def _read_on(self, descriptor: int, budget: int) -> None:
        stop = self.offset + budget
        while self.offset < min(stop, self.version.size):
            block = os.pread(descriptor, BLOCK, self.offset)
            if not block:
                raise FileChangedError
            # Courseware must not push the player's pages out of a small memory.
            os.posix_fadvise(descriptor, self.offset, len(block), os.POSIX_FADV_DONTNEED)
            self.digest.update(block)
            if self.packets is not None:
                self.packets.feed(block)
            self.offset += len(block)

    def _finish(self) -> Outcome:
        finding = None if self.packets is None else self.packets.finding()
        return Outcome(self.digest.hexdigest(), finding, self.duration_s)


def suffix_of(path: bytes) -> str:
    """Suffix in lower case without its dot, empty when there is none."""
    name = path.rpartition(b"/")[2]
    return name.rpartition(b".")[2].decode("ascii", "replace").lower() if b"." in name else ""
