"""Makes a sensor of any program that drops a small JSON file into a directory.

`boiler.json` holding `{"valid_s": 900, "state": {"water_c": 61.5}}` becomes the sensor `boiler`, for `valid_s` seconds
from its writing. Write it under another name and rename it. What is too big, too deep or no JSON is named with the
reason, and its neighbours are read all the same. Links are never followed.
"""

import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.probes import _smalljson
from agent.probes.base import Probe, ProbeSettings, Reading, Surroundings
from shared.clock import Instant
from shared.wire.states import TextfileState

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}\.json", re.ASCII)
_MAX_ENTRIES = 200
_MAX_FILES = 16
_MAX_ERRORS = 10
_MAX_BYTES = 4096
_MAX_BYTES_IN_ALL = 16_384


class TextfileSettings(ProbeSettings):
    """`directory` None: nobody drops anything here. Only whom this PC trusts should be able to write into it."""

    directory: Path | None = Path("/var/spool/yuanjiao/textfile")


class Dropped(BaseModel):
    """What a file holds. `state` belongs to its program; `title` is what people call the thing."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    valid_s: int = Field(ge=1, le=7 * 86_400, strict=True)
    state: dict[str, Any]
    title: str = Field(default="", max_length=64)


@dataclass(frozen=True, slots=True)
class _Version:
    """One writing of a file, and when that was by the monotonic clock, which no clock correction moves."""

    mark: tuple[int, int, int]
    written_mono_ms: int


@dataclass(slots=True)
class TextfileSensor:
    settings: TextfileSettings
    _versions: dict[str, _Version] = field(default_factory=dict)
    _looked_mono_ms: int | None = None

    def read(self, now: Instant) -> Reading:
        """A directory that is missing is no data; one that cannot be read raises OSError."""
        directory = self.settings.directory
        if directory is None:
            return Reading(state=None)
        try:
            folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return Reading(state=None)
        try:
            state = self._read_all(folder, now)
        finally:
            os.close(folder)
        self._looked_mono_ms = now.mono_ms
        return Reading(state=state.model_dump())

    def _read_all(self, folder: int, now: Instant) -> TextfileState:
        names, errors, capped = _list_names(folder)
        sensors: dict[str, dict[str, Any]] = {}
        stale: list[str] = []
        room = _MAX_BYTES_IN_ALL
        for name in names:
            try:
                content, found = _read_file(folder, name, min(room, _MAX_BYTES))
                dropped = _parse(content)
            except _smalljson.NotTakenError as refused:
                errors[name] = str(refused)
            except FileNotFoundError:
                continue
            except OSError as error:
                errors[name] = error.strerror or "unreadable"
            else:
                age_s = (now.mono_ms - self._date(name, found, now)) // 1000
                if age_s > dropped.valid_s:
                    stale.append(name.removesuffix(".json"))
                    continue
                room -= len(content)
                sensors[name.removesuffix(".json")] = {"age_s": age_s, "title": dropped.title, "state": dropped.state}
        self._versions = {name: version for name, version in self._versions.items() if name in names}
        told = dict(list(errors.items())[:_MAX_ERRORS])
        return TextfileState(sensors=sensors, stale=stale, errors=told, capped=capped or len(errors) > _MAX_ERRORS)

    def _date(self, name: str, found: os.stat_result, now: Instant) -> int:
        """Monotonic ms at which this was written. What changed between two looks is no older than the look before."""
        mark = (found.st_ino, found.st_mtime_ns, found.st_size)
        known = self._versions.get(name)
        if known is not None and known.mark == mark:
            return known.written_mono_ms
        age_ms = max(0, now.wall_ms - found.st_mtime_ns // 1_000_000)
        if self._looked_mono_ms is not None:
            age_ms = min(age_ms, now.mono_ms - self._looked_mono_ms)
        self._versions[name] = _Version(mark, now.mono_ms - age_ms)
        return now.mono_ms - age_ms


def _list_names(folder: int) -> tuple[list[str], dict[str, str], bool]:
    """Names to read, refused names with the reason, and whether there were more than anybody looks at."""
    names: list[str] = []
    errors: dict[str, str] = {}
    with os.scandir(folder) as entries:
        for number, entry in enumerate(entries):
            if number >= _MAX_ENTRIES:
                return sorted(names)[:_MAX_FILES], errors, True
            if entry.name.startswith(".") or not entry.name.endswith(".json"):
                continue
            if _NAME.fullmatch(entry.name):
                names.append(entry.name)
            else:
                shown = entry.name.encode("utf-8", "replace").decode("utf-8")[:40]
                errors[shown] = "a name has at most 32 of a-z, 0-9, - and _"
    return sorted(names)[:_MAX_FILES], errors, len(names) > _MAX_FILES


def _read_file(folder: int, name: str, limit: int) -> tuple[bytes, os.stat_result]:
    """At most `limit` bytes of an ordinary file. A pipe or a link waits for nobody: it is not taken."""
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY, dir_fd=folder)
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            raise _smalljson.NotTakenError("not an ordinary file")
        content = os.read(file, limit + 1)
    finally:
        with suppress(OSError):
            os.close(file)
    if len(content) > limit:
        raise _smalljson.NotTakenError(f"more than {_MAX_BYTES} bytes, or {_MAX_BYTES_IN_ALL} with its neighbours")
    return content, found


def _parse(content: bytes) -> Dropped:
    try:
        return Dropped.model_validate(_smalljson.parse(content))
    except ValidationError as error:
        first = error.errors()[0]
        raise _smalljson.NotTakenError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:120]) from error


def _make(settings: TextfileSettings, surroundings: Surroundings) -> TextfileSensor:  # noqa: ARG001  # the contract
    return TextfileSensor(settings)


PROBE = Probe(
    settings=TextfileSettings,
    every_s=60,
    limit_s=10,
    make=_make,
    sample={
        "sensors": {"boiler": {"age_s": 12, "title": "锅炉房", "state": {"water_c": 61.5}}},
        "stale": ["ups"],
        "errors": {"Rain.json": "a name has at most 32 of a-z, 0-9, - and _"},
        "capped": False,
    },
)
