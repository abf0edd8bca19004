"""Proves a release and lays it beside the running agent: into the free slot, then the pointer, each step durable.

Cut off anywhere before the last step, the old agent runs as before and the next attempt begins anew; after it, the new
one is complete. Nothing outside the upgrade folder is touched.
"""

import io
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path, PurePosixPath

from agent.durable import make_folder, sync_file, sync_folder
from agent.upgrade.pointer import PACKAGE, SLOTS, Place
from shared.release import (
    MAX_HEADER_BYTES,
    MAX_PAYLOAD_BYTES,
    BadRelease,
    Header,
    Manifest,
    ReleaseKeys,
    read_header,
    read_version,
    require_signed,
    split_release,
)

_MAX_FILES = 5000
_MAX_UNPACKED_BYTES = 128 * 1024 * 1024
_COMPILE_S = 120


@dataclass(frozen=True, slots=True)
class Running:
    """The agent that is to be replaced: its version, and the slot it runs from."""

    version: str
    slot: str


def require_fit(
    header: Header, keys: ReleaseKeys, running: Running, highest: str, *, installed: Callable[[str], str] | None = None
) -> Manifest:
    """The manifest of a release that this station may take. Raises BadRelease with a sentence that says why not.

    `installed` gives the version of another maker's package, empty for one that is missing.
    """
    manifest = require_signed(header, keys)
    newest = max(running.version, highest, key=read_version)
    if read_version(manifest.version) <= read_version(newest):
        raise BadRelease(f"升级包 {manifest.version} 不比本机的 {newest} 新，不需要升级（不允许退回旧版本）。")
    if read_version(running.version) < read_version(manifest.minimum_from):
        raise BadRelease(
            f"升级包 {manifest.version} 要先升级到 {manifest.minimum_from} 才能安装，本机是 {running.version}。"
        )
    find = installed or _find_installed
    missing = [
        name
        for name, least in manifest.needs.items()
        if not find(name) or read_version(find(name)) < read_version(least)
    ]
    if missing:
        raise BadRelease(f"升级包 {manifest.version} 还需要 {'、'.join(missing)}。请改用安装包（.deb）升级。")
    return manifest


def read_release(file: Path) -> tuple[Header, bytes]:
    """A whole release. Raises BadRelease for one that is not, OSError where it cannot be read."""
    with file.open("rb") as content:
        return split_release(content.read(MAX_HEADER_BYTES + MAX_PAYLOAD_BYTES + 1))


def peek(file: Path) -> Header:
    """The first line of a release, of which nothing is proven. Raises BadRelease, OSError."""
    with file.open("rb") as content:
        return read_header(content.readline(MAX_HEADER_BYTES + 1))


def install(file: Path, place: Place, keys: ReleaseKeys, running: Running, *, offer: int = 0) -> Manifest:
    """Make a release the agent of the next start, on trial. Raises BadRelease, OSError when the disk refuses."""
    pointer = place.read()
    header, payload = read_release(file)
    manifest = require_fit(header, keys, running, pointer.highest)
    slot = next(each for each in SLOTS if each != running.slot)
    if slot in {pointer.slot, pointer.before}:
        # The slot is about to go: nothing may point there any more.
        place.write(replace(pointer, slot=running.slot, before=PACKAGE, trial=False))
    shutil.rmtree(place.slot(slot), ignore_errors=True)
    fresh = place.folder / f"{slot}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        _lay_out(fresh, header, payload)
        fresh.replace(place.slot(slot))
        sync_folder(place.folder)
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    before = replace(place.read(), boot="", since_ms=0, starts=0, trials=0)
    place.write(replace(before, slot=slot, before=running.slot, trial=True, offer=offer))
    return manifest


def _lay_out(folder: Path, header: Header, payload: bytes) -> None:
    """Unpack into a new folder, compile, and make every file of it lasting."""
    code = folder / "code"
    make_folder(code)
    (folder / "release").write_bytes(header.dump())
    _unpack(payload, code)
    # Compiled here once, since it is not at run time; by another process, whose memory goes with it.
    compiling = [sys.executable, "-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(code)]
    subprocess.run(compiling, check=False, timeout=_COMPILE_S, capture_output=True)
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            sync_file(Path(parent) / name)
        sync_folder(Path(parent))


def _unpack(payload: bytes, code: Path) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            entries = [each for each in archive.infolist() if not each.is_dir()]
            if len(entries) > _MAX_FILES or sum(each.file_size for each in entries) > _MAX_UNPACKED_BYTES:
                raise BadRelease("升级包展开后太大。请联系区中心。")
            for entry in entries:
                target = code / _inside(entry.filename)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(entry))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise BadRelease from error
    if not (code / "__main__.py").is_file():
        raise BadRelease


def _inside(name: str) -> PurePosixPath:
    """A path below the folder. Raises BadRelease for one that leads out."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        raise BadRelease
    return path


def _find_installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
