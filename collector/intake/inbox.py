"""Lets a command hand bundles to the running centre, for one process alone may write a SQLite database.

The command lays a copy into a folder beside the database that only the centre's own user can enter; the centre takes
it in and lays its word beside it. A bundle taken in twice adds nothing, so neither side need fear to repeat itself.
"""

import time
import uuid
from pathlib import Path

from pydantic import BaseModel, ValidationError

from collector.centre import Centre
from collector.db.engine import Database
from collector.db.sqlite_file import sqlite_path
from collector.errors import BadInputError
from collector.files import replace_file
from collector.intake.bundles import import_bundle
from collector.seal import Seal
from shared.bundle import SUFFIX
from shared.clock import wall_ms

_WORD = ".word"
_FORGOTTEN_S = 86_400


class Word(BaseModel):
    """What the centre says of one bundle: whether it was taken in, a sentence for people, the receipt to carry back."""

    good: bool
    said: str
    receipt: str = ""


def inbox_of(url: str) -> Path | None:
    """The folder beside a SQLite database; None on PostgreSQL, where any command may write."""
    path = sqlite_path(url)
    return None if path is None else path.with_name(f"{path.name}.bundles")


async def take_in(database: Database, path: Path, seal: Seal | None, *, now_ms: int) -> Word:
    """Store one bundle and write its receipt, with the centre's signature where it has a key."""
    try:
        made = await import_bundle(database, path, now_ms=now_ms)
    except BadInputError as error:
        return Word(good=False, said=str(error))
    receipt = made.receipt if seal is None else seal.sign_receipt(made.receipt)
    said = f"{made.title}：新收 {made.new} 条，已有 {made.known} 条。"
    return Word(good=True, said=said, receipt=receipt.model_dump_json())


async def attend(centre: Centre) -> None:
    """Take in what commands have laid down since the last look."""
    folder = inbox_of(centre.settings.database)
    if folder is None or not folder.is_dir():
        return
    _forget_old(folder)
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        word = await take_in(centre.database, path, centre.seal, now_ms=centre.now_ms)
        replace_file(path.with_suffix(_WORD), word.model_dump_json().encode())
        path.unlink(missing_ok=True)


def hand_in(url: str, path: Path, *, wait_s: float) -> Word | None:
    """Give a bundle to the running centre and wait for its word; None when it says nothing for so long."""
    folder = inbox_of(url)
    if folder is None:
        return None
    folder.mkdir(mode=0o700, exist_ok=True)
    laid = folder / f"{uuid.uuid4().hex}{SUFFIX}"
    answer = laid.with_suffix(_WORD)
    try:
        replace_file(laid, path.read_bytes())
    except OSError as error:
        return Word(good=False, said=f"读不到或放不下这个文件：{error.strerror}")
    limit = time.monotonic() + wait_s
    try:
        while time.monotonic() < limit:
            word = _read(answer)
            if word is not None:
                return word
            time.sleep(0.1)
    finally:
        laid.unlink(missing_ok=True)
        answer.unlink(missing_ok=True)
    return None


def _read(answer: Path) -> Word | None:
    try:
        return Word.model_validate_json(answer.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _forget_old(folder: Path) -> None:
    """Remove what a command that was killed never fetched."""
    for path in folder.iterdir():
        if wall_ms() / 1000 - path.stat().st_mtime > _FORGOTTEN_S:
            path.unlink(missing_ok=True)
