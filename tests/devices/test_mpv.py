"""The real mpv with our script: what it writes, and what the sensor makes of it."""

import json
import os
import subprocess
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from agent.probes import _opened
from agent.probes.playback import PlaybackSensor, PlaybackSettings
from shared.clock import SystemClock
from tests import media
from tests.agent.probes.rig import Rig
from tests.devices.players import SCRIPT, Mpv, running, wait_until

pytestmark = pytest.mark.device
NAME = "乡村振兴 <script>第3讲=.mp4"


@dataclass
class Desk:
    """The desk of one station: a journal folder, lessons, and the sensor with the real clock."""

    folder: Path
    rig: Rig = field(default_factory=Rig)
    clock: SystemClock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        (self.folder / "journal").mkdir()
        self.sensor = PlaybackSensor(PlaybackSettings(journal_dir=self.folder / "journal"), self.rig)

    def put(self, content: bytes, name: str = NAME) -> str:
        path = self.folder / name
        path.write_bytes(content)
        return str(path)

    def look(self, *, later_s: int = 0) -> Mapping[str, Any]:
        now = self.clock.now()
        later = replace(now, wall_ms=now.wall_ms + later_s * 1000, mono_ms=now.mono_ms + later_s * 1000)
        return self.rig.look(self.sensor, later)

    def ended(self) -> list[Mapping[str, Any]]:
        self.look()
        return self.rig.told("playback.ended")

    def lines(self) -> list[dict[str, Any]]:
        raw = [line for path in (self.folder / "journal").iterdir() for line in path.read_bytes().splitlines()]
        return [json.loads(line) for line in raw]

    def events(self) -> list[str]:
        return [line["ev"] for line in self.lines() if line["ev"] != "tick"]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_lesson_played_to_its_end_is_completed_with_evidence(desk: Desk) -> None:
    path = desk.put(media.mp4(3.0))
    desk.rig.hashes[path] = "a" * 64
    with running(Mpv(desk.folder, path)) as mpv:
        assert mpv.wait() == 0
    (ended,) = desk.ended()
    assert (ended["reason"], ended["name"], ended["title"]) == ("completed", NAME, NAME.removesuffix(".mp4"))
    assert (ended["sha256"], ended["duration_s"]) == ("a" * 64, pytest.approx(3, abs=0.2))
    assert ended["content_s"] == pytest.approx(3, abs=0.3)
    assert ended["played_s"] == pytest.approx(3, abs=0.5)
    assert (list(ended["minutes"]), ended["flags"]) == (["E2"], [])
    assert list((desk.folder / "journal").iterdir()) == []


def test_the_times_in_the_journal_are_the_stations_own(desk: Desk) -> None:
    before = desk.clock.now()
    with running(Mpv(desk.folder, desk.put(media.mp4(1.0)))) as mpv:
        mpv.wait()
    after = desk.clock.now()
    for line in desk.lines():
        assert before.mono_ms - 20 <= line["mono"] <= after.mono_ms + 20
        assert before.wall_ms - 1000 <= line["wall"] <= after.wall_ms
        assert line["boot"] == before.boot
        assert line["pid"] == mpv.process.pid


def test_a_lesson_closed_in_the_middle_is_stopped(desk: Desk) -> None:
    with running(Mpv(desk.folder, desk.put(media.mp4(20.0)))) as mpv:
        mpv.wait_for_position(1.2)
        assert desk.look() == {"playing": [NAME.removesuffix(".mp4")], "source": "journal"}
        mpv.ask("quit")
        mpv.wait()
    (ended,) = desk.ended()
    assert ended["reason"] == "stopped"
    assert 1.0 <= ended["content_s"] <= 2.5


def test_a_pause_and_a_speed_are_seen(desk: Desk) -> None:
    with running(Mpv(desk.folder, desk.put(media.mp4(20.0)))) as mpv:
        mpv.wait_for_position(0.5)
        mpv.ask("set_property", "pause", True)
        paused = desk.clock.now()
        wait_until(lambda: desk.clock.now().mono_ms - paused.mono_ms > 1500, "a pause")
        # mpv tells of changes made at once in an order of its own.
        for name, value, event in (("speed", 2, "speed"), ("mute", True, "sound"), ("pause", False, "play")):
            mpv.ask("set_property", name, value)
            wait_until(lambda event=event: event in desk.events(), f"{event} in the journal")  # type: ignore[misc]
        mpv.wait_for_position(4.5)
        mpv.ask("quit")
        mpv.wait()
    assert desk.events()[:7] == ["open", "start", "restart", "pause", "speed", "sound", "play"]
    at = next(line["pos"] for line in desk.lines() if line["ev"] == "pause")
    (ended,) = desk.ended()
    assert ended["content_s"] >= 4
    assert ended["played_s"] == pytest.approx(at + (ended["content_s"] - at) / 2, abs=1.0)
    assert (list(ended["minutes"]), sorted(ended["flags"])) == (["E1"], ["muted", "speed"])


def test_a_seek_to_the_end_gains_nothing(desk: Desk) -> None:
    with running(Mpv(desk.folder, desk.put(media.mp4(20.0)))) as mpv:
        mpv.wait_for_position(1.0)
        mpv.ask("seek", 18.5, "absolute", "exact")
        mpv.wait()
    (ended,) = desk.ended()
    assert (ended["reason"], ended["flags"]) == ("completed", ["seek_to_end"])
    assert 2.0 <= ended["content_s"] <= 4.0


def test_a_killed_player_is_abandoned_at_its_last_line(desk: Desk) -> None:
    with running(Mpv(desk.folder, desk.put(media.mp4(20.0)))) as mpv:
        mpv.wait_for_position(1.0)
        mpv.ask("set_property", "volume", 50)
        wait_until(lambda: desk.lines()[-1]["ev"] == "sound", "the new volume in the journal")
        desk.look()
        desk.look(later_s=200)
        assert desk.rig.told("playback.ended") == []
        mpv.process.kill()
        mpv.wait()
    last = desk.lines()[-1]
    desk.look(later_s=400)
    (ended,) = desk.rig.told("playback.ended")
    at = desk.rig.facts[-1].at
    assert ended["reason"] == "abandoned"
    assert at is not None
    assert at.mono_ms == last["mono"]
    assert 0.8 <= ended["content_s"] <= 2.5


@pytest.mark.parametrize("lose", [Path.unlink, lambda path: path.rename(path.with_name("another.mp4"))])
def test_a_film_deleted_or_renamed_while_it_plays_is_told_to_its_end_under_its_name(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, lose: Callable[[Path], object]
) -> None:
    monkeypatch.setattr(_opened, "_LEAST_MS", 500)
    desk.sensor = PlaybackSensor(desk.sensor.settings.model_copy(update={"films": desk.folder}), desk.rig)
    desk.look()
    path = Path(desk.put(media.mp4(4.0)))
    desk.rig.hashes[str(path)] = "a" * 64
    with running(Mpv(desk.folder, str(path))) as mpv:
        wait_until(lambda: any(line["ev"] == "restart" for line in desk.lines()), "the film running")
        desk.look()
        lose(path)
        desk.rig.hashes.clear()
        assert mpv.wait() == 0
    (ended,) = desk.ended()
    assert (ended["reason"], ended["name"], ended["sha256"], ended["flags"]) == ("completed", NAME, "a" * 64, [])
    assert ended["content_s"] == pytest.approx(4, abs=0.5)
    desk.sensor.close()


def test_a_film_on_a_disc_and_one_on_a_drive_that_is_pulled_out_are_told(desk: Desk) -> None:
    for name, seconds in (("disc", 1.0), ("drive", 60.0)):
        mounted = desk.folder / name
        mounted.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", mounted], check=True)
        (mounted / f"{name}.mp4").write_bytes(media.mp4(seconds))
    subprocess.run(["mount", "-o", "remount,ro", desk.folder / "disc"], check=True)
    try:
        with running(Mpv(desk.folder, str(desk.folder / "disc" / "disc.mp4"))) as mpv:
            assert mpv.wait() == 0
        with running(Mpv(desk.folder, str(desk.folder / "drive" / "drive.mp4"))) as mpv:
            mpv.wait_for_position(0.5)
            subprocess.run(["umount", "--lazy", desk.folder / "drive"], check=True)
            desk.look()
            mpv.wait_for_position(1.5)
            mpv.ask("quit")
            mpv.wait()
    finally:
        for name in ("disc", "drive"):
            subprocess.run(["umount", "--lazy", desk.folder / name], check=False, stderr=subprocess.DEVNULL)
    told = {ended["name"]: (ended["reason"], ended["sha256"]) for ended in desk.ended()}
    assert told == {"disc.mp4": ("completed", None), "drive.mp4": ("stopped", None)}


def test_garbage_a_cut_lesson_and_a_missing_one_are_told_apart(desk: Desk) -> None:
    garbage = desk.put(b"garbage! " * 100, "garbage.mp4")
    cut = desk.put(media.mp4(6.0)[: len(media.mp4(6.0)) // 2], "cut.mp4")
    with running(Mpv(desk.folder, garbage, cut, str(desk.folder / "missing.mp4"))) as mpv:
        assert mpv.wait() == 3
    told = {fact["name"]: (fact["reason"], fact["flags"]) for fact in desk.ended()}
    assert told == {
        "garbage.mp4": ("error", []),
        "cut.mp4": ("completed", ["cut_short"]),
        "missing.mp4": ("error", []),
    }


@pytest.mark.parametrize("told_folder", [".", "/"])
def test_a_relative_path_in_an_old_encoding_is_found_also_with_a_wrong_pwd(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, told_folder: str
) -> None:
    raw = "水稻.mp4".encode("gbk")
    path = desk.put(media.mp4(0.5), os.fsdecode(raw))
    desk.rig.hashes[path] = "b" * 64
    monkeypatch.chdir(desk.folder)
    monkeypatch.setenv("PWD", str(desk.folder / told_folder))
    with running(Mpv(desk.folder, raw)) as mpv:
        assert mpv.wait() == 0
    (ended,) = desk.ended()
    assert (ended["name"], ended["sha256"]) == ("水稻.mp4", "b" * 64)


def test_a_player_plays_on_where_no_journal_can_be_written(desk: Desk) -> None:
    (desk.folder / "journal").rmdir()
    with running(Mpv(desk.folder, desk.put(media.mp4(1.0)))) as mpv:
        assert mpv.wait() == 0


def test_the_scripts_option_names_the_folder_before_the_environment(desk: Desk, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    option = f"--script-opts=station_journal-dir={other}"
    with running(Mpv(desk.folder, desk.put(media.mp4(1.0)), options=(option,))) as mpv:
        mpv.wait()
    assert len(list(other.iterdir())) == 1
    assert desk.lines() == []


def test_a_log_of_an_mpv_without_our_script_is_a_fallback(desk: Desk, tmp_path: Path) -> None:
    log = tmp_path / "mpv.log"
    log.touch()
    desk.sensor = PlaybackSensor(PlaybackSettings(journal_dir=None, mpv_log=log), desk.rig)
    desk.look()
    path = desk.put(media.mp4(2.0))
    with running(Mpv(desk.folder, path, options=("--scripts-clr", f"--log-file={log}"))) as mpv:
        mpv.wait()
    (ended,) = desk.ended()
    assert (ended["name"], ended["via"], ended["reason"]) == (NAME, "mpv_log", "completed")
    assert list(ended["minutes"]) == ["E1"]
    assert ended["played_s"] == pytest.approx(2, abs=0.5)


def test_a_run_that_our_script_writes_is_not_told_from_its_log_as_well(desk: Desk, tmp_path: Path) -> None:
    log = tmp_path / "mpv.log"
    log.touch()
    settings = PlaybackSettings(journal_dir=desk.folder / "journal", mpv_log=log)
    desk.sensor = PlaybackSensor(settings, desk.rig)
    desk.look()
    with running(Mpv(desk.folder, desk.put(media.mp4(0.5)), options=(f"--log-file={log}",))) as mpv:
        mpv.wait()
    (ended,) = desk.ended()
    assert ended["via"] == "journal"


def test_the_script_is_shipped_with_the_agent() -> None:
    project = tomllib.loads((SCRIPT.parents[2] / "pyproject.toml").read_text("utf-8"))
    assert "agent" in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert (files("agent") / "players" / "station_journal.lua").is_file()


def test_a_second_witness_saw_the_player_hold_the_film_and_misses_it_where_the_journal_is_made_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_opened, "_LEAST_MS", 500)
    desk.sensor = PlaybackSensor(desk.sensor.settings.model_copy(update={"films": desk.folder}), desk.rig)
    desk.look()
    path = desk.put(media.mp4(4.0))
    with running(Mpv(desk.folder, path)) as mpv:
        wait_until(lambda: any(line["ev"] == "restart" for line in desk.lines()), "the film runs")
        desk.look()
        [journal] = (desk.folder / "journal").iterdir()
        assert mpv.wait() == 0
    record = journal.read_bytes()
    assert desk.ended()[0]["flags"] == []
    # The same lines again under another name, but this time nobody plays anything.
    made_up = desk.put(media.mp4(4.0), "another.mp4")
    forged = journal.with_name("play-aaaaaaaaaaaa-1-1.jsonl")
    forged.write_bytes(record.replace(os.fsencode(Path(path).name), os.fsencode(Path(made_up).name)))
    assert desk.ended()[-1]["flags"] == ["uncorroborated"]
    desk.sensor.close()
