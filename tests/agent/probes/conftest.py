"""A watched folder, and a station with a player, for the sensors of courseware and playback."""

from pathlib import Path

import pytest

from tests.agent.probes.folder import Folder
from tests.agent.probes.station import Player, Station
from tests.clocks import ManualClock


@pytest.fixture
def folder(tmp_path: Path, clock: ManualClock) -> Folder:
    """An empty folder that has been scanned once: what comes now is received."""
    root = tmp_path / "courseware"
    root.mkdir()
    made = Folder(root, clock)
    made.look()
    return made


@pytest.fixture
def station(tmp_path: Path, clock: ManualClock) -> Station:
    folder = tmp_path / "journal"
    folder.mkdir()
    return Station(folder, clock)


@pytest.fixture
def player(station: Station) -> Player:
    return Player(station.folder, station.clock)
