"""Reads the journals that `agent/players/station_journal.lua` writes. Anybody may write there: nothing is believed.

Lines cut by a power failure, filled with NUL or made up are passed by; the next good line counts again.
"""

import json
import os
import re
from pathlib import Path
from typing import Annotated
from urllib.parse import quote_from_bytes, unquote_to_bytes

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from agent.probes import _names, _tree
from shared.clock import Instant

PIECE = 256 * 1024
"""Bytes read at a look; a line longer than this is no line."""

_FILE = re.compile(r"play-([0-9A-Za-z-]{1,60})\.jsonl")
_TITLE_SIGNS = 300

Seconds = Annotated[float, Field(ge=0, le=10**7, allow_inf_nan=False)]
Whole = Annotated[int, Field(ge=0, le=2**53)]


class Line(BaseModel):
    """One thing a player did; the fields are those of the Lua script. `path` is percent-encoded, for any bytes."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    ev: str
    n: Annotated[int, Field(ge=0, le=10**6)]
    wall: Annotated[int, Field(ge=-(2**53), le=2**53)]
    mono: Whole
    boot: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{1,32}$")]
    pid: Annotated[int, Field(ge=0, le=2**22)] = 0
    pos: Seconds | None = None
    was: Seconds | None = None
    dur: Seconds | None = None
    speed: Annotated[float, Field(ge=0.01, le=100)] = 1.0
    paused: bool = False
    muted: bool = False
    vol: Annotated[float, Field(allow_inf_nan=False)] | None = None
    audio: bool = True
    path: str = ""
    title: str = ""
    reason: str = ""

    @property
    def at(self) -> Instant:
        return Instant(self.wall, self.mono, self.boot)


def parse(raw: bytes) -> Line | None:
    """One line of a journal, None when it is none."""
    try:
        value = json.loads(raw.strip(b"\0 \t\r\n").decode("utf-8", "surrogateescape"))
        if not isinstance(value, dict):
            return None
        path, title = str(value.get("path") or ""), str(value.get("title") or "")
        value["path"] = encode_path(path.encode("utf-8", "surrogateescape"))
        value["title"] = _names.text_of(title.encode("utf-8", "surrogateescape"))[:_TITLE_SIGNS]
        return Line.model_validate({key: held for key, held in value.items() if held is not None})
    except (ValueError, RecursionError, ValidationError):
        return None


def encode_path(path: bytes) -> str:
    return quote_from_bytes(path, safe="/")


def decode_path(path: str) -> bytes:
    return unquote_to_bytes(path)


def sid_of(name: str) -> str | None:
    """The player's name for ever, from the name of its journal; None for a file that is no journal."""
    matched = _FILE.fullmatch(name)
    return matched[1] if matched else None


def list_journals(folder: Path) -> list[str] | None:
    """Names of the journals, oldest name first; None when the folder cannot be read."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    except OSError:
        return None
    return sorted(name for name in names if sid_of(name))


def read_piece(path: Path, offset: int) -> tuple[list[bytes], int, int]:
    """Whole lines from `offset` on, the offset after them, and the size of the file.

    A last line still without its line feed stays for the next look. Raises OSError.
    """
    descriptor = _tree.open_regular(os.fsencode(path))
    try:
        size = os.fstat(descriptor).st_size
        piece = os.pread(descriptor, PIECE, offset)
    finally:
        os.close(descriptor)
    end = piece.rfind(b"\n") + 1
    if not end and len(piece) == PIECE:
        end = PIECE
    return piece[:end].splitlines(), offset + end, size
