"""Signs of life outside the spool: what was the last moment before a power cut, and has the disk gone back in time?

Two small files, written over and over, never trusted further than their numbers. The pulse lies beside the spool and
is younger than its memo. The witness lies with the courseware, if that is another disk: a restore card that resets the
system disk does not reset the witness, and so it knows more turns than the memo remembers.
"""

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

WITNESS_NAME = ".yuanjiao-witness"

_MAX_BYTES = 512
_MAX_TURNS = 2**53


@dataclass(frozen=True, slots=True)
class Sign:
    """`owner` names the memo it belongs to: a disk may come from another station. `turns` only ever grow."""

    owner: str
    turns: int
    boot: str
    wall_ms: int


def read_sign(path: Path | None) -> Sign | None:
    """None when there is none, or none that can be read."""
    if path is None:
        return None
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            told = json.loads(os.read(file, _MAX_BYTES))
        finally:
            os.close(file)
        sign = Sign(str(told["owner"]), int(told["turns"]), str(told["boot"]), int(told["wall_ms"]))
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
    return sign if 0 <= sign.turns <= _MAX_TURNS and abs(sign.wall_ms) <= _MAX_TURNS else None


def write_sign(path: Path, sign: Sign) -> None:
    """Put the sign in place of the one before, whole or not at all. A disk that refuses it is no error."""
    fresh = path.with_name(f"{path.name}.new")
    with suppress(OSError):
        fresh.write_text(json.dumps(asdict(sign)), "utf-8")
        fresh.replace(path)


def place_witness(directory: Path | None, beside: Path | None) -> Path | None:
    """Where the witness lies: with the courseware, unless that shares its disk with the spool (`beside`)."""
    try:
        if directory is None or beside is None or directory.stat().st_dev == beside.stat().st_dev:
            return None
    except OSError:
        return None
    return directory / WITNESS_NAME
