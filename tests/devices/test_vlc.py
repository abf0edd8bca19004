"""The real VLC with its file log: the fallback where no mpv is in use."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from agent.probes.playback import PlaybackSensor, PlaybackSettings
from shared.clock import SystemClock
from tests import media
from tests.agent.probes.rig import Rig
from tests.devices.players import Vlc, only_vlc, open_folder, running, wait_until

pytestmark = pytest.mark.device
NAME = "乡村振兴 <script>第3讲=100%.mp4"
DECODES = b"using video decoder module"


@dataclass
class Desk:
    folder: Path
    rig: Rig = field(default_factory=Rig)
    clock: SystemClock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        log = self.folder / "vlc.log"
        log.touch()
        log.chmod(0o666)  # VLC runs as another user and appends.
        self.sensor = PlaybackSensor(PlaybackSettings(journal_dir=None, vlc_log=log), self.rig)
        self.look()

    def put(self, content: bytes, name: str = NAME) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def look(self, *, later_s: int = 0) -> Mapping[str, Any]:
        now = self.clock.now()
        return self.rig.look(self.sensor, replace(now, mono_ms=now.mono_ms + later_s * 1000))

    def ended(self) -> list[Mapping[str, Any]]:
        self.look()
        return self.rig.told("playback.ended")


@pytest.fixture
def desk() -> Iterator[Desk]:
    with only_vlc(), open_folder() as folder:
        yield Desk(folder)


def test_a_lesson_played_to_its_end_is_completed_at_level_one(desk: Desk) -> None:
    path = desk.put(media.mp4(3.0))
    desk.rig.hashes[str(path)] = "a" * 64
    with running(Vlc(desk.folder, path)) as vlc:
        vlc.wait_for_log(DECODES)
        assert desk.look()["playing"] == [NAME.removesuffix(".mp4")]
        vlc.wait()
    (ended,) = desk.ended()
    assert (ended["reason"], ended["name"], ended["sha256"]) == ("completed", NAME, "a" * 64)
    assert (list(ended["minutes"]), ended["segments"]) == (["E1"], "")
    assert ended["played_s"] == pytest.approx(3, abs=1.5)


def test_a_lesson_closed_in_the_middle_is_stopped(desk: Desk) -> None:
    with running(Vlc(desk.folder, desk.put(media.mp4(20.0)))) as vlc:
        vlc.wait_for_log(DECODES)
        desk.look()
        vlc.process.terminate()
        vlc.wait()
    (ended,) = desk.ended()
    assert (ended["reason"], ended["name"]) == ("stopped", NAME)


def test_a_killed_vlc_is_abandoned(desk: Desk) -> None:
    with running(Vlc(desk.folder, desk.put(media.mp4(20.0)))) as vlc:
        vlc.wait_for_log(DECODES)
        desk.look()
        wait_until(lambda: desk.sensor.is_running("vlc"), "VLC among the processes")
        assert desk.ended() == []
        vlc.process.kill()
        vlc.wait()
    (ended,) = desk.ended()
    assert ended["reason"] == "abandoned"


def test_garbage_a_cut_lesson_and_a_missing_one_are_told(desk: Desk) -> None:
    garbage = desk.put(b"garbage! " * 100, "garbage.mp4")
    cut = desk.put(media.mp4(6.0)[: len(media.mp4(6.0)) // 2], "cut.mp4")
    with running(Vlc(desk.folder, garbage, cut, desk.folder / "missing.mp4")) as vlc:
        vlc.wait()
    reasons = {fact["name"]: fact["reason"] for fact in desk.ended()}
    # VLC plays what there is of a cut file and calls it the end: no proof that the file was whole.
    assert reasons == {"garbage.mp4": "error", "cut.mp4": "completed", "missing.mp4": "error"}
