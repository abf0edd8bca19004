"""Walks a folder that anybody may write to, without ever being led out of it or held up by what lies there."""

import os
import stat
import sys
from dataclasses import dataclass, field
from typing import NamedTuple

MAX_DEPTH = 8
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ENCODING, _ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Version(NamedTuple):
    """What tells one content of a file from the next without reading it. `size` in bytes."""

    size: int
    mtime_ns: int
    inode: int


@dataclass(slots=True)
class Tree:
    """What one walk saw. Paths are bytes below the root.

    `blind` are folders that could not be read: nothing is known of what lies below them. `capped` says the walk stopped
    at its entry limit, so that a file not seen is not a file gone. `identity` is device and inode of the root. `mounts`
    are folders on which another file system begins: a disc, a drive, a share; empty bytes for the root itself.
    """

    identity: tuple[int, int]
    files: dict[bytes, Version] = field(default_factory=dict)
    blind: list[bytes] = field(default_factory=list)
    mounts: list[bytes] = field(default_factory=list)
    capped: bool = False
    left: int = 0

    def can_tell(self, path: bytes) -> bool:
        """Whether this walk would have seen the file if it were there."""
        return not self.capped and not any(path.startswith(folder + b"/") for folder in self.blind)


def version_of(status: os.stat_result) -> Version:
    return Version(status.st_size, status.st_mtime_ns, status.st_ino)


def walk(root: bytes, *, max_entries: int) -> Tree:
    """Every regular file below `root` down to `MAX_DEPTH` folders. Symlinks, devices and hidden folders are passed by.

    The root itself may be a symlink: it is the operator's setting. Raises OSError when the root cannot be read.
    """
    top = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        status = os.fstat(top)
        tree = Tree(identity=(status.st_dev, status.st_ino), left=max_entries)
        if os.stat("..", dir_fd=top).st_dev != status.st_dev:
            tree.mounts.append(b"")
        _look(top, b"", 0, tree, status.st_dev)
        return tree
    finally:
        os.close(top)


def _look(folder: int, prefix: bytes, depth: int, tree: Tree, device: int) -> None:
    """One folder on this device and those in it.

    The loop runs for each of 60,000 files, twice a minute: no call too many.
    """
    below: list[bytes] = []
    with os.scandir(folder) as found:
        for entry in found:
            tree.left -= 1
            if tree.left < 0:
                tree.capped = True
                return
            name = entry.name.encode(_ENCODING, _ERRORS)
            if entry.is_file(follow_symlinks=False):
                try:  # noqa: SIM105  # `suppress` would cost as much as the look itself
                    tree.files[prefix + name] = version_of(entry.stat(follow_symlinks=False))
                except OSError:
                    # It went between the listing and the look: the next walk knows.
                    pass
            elif entry.is_dir(follow_symlinks=False) and not name.startswith(b".") and depth < MAX_DEPTH:
                below.append(name)
    for name in below:
        try:
            inner = os.open(name, _FOLDER, dir_fd=folder)
        except OSError:
            tree.blind.append(prefix + name)
        else:
            _descend(inner, prefix + name, depth + 1, tree, device)


def _descend(folder: int, path: bytes, depth: int, tree: Tree, outer: int) -> None:
    """Look into a folder that was opened, and close it. `outer` is the device of the folder it lies in."""
    try:
        device = os.fstat(folder).st_dev
        if device != outer:
            tree.mounts.append(path)
        _look(folder, path + b"/", depth, tree, device)
    except OSError:
        tree.blind.append(path)
    finally:
        os.close(folder)


def open_beneath(root: bytes, path: bytes) -> int:
    """A descriptor of the regular file at `path` below `root`; no part of the path may be a symlink.

    Raises OSError when it is gone, is no regular file or leads elsewhere.
    """
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    *folders, name = path.split(b"/")
    try:
        for part in folders:
            inner = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        return _regular(os.open(name, _FILE, dir_fd=folder))
    finally:
        os.close(folder)


def open_regular(path: bytes) -> int:
    """A descriptor of the regular file at this path, whose last part may be no symlink. Raises OSError otherwise."""
    return _regular(os.open(path, _FILE))


def _regular(descriptor: int) -> int:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("not a regular file")
    return descriptor
