"""What the courseware sensor remembers of each file, and how that is written into its memo.

A file's key in the memo is `memo_key(path)`; the value is the JSON of an `Entry`. The key `SCAN` holds the `Mark`.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping
from enum import StrEnum
from urllib.parse import quote_from_bytes, unquote_to_bytes

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.probes._tree import Version
from shared.clock import Instant

SCAN = "scan"
"""Key of the `Mark`. Keys of files begin with a slash, so the two never meet."""


class Status(StrEnum):
    """`PRESENT`: lay there at the first scan, not read yet. `UNREADABLE`: told, and tried again at each look."""

    PRESENT = "present"
    WHOLE = "whole"
    REJECTED = "rejected"
    UNREADABLE = "unreadable"


class Entry(BaseModel):
    """One file version. `sha256` is None unless the status is whole; `size` in bytes."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    size: int
    mtime_ns: int
    inode: int
    status: Status
    sha256: str | None = None

    def is_of(self, version: Version) -> bool:
        return (self.size, self.mtime_ns, self.inode) == (version.size, version.mtime_ns, version.inode)


class Mark(BaseModel):
    """That a first scan has been made, of which folder, and when a file last arrived."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    root: str
    device: int
    inode: int
    received_ms: int | None = None
    received_mono: int | None = None
    received_boot: str = ""

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


def entry_of(version: Version, status: Status, sha256: str | None = None) -> Entry:
    return Entry(size=version.size, mtime_ns=version.mtime_ns, inode=version.inode, status=status, sha256=sha256)


def read_entries(memo: Mapping[str, str]) -> dict[bytes, Entry]:
    """All files remembered, by absolute path. An entry that no longer reads is forgotten: the file is read anew."""
    entries: dict[bytes, Entry] = {}
    for key, value in memo.items():
        if key.startswith("/"):
            try:
                entries[path_of(key)] = Entry.model_validate_json(value)
            except ValidationError:
                continue
    return entries


def read_mark(memo: Mapping[str, str]) -> Mark | None:
    try:
        return Mark.model_validate_json(memo[SCAN])
    except (KeyError, ValidationError):
        return None


def digest_of(entries: Iterable[Entry]) -> str:
    """SHA-256 over the sorted SHA-256 of all whole files: equal inventories have equal digests."""
    hashes = sorted(entry.sha256 for entry in entries if entry.sha256 is not None)
    return hashlib.sha256("".join(hashes).encode()).hexdigest()
