"""A watched courseware folder with its sensor."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.probes.courseware import CoursewareSensor, CoursewareSettings
from tests.agent.probes.rig import Rig
from tests.clocks import ManualClock


class Folder:
    """A watched folder, its sensor and a runner; every look is half a minute after the one before."""

    def __init__(self, root: Path, clock: ManualClock, **settings: Any) -> None:
        self.root, self.clock, self.rig = root, clock, Rig()
        self.settings = CoursewareSettings(directory=root, **settings)
        self.restart()

    def restart(self) -> None:
        self.sensor = CoursewareSensor(self.settings, self.rig)

    def look(self, times: int = 1) -> Mapping[str, Any]:
        state: Mapping[str, Any] = {}
        for _ in range(times):
            state = self.rig.look(self.sensor, self.clock.now())
            self.clock.advance(seconds=30)
        return state

    def settle(self) -> Mapping[str, Any]:
        """As many looks as a file needs to be taken in, and one more."""
        return self.look(4)

    def put(self, name: str | bytes, content: bytes) -> bytes:
        path = os.path.join(os.fsencode(self.root), os.fsencode(name))  # noqa: PTH118 names that are no text
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        Path(os.fsdecode(path)).write_bytes(content)
        return path
