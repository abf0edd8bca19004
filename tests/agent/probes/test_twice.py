"""What two records saw is told once: the journal's word, whichever came first."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.probes._twice import MAX_RUNS, Run, add_run, is_told, read_runs, write_runs
from agent.probes.audio import AudioSensor, AudioSettings
from agent.probes.playback import PlaybackSensor, PlaybackSettings
from tests.agent.probes.rig import Rig
from tests.agent.probes.station import LESSON, Player
from tests.clocks import ManualClock

BOOT = "b" * 32
FILM = "/srv/a.mp4"
JOURNAL = Run(boot=BOOT, pid=42, since=100_000, until=160_000, over=True, paths=[FILM])


@pytest.mark.parametrize(
    ("run", "told"),
    [
        ({}, True),
        ({"paths": []}, True),
        ({"pid": 7}, True),
        ({"pid": 7, "paths": ["/srv/b.mp4"]}, False),
        ({"boot": "c" * 32}, False),
        ({"since": 170_000, "until": 200_000}, False),
        ({"since": 10_000, "until": 90_000}, False),
        ({"pid": 0}, True),
        ({"pid": 0, "paths": []}, False),
    ],
)
def test_the_same_player_or_the_same_file_at_the_same_time_is_the_same_playing(
    run: Mapping[str, Any], *, told: bool
) -> None:
    assert is_told(JOURNAL.model_copy(update={"over": False, **run}), [JOURNAL]) is told


def test_a_journal_that_still_runs_reaches_to_its_next_tick() -> None:
    later = Run(boot=BOOT, pid=7, since=220_000, until=230_000, paths=[FILM])
    assert is_told(later, [JOURNAL.model_copy(update={"over": False})])


def test_only_the_newest_runs_are_remembered_and_damage_is_taken_for_none() -> None:
    told: list[Run] = []
    for number in range(MAX_RUNS + 5):
        told = add_run(told, JOURNAL.model_copy(update={"pid": number}), is_over=True)
    assert [len(told), told[-1].pid] == [MAX_RUNS, MAX_RUNS + 4]
    assert add_run(told, Run(), is_over=True) == told
    assert read_runs(write_runs(told)) == told
    assert read_runs("torn{") == []


class Desk:
    """A player whose journal and whose helper both report."""

    def __init__(self, folder: Path, clock: ManualClock) -> None:
        self.clock, self.rig = clock, Rig()
        for name in ("journal", "session"):
            (folder / name).mkdir()
        self.script = Player(folder / "journal", clock)
        self.helper = Player(folder / "session", clock)
        self.helper.path = folder / "session" / "play-mpv-bbbbbbbbbbbb-4242-600001.jsonl"
        self.other = Player(folder / "session", clock)
        self.other.path = folder / "session" / "play-vlc-bbbbbbbbbbbb-77-600001.jsonl"
        self.other.fields["pid"] = 77
        settings = PlaybackSettings(journal_dir=folder / "journal", session_dir=folder / "session")
        self.sensor = PlaybackSensor(settings, self.rig, lambda _pid, _since: True, lambda _name: True)

    def look(self) -> Mapping[str, Any]:
        self.clock.advance(seconds=15)
        return self.rig.look(self.sensor, self.clock.now())


@pytest.fixture
def desk(tmp_path: Path, clock: ManualClock) -> Desk:
    return Desk(tmp_path, clock)


def test_without_our_script_the_helpers_word_is_told(desk: Desk) -> None:
    desk.helper.start()
    assert desk.look()["playing"] == ["水稻 第1讲"]
    desk.helper.run(600)
    desk.helper.exit()
    desk.look()
    (ended,) = desk.rig.told("playback.ended")
    assert (ended["via"], ended["player"], ended["played_s"]) == ("mpris", "mpv", pytest.approx(600, abs=3))


def test_with_our_script_the_journal_wins_and_both_files_go(desk: Desk) -> None:
    for record in (desk.helper, desk.script):
        record.start()
    desk.look()
    desk.script.run(600)
    for record in (desk.helper, desk.script):
        record.end()
        record.exit()
    desk.look()
    desk.look()
    assert [each["via"] for each in desk.rig.told("playback.ended")] == ["journal"]
    assert not desk.helper.path.exists()
    assert not desk.script.path.exists()


def test_what_the_helper_brings_late_is_not_told_again(desk: Desk) -> None:
    desk.script.start()
    desk.script.run(60)
    desk.script.exit()
    begun = desk.clock.now()
    desk.look()
    desk.clock._now = begun
    desk.helper.start()
    desk.helper.run(60)
    desk.helper.exit()
    desk.look()
    desk.look()
    assert desk.rig.kinds().count("playback.started") == 1


def test_young_lines_wait_for_the_journal(desk: Desk) -> None:
    desk.helper.start()
    desk.rig.look(desk.sensor, desk.clock.now())
    assert desk.rig.kinds() == []
    desk.look()
    assert desk.rig.kinds() == ["playback.started"]


def test_two_players_with_two_films_are_both_told(desk: Desk) -> None:
    desk.script.start()
    desk.other.start("/srv/courseware/other.mp4")
    desk.look()
    assert {each["player"] for each in desk.rig.told("playback.started")} == {"mpv", "vlc"}
    assert LESSON.endswith(".mp4")


def test_a_helper_that_falls_silent_ends_the_playing_where_it_stood(desk: Desk) -> None:
    desk.helper.start()
    desk.helper.run(60)
    for _ in range(8):
        desk.look()
    (ended,) = desk.rig.told("playback.ended")
    assert (ended["reason"], ended["played_s"]) == ("abandoned", 60)
    assert not desk.helper.path.exists()


def test_sound_is_the_helpers_word_while_it_is_fresh(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    status = tmp_path / "session.json"
    sensor = AudioSensor(AudioSettings(session=status))
    assert sensor.read(clock.now()).state is None
    told = {"boot": clock.now().boot, "mono": clock.now().mono_ms, "audio": {"server": True, "volume": 0.4}}
    status.write_text(json.dumps(told))
    assert (sensor.read(clock.now()).state or {})["volume"] == 0.4
    clock.advance(seconds=200)
    assert sensor.read(clock.now()).state is None
    status.write_text("torn{")
    assert sensor.read(clock.now()).state is None
