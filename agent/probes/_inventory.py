"""What the courseware sensor remembers of each file, and how that is written into its memo.

A file's key in the memo is `memo_key(path)`; the value is the JSON of an `Entry`. The key `SCAN` holds the `Mark`.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import quote_from_bytes, unquote_to_bytes

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.probes._tree import Version
from shared.clock import Instant
from shared.inventory import digest_of

_NAMED_CORRUPT = 10

SCAN = "scan"
"""Key of the `Mark`. Keys of files begin with a slash, so the two never meet."""


class Status(StrEnum):
    """`PRESENT`: lay there at the first scan, not read yet. `UNREADABLE`: told, and tried again at each look."""

    PRESENT = "present"
    WHOLE = "whole"
    REJECTED = "rejected"
    UNREADABLE = "unreadable"


class Entry(NamedTuple):
    """What is known of one file version. `sha256` is None unless the status is whole."""

    version: Version
    status: Status
    sha256: str | None = None


class _Kept(BaseModel):
    """An entry as the memo holds it; `size` in bytes."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    size: int
    mtime_ns: int
    inode: int
    status: Status
    sha256: str | None = None


class Mark(BaseModel):
    """That a first scan has been made, of which folder, and when a file last arrived.

    `mounts` are the keys of folders on which another file system was seen to begin, for as long as they are known.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    root: str
    device: int
    inode: int
    mounts: list[str] = []
    received_ms: int | None = None
    received_mono: int | None = None
    received_boot: str = ""

    def list_away(self, mounts: Iterable[str]) -> list[str]:
        """Mounts that were there before and are not among these."""
        return sorted(set(self.mounts) - set(mounts))

    def received(self, at: Instant) -> "Mark":
        return self.model_copy(
            update={"received_ms": at.wall_ms, "received_mono": at.mono_ms, "received_boot": at.boot},
        )


def memo_key(path: bytes | str) -> str:
    """Key of the file at this absolute path: its bytes percent-encoded as in a URL, dots resolved, links not.

    Pure ASCII and reversible, so that names in any encoding (a str may carry surrogate escapes) fit SQLite and JSON.
    """
    return quote_from_bytes(os.path.normpath(os.fsencode(path)), safe="/")


def path_of(key: str) -> bytes:
    """The path a `memo_key` was made from."""
    return unquote_to_bytes(key)


def dump_entry(entry: Entry) -> str:
    size, mtime_ns, inode = entry.version
    kept = _Kept(size=size, mtime_ns=mtime_ns, inode=inode, status=entry.status, sha256=entry.sha256)
    return kept.model_dump_json()


def read_entries(memo: Mapping[str, str]) -> dict[bytes, Entry]:
    """All files remembered, by absolute path. An entry that no longer reads is forgotten: the file is read anew."""
    entries: dict[bytes, Entry] = {}
    for key, value in memo.items():
        if key.startswith("/"):
            try:
                kept = _Kept.model_validate_json(value)
            except ValidationError:
                continue
            version = Version(kept.size, kept.mtime_ns, kept.inode)
            entries[path_of(key)] = Entry(version, kept.status, kept.sha256)
    return entries


def read_mark(memo: Mapping[str, str]) -> Mark | None:
    try:
        return Mark.model_validate_json(memo[SCAN])
    except (KeyError, ValidationError):
        return None


@dataclass(frozen=True, slots=True)
class Sums:
    """What the heartbeat tells of an inventory: whole files, their `size` in bytes, some broken ones, the digest."""

    files: int
    size: int
    corrupt: list[bytes]
    digest: str


@dataclass(slots=True)
class Known:
    """An inventory as `memory` (the name of the spool's memory) held it. What is asked of it is worked out once."""

    memory: str
    mark: Mark | None
    entries: dict[bytes, Entry]
    _sums: Sums | None = None

    @property
    def sums(self) -> Sums:
        self._sums = self._sums or _sum_up(self.entries)
        return self._sums


def _sum_up(entries: Mapping[bytes, Entry]) -> Sums:
    whole = [entry for entry in entries.values() if entry.sha256 is not None]
    broken = {Status.REJECTED, Status.UNREADABLE}
    corrupt = sorted(path.rpartition(b"/")[2] for path, entry in entries.items() if entry.status in broken)
    digest = digest_of(entry.sha256 for entry in whole if entry.sha256 is not None)
    return Sums(len(whole), sum(entry.version.size for entry in whole), corrupt[:_NAMED_CORRUPT], digest)
