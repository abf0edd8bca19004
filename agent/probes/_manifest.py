"""The sums a sender puts beside the courseware: `SHA256SUMS` or `*.sha256`, lines as `sha256sum` writes them.

They alone find damage in the middle of a picture, of which no container tells. A line that does not read says nothing.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.probes import _tree

_NAMES = (b"SHA256SUMS", b"sha256sums", b"SHA256SUMS.txt", b".sha256", b".SHA256")
_LARGEST = 8 * 1024 * 1024
_MAX_MANIFESTS = 200
_LINE = re.compile(rb"^([0-9a-fA-F]{64}) [ *](?:\./)?([^/\r\n][^\r\n]*?)\r?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Page:
    """One manifest as it was read."""

    version: _tree.Version
    sums: Mapping[bytes, str]


@dataclass(slots=True)
class Manifests:
    """`sums` is the SHA-256 the sender promises, in lower-case hex, by absolute path."""

    sums: dict[bytes, str] = field(default_factory=dict)
    _pages: dict[bytes, _Page] = field(default_factory=dict)

    def follow(self, root: bytes, files: Mapping[bytes, _tree.Version]) -> set[bytes]:
        """Read what is new among `files` (by path below `root`). Returns the files of which another sum is told now."""
        found = sorted(path for path in files if path.endswith(_NAMES))[:_MAX_MANIFESTS]
        pages = {path: self._page(root, path, files[path]) for path in found}
        if pages == self._pages:
            return set()
        before, self._pages, self.sums = self.sums, pages, {}
        for page in pages.values():
            self.sums |= page.sums
        return {path for path in before.keys() | self.sums.keys() if before.get(path) != self.sums.get(path)}

    def _page(self, root: bytes, path: bytes, version: _tree.Version) -> _Page:
        known = self._pages.get(path)
        return known if known is not None and known.version == version else _Page(version, _read(root, path))


def _read(root: bytes, path: bytes) -> dict[bytes, str]:
    """What one manifest promises; nothing where it cannot be read, which the next version of it may mend."""
    try:
        descriptor = _tree.open_beneath(root, path)
    except OSError:
        return {}
    with os.fdopen(descriptor, "rb") as file:
        try:
            text = file.read(_LARGEST)
        except OSError:
            return {}
    folder = (b"%b/%b" % (root, path)).rpartition(b"/")[0]
    return {
        os.path.normpath(b"%b/%b" % (folder, name)): each.decode("ascii").lower() for each, name in _LINE.findall(text)
    }
