"""Backups: made beside a running centre, checked, rotated; and put back only when they are sound.

A backup is a copy of the database, the centre's keys when it has any, and a manifest that names both by their digest.
The manifest is written last, so a backup that was cut short is none. Keys and personal data are in it: a backup is
readable for its owner alone and belongs on another disk.
"""

import hashlib
import os
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from collector.db.engine import parse_url
from collector.db.sqlite_file import sqlite_path
from collector.errors import SetupError
from collector.storage import postgres_copy, sqlite_copy
from collector.storage.postgres_copy import Place
from collector.storage.sqlite_copy import sync

PREFIX = "yuanjiao-"
KEYS = ".keys.tar"
_STAMP = "%Y%m%dT%H%M%SZ"


class Manifest(BaseModel):
    """What a backup consists of. `sha256` by file name; `revision` is that of the schema."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    made: datetime
    kind: str
    revision: str
    sha256: dict[str, str]

    @property
    def stem(self) -> str:
        return f"{PREFIX}{self.made.strftime(_STAMP)}"

    @property
    def file(self) -> str:
        return f"{self.stem}{self.kind}"


def make_backup(url: str, folder: Path, *, keys: Path, revision: str, keep: int, now_ms: int) -> Manifest:
    """Back the database and the folder `keys` up into `folder`, then let go of all but the newest `keep` backups.

    Raises SetupError; backups that were there before are then still there.
    """
    made = datetime.fromtimestamp(now_ms // 1000, UTC)
    kind = postgres_copy.SUFFIX if sqlite_path(url) is None else sqlite_copy.SUFFIX
    stem = f"{PREFIX}{made.strftime(_STAMP)}"
    if (folder / f"{stem}.json").exists():
        raise SetupError(f"{folder} 中已有同一秒的备份 {stem}。请稍后再运行。")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        digests = {f"{stem}{kind}": _place(folder / f"{stem}{kind}", lambda part: _copy_database(url, part))}
        if keys.is_dir():
            digests[f"{stem}{KEYS}"] = _place(folder / f"{stem}{KEYS}", lambda part: _pack(keys, part))
        manifest = Manifest(made=made, kind=kind, revision=revision, sha256=digests)
        _place(folder / f"{stem}.json", lambda part: _write(part, manifest.model_dump_json(indent=2).encode()))
    except OSError as error:
        _remove(folder, stem)
        raise SetupError(f"备份没有完成：{error}。请检查目录 {folder} 的权限和剩余空间，然后再备份一次。") from error
    except SetupError:
        _remove(folder, stem)
        raise
    _rotate(folder, keep)
    return manifest


def list_backups(folder: Path) -> list[Path]:
    """Manifests of the complete backups, oldest first."""
    return sorted(folder.glob(f"{PREFIX}*.json"))


def require_sound(path: Path) -> Manifest:
    """The manifest of a backup, given by any of its files. Raises SetupError unless every byte is as it was made."""
    stem = path.name.split(".", 1)[0]
    try:
        manifest = Manifest.model_validate_json((path.parent / f"{stem}.json").read_bytes())
    except (OSError, ValidationError) as error:
        message = f"{path} 旁边没有完整的说明文件 {stem}.json。它可能没有备份完；请换另一份备份。"
        raise SetupError(message) from error
    for name, digest in manifest.sha256.items():
        file = path.parent / name
        if not file.is_file() or _digest(file) != digest:
            raise SetupError(f"备份文件 {name} 缺失或已损坏，不能用来恢复。请换另一份备份。")
    return manifest


def put_back(url: str, path: Path, manifest: Manifest, *, keys: Path, now_ms: int) -> Path | None:
    """Restore the database, and the keys where there are none. Returns where the old SQLite file has gone, if any.

    Keys that are there stay: stations may trust a newer authority than the backup knows.
    """
    source = path.parent / manifest.file
    target = sqlite_path(url)
    if (manifest.kind == sqlite_copy.SUFFIX) != (target is not None):
        raise SetupError(f"{manifest.file} 与设置 database 不是同一种数据库（SQLite 或 PostgreSQL）。请核对设置。")
    packed = path.parent / f"{manifest.stem}{KEYS}"
    if packed.name in manifest.sha256 and not keys.exists():
        _unpack(packed, keys)
    if target is None:
        postgres_copy.copy_in(source, _place_of(url))
        return None
    aside = f"before-restore-{datetime.fromtimestamp(now_ms // 1000, UTC).strftime(_STAMP)}"
    return sqlite_copy.copy_in(source, target, aside=aside)


def _copy_database(url: str, target: Path) -> None:
    path = sqlite_path(url)
    if path is not None:
        sqlite_copy.copy_out(path, target)
    else:
        postgres_copy.copy_out(_place_of(url), target)


def _place_of(url: str) -> Place:
    parsed = parse_url(url)
    place = (parsed.host or "localhost", parsed.port or 5432, parsed.username or "", parsed.password or "")
    return Place(*place, parsed.database or "")


def _place(path: Path, write: Callable[[Path], None]) -> str:
    """Let `write` fill a new file beside the place, then give it its name. Returns its digest."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    mask = os.umask(0o077)
    try:
        write(part)
        sync(part)
        digest = _digest(part)
        part.rename(path)
        sync(path.parent)
    finally:
        os.umask(mask)
    return digest


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _pack(folder: Path, target: Path) -> None:
    with tarfile.open(target, "w") as archive:
        archive.add(folder, arcname=".")


def _unpack(packed: Path, folder: Path) -> None:
    fresh = folder.with_name(folder.name + ".restoring")
    fresh.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tarfile.open(packed) as archive:
        archive.extractall(fresh, filter="data")
    fresh.rename(folder)


def _rotate(folder: Path, keep: int) -> None:
    """The manifest goes first: what is left of a removal that was cut short is no backup any more."""
    for manifest in list_backups(folder)[:-keep]:
        manifest.unlink()
        _remove(folder, manifest.stem)


def _remove(folder: Path, stem: str) -> None:
    for each in (*folder.glob(f"{stem}.*"), *folder.glob(f".{stem}.*.part")):
        each.unlink()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
