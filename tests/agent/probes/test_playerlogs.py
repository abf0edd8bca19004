from collections.abc import Callable
from pathlib import Path

import pytest

from agent.probes.playback import PlaybackSettings
from tests.agent.probes.station import PROJECTOR_ON, SOUNDING, Station

SAMPLES = Path(__file__).parents[2] / "samples" / "players"


class Log:
    """The log of a stock player, taken in piece by piece."""

    def __init__(self, station: Station, player: str, folder: Path) -> None:
        self.station, self.path = station, folder / f"{player}.log"
        self.sample = (SAMPLES / f"{player}.log").read_bytes().splitlines(keepends=True)
        self.path.write_bytes(b"")
        station.settings = PlaybackSettings.model_validate({"journal_dir": None, f"{player}_log": self.path})
        station.restart()
        station.look()

    def write_until(self, last: bytes) -> None:
        """Append the sample's lines up to the next one that holds `last`."""
        end = next(index for index, line in enumerate(self.sample) if last in line) + 1
        with self.path.open("ab") as file:
            file.writelines(self.sample[:end])
        self.sample = self.sample[end:]


@pytest.fixture
def mpv_log(station: Station, tmp_path: Path) -> Log:
    return Log(station, "mpv", tmp_path)


@pytest.fixture
def vlc_log(station: Station, tmp_path: Path) -> Log:
    return Log(station, "vlc", tmp_path)


def test_a_real_mpv_log_tells_its_playings_at_level_one(station: Station, mpv_log: Log) -> None:
    mpv_log.write_until(b"Exiting... (Quit)")
    station.rig.states = {"projector": PROJECTOR_ON, "audio": SOUNDING}
    station.look_after(20)
    first, second = station.rig.told("playback.ended")
    assert (first["name"], first["reason"], first["via"]) == ("乡村振兴 第3讲.mp4", "completed", "mpv_log")
    # Paused for 1.0 s of the 11.6 s; the jump from 2.6 s to 12 s was not played.
    assert first["played_s"] == pytest.approx(10.6, abs=0.2)
    assert (second["name"], second["reason"]) == ("b.mp4", "stopped")
    assert list(first["minutes"]) == list(second["minutes"]) == ["E1"]


def test_an_mpv_log_begun_anew_in_the_same_file_is_a_new_run(station: Station, mpv_log: Log) -> None:
    whole = list(mpv_log.sample)
    mpv_log.write_until(b"Exiting... (Quit)")
    station.look_after(20)
    again = b"".join(whole).replace(b"[   0.0", b"[   0.1") + b"[ 99.000][v][cplayer] more\n" * 99
    mpv_log.path.write_bytes(again)
    station.look_after(20)
    playbacks = [fact["playback"] for fact in station.rig.told("playback.ended")]
    assert len(set(playbacks)) == len(playbacks) == 4


def test_an_mpv_run_that_our_journal_has_is_not_told_from_its_log(station: Station, mpv_log: Log) -> None:
    mpv_log.sample.insert(0, b"[   0.004][d][station_journal] Loading lua script station_journal.lua...\n")
    mpv_log.write_until(b"Exiting... (Quit)")
    station.look_after(20)
    assert station.rig.facts == []


def test_a_real_vlc_log_tells_its_playings_by_the_time_of_arrival(station: Station, vlc_log: Log) -> None:
    vlc_log.write_until(b"using video decoder module")
    assert station.look_after(5) == {"playing": ["乡村振兴 第3讲"], "source": "log"}
    vlc_log.write_until(b"using audio decoder module")
    station.look_after(30)
    station.look_after(40)
    vlc_log.write_until(b"EOF reached")
    station.look_after(20)
    ended = station.ended()
    assert station.rig.kinds() == ["playback.started", "playback.progress", "playback.ended"]
    assert (ended["reason"], ended["via"], ended["played_s"], ended["content_s"]) == ("completed", "vlc_log", 90, 90)
    assert (ended["minutes"], ended["segments"]) == ({"E1": 1.5}, "")


def test_all_of_a_real_vlc_log_is_told_without_its_own_library(station: Station, vlc_log: Log) -> None:
    vlc_log.write_until(b"logger module stopped")
    vlc_log.write_until(b"logger module stopped")
    station.look_after(20)
    ended = [(fact["name"], fact["reason"]) for fact in station.rig.told("playback.ended")]
    film = "乡村振兴 第3讲.mp4"
    assert ended == [(film, "completed"), ("b.mp4", "stopped"), (film, "completed"), ("b.mp4", "completed")]


def test_a_vlc_that_is_killed_is_abandoned(station: Station, vlc_log: Log) -> None:
    vlc_log.write_until(b"using video decoder module")
    station.look_after(5)
    station.look_after(30)
    station.alive = False
    station.look_after(300)
    assert (station.ended()["reason"], station.ended()["played_s"]) == ("abandoned", 30)


def test_what_a_log_held_before_the_agent_came_is_not_told(station: Station, vlc_log: Log) -> None:
    vlc_log.write_until(b"logger module stopped")
    station.rig.memory.clear()
    station.restart()
    station.look()
    vlc_log.write_until(b"logger module stopped")
    station.look()
    assert [fact["name"] for fact in station.rig.told("playback.ended")] == ["乡村振兴 第3讲.mp4", "b.mp4"]


def _truncate(path: Path) -> None:
    path.write_bytes(b"")


def _rotate(path: Path) -> None:
    path.rename(path.with_suffix(".1"))
    path.write_bytes(b"")


@pytest.mark.parametrize("change", [_truncate, _rotate])
def test_a_log_that_is_truncated_or_rotated_is_followed_on(
    station: Station, vlc_log: Log, change: Callable[[Path], None]
) -> None:
    vlc_log.write_until(b"logger module stopped")
    station.look_after(5)
    change(vlc_log.path)
    station.look_after(5)
    vlc_log.write_until(b"logger module stopped")
    station.look_after(5)
    playbacks = [fact["playback"] for fact in station.rig.told("playback.ended")]
    assert len(set(playbacks)) == len(playbacks) == 4


def test_a_log_that_does_not_exist_is_no_source(station: Station, tmp_path: Path) -> None:
    station.settings = PlaybackSettings(journal_dir=None, vlc_log=tmp_path / "none.log")
    station.restart()
    assert station.look() == {"playing": [], "source": "none"}
