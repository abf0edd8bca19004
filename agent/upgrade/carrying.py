"""A release brought on a stick: found, proven, and laid where the agent picks it up when nothing plays.

The command is run by root, the folder belongs to the agent's account. So the file is read as root and written as that
account: whatever the account may have laid there, root writes nowhere else.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from agent.durable import make_folder
from agent.errors import UpgradeError
from agent.upgrade.fetching import BY_HAND, stage
from agent.upgrade.installing import Running, peek, read_release, require_fit
from agent.upgrade.pointer import FOLDER, Place
from shared.release import SUFFIX, BadRelease, ReleaseKeys, read_keys, read_version


def carry_in(source: Path, state_dir: Path, keys_file: Path, version: str) -> str:
    """Take the newest fitting release of a file or folder in; returns its version.

    `version` is that of the package's own agent. Raises UpgradeError with a sentence for the person at the PC.
    """
    keys = _require_keys(keys_file)
    place = Place(state_dir / FOLDER)
    pointer = place.read()
    running = Running(place.describe(pointer.slot)[0] or version, pointer.slot)
    chosen = _choose(source, keys, running, pointer.highest)
    try:
        header, payload = read_release(chosen)
        require_fit(header, keys, running, pointer.highest)
    except BadRelease as error:
        raise UpgradeError(str(error)) from error
    except OSError as error:
        raise UpgradeError(f"读不到升级包 {chosen}：{error.strerror}") from error
    try:
        _become_owner(state_dir)
        inside = Place(Path(FOLDER))
        make_folder(inside.waiting)
        stage(inside, header, payload, BY_HAND)
    except OSError as error:
        raise UpgradeError(f"写不进升级包：{error.strerror}。请清理硬盘后再试。") from error
    return header.manifest.version


def _require_keys(file: Path) -> ReleaseKeys:
    try:
        keys = read_keys(file)
    except BadRelease as error:
        raise UpgradeError(str(error)) from error
    if keys is None:
        raise UpgradeError("本机没有发行公钥，不能核对升级包。请改用安装包（.deb）升级。")
    return keys


def _choose(source: Path, keys: ReleaseKeys, running: Running, highest: str) -> Path:
    """The newest release that fits. Raises UpgradeError with the reason of the newest that does not."""
    refused = UpgradeError(f"{source} 里没有升级包（{SUFFIX} 文件）。请核对U盘。")
    for file in sorted(_list_files(source), key=_version_of, reverse=True):
        try:
            require_fit(peek(file), keys, running, highest)
        except (BadRelease, OSError) as error:
            refused = UpgradeError(f"{file.name}：{error}")
            continue
        return file
    raise refused


def _list_files(source: Path) -> Iterator[Path]:
    if source.is_dir():
        yield from (each for each in sorted(source.iterdir()) if each.suffix == SUFFIX and each.is_file())
    elif source.exists():
        yield source


def _version_of(file: Path) -> tuple[int, ...]:
    try:
        return read_version(peek(file).manifest.version)
    except (BadRelease, OSError):
        return ()


def _become_owner(state_dir: Path) -> None:
    """For the rest of this process, stand in the state folder and be the account it belongs to.

    The folder is entered first: systemd keeps it where only root may pass (`/var/lib/private`).
    """
    os.chdir(state_dir)
    if os.geteuid() != 0:
        return
    owner = Path().stat()
    os.setgroups([])
    os.setresgid(owner.st_gid, owner.st_gid, owner.st_gid)
    os.setresuid(owner.st_uid, owner.st_uid, owner.st_uid)
    os.umask(0o077)
