"""Which agent runs: the package's own or the one in a slot, and how the newest of them is doing. One small file.

    upgrade/pointer.json    replaced in one step; without it the package's own agent runs
    upgrade/a/  upgrade/b/  a slot: `release` (first line of the release it came from) and `code/`
    upgrade/waiting/        whole releases that wait to be installed, and the one that is being fetched

The file's form is law: launchers of older packages read what newer agents write.
"""

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

PACKAGE = ""
"""In place of a slot: the agent of the installed package."""
SLOTS = ("a", "b")
FOLDER = "upgrade"


@dataclass(frozen=True, slots=True)
class Pointer:
    """`slot` runs, `before` is what to go back to. `highest` is the newest version that has ever proven itself.

    `starts` in the boot `boot` since it last proved itself, the first at `since_ms` (monotonic); `trials` are the
    starts of a trial in all boots, `offer` the number under which the centre offered it. `failed` is the version that
    was taken back last, `failed_sha256` its payload's, `failed_offer` its offer's, `why` the reason, `told` whether
    that is recorded.
    """

    slot: str = PACKAGE
    before: str = PACKAGE
    trial: bool = False
    highest: str = ""
    boot: str = ""
    since_ms: int = 0
    starts: int = 0
    trials: int = 0
    offer: int = 0
    failed: str = ""
    failed_sha256: str = ""
    failed_offer: int = 0
    why: str = ""
    told: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """The upgrade folder of a station."""

    folder: Path

    @property
    def waiting(self) -> Path:
        return self.folder / "waiting"

    @property
    def file(self) -> Path:
        return self.folder / "pointer.json"

    def slot(self, name: str) -> Path:
        return self.folder / name

    def code(self, name: str) -> Path:
        return self.folder / name / "code"

    def read(self) -> Pointer:
        """The pointer; a missing or damaged one points at the package."""
        try:
            return _understand(json.loads(self.file.read_bytes()))
        except (OSError, ValueError, TypeError):
            return Pointer()

    def write(self, pointer: Pointer) -> None:
        """Replace the pointer in one step that survives a power cut. Raises OSError."""
        beside = self.file.with_name(self.file.name + ".new")
        descriptor = os.open(beside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(pointer), file, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.file)
        held = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(held)
        finally:
            os.close(held)

    def describe(self, name: str) -> tuple[str, str]:
        """Version and payload's SHA-256 of what lies in a slot, both empty when nothing whole lies there."""
        if name not in SLOTS or not (self.code(name) / "__main__.py").is_file():
            return "", ""
        try:
            manifest = json.loads(json.loads((self.slot(name) / "release").read_bytes())["release"])
            return str(manifest["version"]), str(manifest["sha256"])
        except (OSError, ValueError, TypeError, KeyError):
            return "", ""


def _understand(read: Any) -> Pointer:
    """Fields we know with values of their type. Raises ValueError for anything else."""
    if not isinstance(read, dict):
        raise ValueError("the pointer is no object")  # noqa: TRY004 - as for any other damage
    usual = asdict(Pointer())
    values = {each.name: read.get(each.name, usual[each.name]) for each in fields(Pointer)}
    if any(type(value) is not type(usual[name]) for name, value in values.items()):
        raise ValueError("a field of the pointer is of another type")
    pointer = Pointer(**values)
    if not {pointer.slot, pointer.before} <= {PACKAGE, *SLOTS}:
        raise ValueError("the pointer names a slot that there is not")
    return pointer
