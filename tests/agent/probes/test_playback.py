import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.probes import _journal
from agent.probes._evidence import add_segment, content_seconds, write_segments
from agent.probes.playback import PROBE, PlaybackSensor, PlaybackSettings
from shared.wire.states import PlaybackState
from tests.agent.probes.rig import Rig
from tests.clocks import ManualClock

SAMPLES = Path(__file__).parents[2] / "samples" / "players"
LESSON = "/srv/courseware/水稻 第1讲.mp4"
SHA = "a" * 64
PROJECTOR_ON = {"power": "on"}
SOUNDING = {"sink": True, "muted": False, "volume": 0.6, "sounding": True}


class Player:
    """Writes a journal as the Lua script does, ten seconds to a tick."""

    def __init__(self, folder: Path, clock: ManualClock, sid: str = "bbbbbbbbbbbb-4242-600000") -> None:
        self.path = folder / f"play-{sid}.jsonl"
        self.clock, self.item = clock, 0
        self.fields: dict[str, Any] = {"pid": 4242, "speed": 1, "paused": False, "muted": False, "vol": 100}

    def say(self, event: str, **more: Any) -> None:
        now = self.clock.now()
        told = {"ev": event, "n": self.item, "wall": now.wall_ms, "mono": now.mono_ms, "boot": now.boot}
        self.write(json.dumps(told | self.fields | more, ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n")

    def write(self, raw: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(raw)

    def start(self, path: str = LESSON, *, duration_s: float = 2400, audio: bool = True) -> None:
        self.item += 1
        self.fields["dur"] = duration_s
        self.say("open", path=path, title=path.rpartition("/")[2])
        self.say("start", path=path, title=path.rpartition("/")[2], audio=audio)
        self.seek_to(0)

    def seek_to(self, position: float) -> None:
        self.fields["pos"] = position
        self.say("restart")

    def run(self, seconds: float, *, rate: float = 1.0) -> None:
        """Let time pass while the content moves `rate` times as fast."""
        for step in [10.0] * int(seconds // 10) + [seconds % 10]:
            self.clock.advance(seconds=step)
            self.fields["pos"] += step * rate
            self.say("tick")

    def seek(self, position: float) -> None:
        self.say("seek", was=self.fields["pos"], pos=position)
        self.seek_to(position)

    def end(self, reason: str = "quit") -> None:
        was = self.fields.pop("pos", None)
        self.say("end", reason=reason, was=was)

    def exit(self) -> None:
        self.say("exit")


class Station:
    """A journal folder with its sensor and a runner."""

    def __init__(self, folder: Path, clock: ManualClock) -> None:
        self.folder, self.clock, self.rig = folder, clock, Rig()
        self.settings = PlaybackSettings(journal_dir=folder)
        self.alive = True
        self.restart()

    def restart(self) -> None:
        self.sensor = PlaybackSensor(self.settings, self.rig, lambda _pid, _since: self.alive, lambda _name: self.alive)

    def look(self) -> Mapping[str, Any]:
        return self.rig.look(self.sensor, self.clock.now())

    def look_after(self, seconds: float) -> Mapping[str, Any]:
        self.clock.advance(seconds=seconds)
        return self.look()

    def ended(self) -> Mapping[str, Any]:
        told = self.rig.told("playback.ended")
        assert len(told) == 1
        return told[0]


@pytest.fixture
def station(tmp_path: Path, clock: ManualClock) -> Station:
    folder = tmp_path / "journal"
    folder.mkdir()
    return Station(folder, clock)


@pytest.fixture
def player(station: Station) -> Player:
    return Player(station.folder, station.clock)


def test_a_lesson_played_to_its_end_is_told_from_start_to_end(station: Station, player: Player) -> None:
    station.rig.hashes[LESSON] = SHA
    began = station.clock.now()
    player.start(duration_s=120)
    player.run(120)
    player.end("eof")
    player.exit()
    station.look()
    start, ended = station.rig.facts[0], station.rig.facts[-1]
    assert (start.kind, start.at, start.data["sha256"]) == ("playback.started", began, SHA)
    assert (start.data["title"], start.data["name"]) == ("水稻 第1讲", "水稻 第1讲.mp4")
    assert start.data["playback"] == "bbbbbbbbbbbb-4242-600000.1"
    assert (ended.kind, ended.at, ended.data["reason"]) == ("playback.ended", station.clock.now(), "completed")
    assert (ended.data["content_s"], ended.data["played_s"], ended.data["segments"]) == (120, 120, "0[.]120")
    assert (ended.data["minutes"], ended.data["flags"]) == ({"E2": 2.0}, [])
    assert (ended.data["begin_ms"], ended.data["begin_mono"]) == (began.wall_ms, began.mono_ms)


def test_a_lesson_closed_in_the_middle_is_stopped(station: Station, player: Player) -> None:
    player.start()
    player.run(45)
    player.end("quit")
    station.look()
    assert (station.ended()["reason"], station.ended()["content_s"]) == ("stopped", 45)


def test_a_lesson_left_on_its_last_picture_and_then_closed_is_completed(station: Station, player: Player) -> None:
    player.start(duration_s=60)
    player.run(60)
    player.fields["paused"] = True
    player.say("pause")
    player.end("quit")
    station.look()
    assert station.ended()["reason"] == "completed"


def test_a_pause_counts_for_nothing(station: Station, player: Player) -> None:
    player.start()
    player.run(30)
    player.fields["paused"] = True
    player.say("pause")
    player.run(600, rate=0)
    player.fields["paused"] = False
    player.say("play")
    player.run(30)
    player.end()
    station.look()
    assert (station.ended()["played_s"], station.ended()["content_s"]) == (60, 60)
    assert station.ended()["minutes"] == {"E2": 1.0}


def test_a_piece_played_twice_is_content_once(station: Station, player: Player) -> None:
    player.start()
    player.run(60)
    player.seek(30)
    player.run(60)
    player.end()
    station.look()
    assert (station.ended()["played_s"], station.ended()["content_s"]) == (120, 90)
    assert station.ended()["segments"] == "0[.]60[,]30[.]90"


def test_a_seek_to_the_end_gains_no_content_and_is_flagged(station: Station, player: Player) -> None:
    player.start(duration_s=2400)
    player.run(20)
    player.seek(2390)
    player.run(10)
    player.end("eof")
    station.look()
    assert (station.ended()["reason"], station.ended()["content_s"]) == ("completed", 30)
    assert station.ended()["flags"] == ["seek_to_end"]


def test_a_slow_seek_plays_nothing_while_it_lasts(station: Station, player: Player) -> None:
    player.start()
    player.run(20)
    player.say("seek", was=20, pos=500)
    station.clock.advance(seconds=9)
    player.seek_to(500)
    player.run(20)
    player.end()
    station.look()
    assert (station.ended()["played_s"], station.ended()["segments"]) == (40, "0[.]20[,]500[.]520")


def test_a_jump_no_seek_was_told_of_gains_no_content(station: Station, player: Player) -> None:
    player.start()
    player.run(30)
    player.fields["pos"] += 2000
    player.run(30)
    player.end()
    station.look()
    assert station.ended()["content_s"] <= 62
    assert station.ended()["minutes"] == {"E1": pytest.approx(1.0, abs=0.1)}


def test_a_lesson_run_at_double_speed_is_flagged_and_stays_at_level_one(station: Station, player: Player) -> None:
    player.start()
    player.fields["speed"] = 2
    player.say("speed")
    player.run(60, rate=2)
    player.end()
    station.look()
    assert (station.ended()["played_s"], station.ended()["content_s"]) == (60, 120)
    assert (station.ended()["minutes"], station.ended()["flags"]) == ({"E1": 1.0}, ["speed"])


def test_a_slightly_fast_lesson_is_as_good_as_any(station: Station, player: Player) -> None:
    player.start()
    player.fields["speed"] = 1.05
    player.say("speed")
    player.run(60, rate=1.05)
    player.end()
    station.look()
    assert (station.ended()["minutes"], station.ended()["flags"]) == ({"E2": 1.0}, [])


def test_content_that_lags_behind_the_clock_is_level_one(station: Station, player: Player) -> None:
    player.start()
    player.run(60, rate=0.94)
    player.end()
    station.look()
    assert list(station.ended()["minutes"]) == ["E1"]


def test_a_pc_that_slept_did_not_play(station: Station, player: Player) -> None:
    player.start()
    player.run(30)
    station.clock.advance(hours=3)
    player.fields["pos"] += 5
    player.say("tick")
    player.end()
    station.look()
    assert station.ended()["played_s"] <= 38
    assert station.ended()["content_s"] == 35


def test_the_projector_on_and_the_sound_heard_make_level_three(station: Station, player: Player) -> None:
    station.rig.states = {"projector": PROJECTOR_ON, "audio": SOUNDING}
    player.start()
    player.run(60)
    player.end()
    station.look()
    assert station.ended()["minutes"] == {"E3": 1.0}


@pytest.mark.parametrize(
    ("states", "level", "flags"),
    [
        ({}, "E2", []),
        ({"projector": PROJECTOR_ON}, "E2", []),
        ({"audio": SOUNDING}, "E2", []),
        ({"projector": {"power": None}, "audio": SOUNDING}, "E2", []),
        ({"projector": {"power": "warming"}, "audio": SOUNDING}, "E2", []),
        ({"projector": PROJECTOR_ON, "audio": SOUNDING | {"volume": 0.05}}, "E2", []),
        ({"projector": PROJECTOR_ON, "audio": SOUNDING | {"sounding": False}}, "E2", []),
        ({"projector": PROJECTOR_ON, "audio": SOUNDING | {"volume": None, "muted": None}}, "E2", []),
        ({"projector": {"power": "off"}, "audio": SOUNDING}, "E1", ["projector_off"]),
        ({"projector": PROJECTOR_ON, "audio": SOUNDING | {"muted": True}}, "E1", ["muted"]),
        ({"projector": {"power": "off"}, "audio": {"muted": True}}, "E1", ["projector_off", "muted"]),
    ],
)
def test_what_is_unknown_lowers_no_level_and_what_contradicts_does(
    station: Station, player: Player, states: Mapping[str, Any], level: str, flags: list[str]
) -> None:
    station.rig.states = dict(states)
    player.start()
    player.run(60)
    player.end()
    station.look()
    assert (station.ended()["minutes"], station.ended()["flags"]) == ({level: 1.0}, flags)


@pytest.mark.parametrize("silence", [{"muted": True}, {"vol": 3}])
def test_a_player_without_sound_contradicts_like_a_muted_sink(
    station: Station, player: Player, silence: Mapping[str, Any]
) -> None:
    station.rig.states = {"projector": PROJECTOR_ON, "audio": SOUNDING}
    player.start()
    player.fields.update(silence)
    player.say("sound")
    player.run(60)
    player.end()
    station.look()
    assert (station.ended()["minutes"], station.ended()["flags"]) == ({"E1": 1.0}, ["muted"])


def test_a_film_without_sound_asks_for_none(station: Station, player: Player) -> None:
    station.rig.states = {"projector": PROJECTOR_ON, "audio": SOUNDING | {"muted": True}}
    player.start(audio=False)
    player.run(60)
    player.end()
    station.look()
    assert station.ended()["minutes"] == {"E3": 1.0}


def test_a_projector_that_is_on_now_proves_nothing_of_an_hour_ago(station: Station, player: Player) -> None:
    station.rig.states = {"projector": PROJECTOR_ON, "audio": SOUNDING}
    player.start()
    player.run(60)
    player.end()
    station.look_after(3600)
    assert station.ended()["minutes"] == {"E2": 1.0}


def test_a_long_lesson_is_told_of_each_minute(station: Station, player: Player) -> None:
    player.start()
    for _ in range(12):
        player.run(20)
        state = station.look()
    assert station.rig.kinds() == ["playback.started", *["playback.progress"] * 4]
    assert [fact["played_s"] for fact in station.rig.told("playback.progress")] == [60, 120, 180, 240]
    assert state == {"playing": ["水稻 第1讲"], "source": "journal"}


def test_a_player_that_is_killed_ends_at_its_last_tick(station: Station, player: Player) -> None:
    player.start()
    player.run(50)
    last = station.clock.now()
    station.look()
    station.alive = False
    station.look_after(60)
    assert station.rig.told("playback.ended") == []
    station.look_after(60)
    assert (station.ended()["reason"], station.ended()["played_s"]) == ("abandoned", 50)
    assert station.rig.facts[-1].at == last
    assert not player.path.exists()


def test_a_player_that_lives_and_is_silent_is_waited_for(station: Station, player: Player) -> None:
    player.start()
    player.run(50)
    station.look()
    station.look_after(3600)
    assert station.rig.told("playback.ended") == []
    assert player.path.exists()


def test_a_power_cut_ends_a_playing_at_its_last_tick(station: Station, player: Player) -> None:
    player.start()
    player.run(50)
    last = station.clock.now()
    player.write(b'{"ev":"tick","mono":6')
    station.clock.reboot("c" * 32)
    station.look()
    station.look()
    assert (station.ended()["reason"], station.rig.facts[-1].at) == ("abandoned", last)
    assert not player.path.exists()


def test_an_agent_started_anew_goes_on_where_it_was(station: Station, player: Player) -> None:
    player.start()
    for _ in range(6):
        player.run(15)
        station.look()
        station.restart()
    player.end()
    station.look()
    assert station.rig.kinds() == ["playback.started", "playback.progress", "playback.ended"]
    assert (station.ended()["played_s"], station.ended()["content_s"]) == (90, 90)


def test_a_crash_before_the_journal_is_deleted_tells_nothing_twice(station: Station, player: Player) -> None:
    player.start()
    player.run(10)
    player.end()
    player.exit()
    station.rig.look_and_crash(station.sensor, station.clock.now())
    assert player.path.exists()
    player.start()  # Somebody writes on after the player has left.
    station.restart()
    station.look()
    assert station.rig.kinds() == ["playback.started", "playback.ended"]
    assert not player.path.exists()
    station.look()
    assert station.rig.memory == {}


def test_a_crash_before_the_facts_are_durable_tells_them_again(station: Station, player: Player) -> None:
    player.start()
    player.run(10)
    player.end()
    player.exit()
    lost = station.sensor.read(station.clock.now())
    station.restart()
    station.look()
    assert [fact.data for fact in lost.facts] == [fact.data for fact in station.rig.facts]


def test_finishing_twice_does_no_harm(station: Station, player: Player) -> None:
    player.start()
    player.exit()
    reading = station.rig.look_and_crash(station.sensor, station.clock.now())
    assert reading.done is not None
    reading.done()
    reading.done()
    assert not player.path.exists()


def test_a_look_without_news_writes_nothing(station: Station, player: Player) -> None:
    player.start()
    station.look()
    assert station.sensor.read(station.clock.now()).memo == {}


def test_a_journal_somebody_deletes_ends_its_playing(station: Station, player: Player) -> None:
    player.start()
    player.run(20)
    station.look()
    player.path.unlink()
    station.look()
    assert (station.ended()["reason"], station.ended()["played_s"]) == ("abandoned", 20)
    assert station.rig.memory == {}


def test_a_folder_that_cannot_be_read_ends_nothing(station: Station, player: Player) -> None:
    player.start()
    station.look()
    station.folder.rename(station.folder.with_name("away"))
    assert station.look() == {"playing": [], "source": "none"}
    assert station.rig.told("playback.ended") == []


@pytest.mark.parametrize(
    "noise",
    [
        b"\0" * 4096 + b"\n",
        b"not json\n",
        b"[1,2]\n",
        b"[" * 5000 + b"\n",
        b'{"ev":"tick"}\n',
        b'{"ev":"tick","n":1,"wall":1e999,"mono":NaN,"boot":"b"}\n',
        b'{"ev":"tick","n":1,"wall":"x","mono":-5,"boot":"../../etc"}\n',
        b'{"ev":"tick","n":1,"wall":1,"mono":' + b"9" * 5000 + b',"boot":"b"}\n',
        b'{"title":"\\ud800","ev":"tick"}\n',
        b"\xff\xfe\r\n\n\n",
        b"x" * (_journal.PIECE * 2 + 17) + b"\n",
    ],
)
def test_noise_in_a_journal_is_passed_by(station: Station, player: Player, noise: bytes) -> None:
    player.start()
    player.run(20)
    player.write(noise)
    player.run(20)
    player.end()
    for _ in range(4):
        station.look()
    assert station.ended()["played_s"] == 40


def test_a_line_still_being_written_is_read_at_the_next_look(station: Station, player: Player) -> None:
    player.start()
    player.run(10)
    whole = player.path.read_bytes()
    player.path.write_bytes(whole[:-30])
    station.look()
    player.path.write_bytes(whole)
    player.end()
    station.look()
    assert station.ended()["played_s"] == 10


def test_a_journal_of_nothing_but_noise_goes_in_the_end(station: Station, player: Player) -> None:
    player.write(b"\0" * 1000)
    station.look()
    station.look_after(100)
    assert not player.path.exists()
    assert station.rig.facts == []


def test_a_garbage_file_is_told_as_started_and_failed(station: Station, player: Player) -> None:
    player.item = 1
    player.say("open", path="/srv/courseware/g.mp4", title="g.mp4")
    player.end("error")
    station.look()
    assert station.rig.kinds() == ["playback.started", "playback.ended"]
    assert (station.ended()["reason"], station.ended()["content_s"], station.ended()["title"]) == ("error", 0, "g")


def test_a_file_only_opened_and_closed_is_no_playing(station: Station, player: Player) -> None:
    player.item = 1
    player.say("open", path=LESSON)
    player.end("quit")
    station.look()
    assert station.rig.facts == []


def test_a_file_that_ends_long_before_its_length_is_flagged(station: Station, player: Player) -> None:
    player.start(duration_s=600)
    player.run(100)
    player.end("eof")
    station.look()
    assert (station.ended()["reason"], station.ended()["flags"]) == ("completed", ["cut_short"])


def test_two_lessons_in_one_player_are_two_playings(station: Station, player: Player) -> None:
    player.start()
    player.run(10)
    player.end("eof")
    player.start("/srv/courseware/b.mp4")
    player.run(20)
    player.end("quit")
    station.look()
    ended = station.rig.told("playback.ended")
    assert [(fact["playback"][-2:], fact["played_s"]) for fact in ended] == [(".1", 10), (".2", 20)]


def test_a_lesson_whose_end_was_not_written_ends_when_the_next_begins(station: Station, player: Player) -> None:
    player.start()
    player.run(10)
    player.start("/srv/courseware/b.mp4")
    station.look()
    assert (station.ended()["reason"], station.ended()["played_s"]) == ("abandoned", 10)


def test_an_item_written_again_is_not_told_again(station: Station, player: Player) -> None:
    player.start()
    player.end()
    player.item = 0
    player.start()
    player.run(100)
    player.end()
    station.look()
    assert station.rig.kinds() == ["playback.started", "playback.ended"]


def test_a_name_in_an_old_encoding_finds_its_hash(station: Station, player: Player) -> None:
    path = os.fsdecode(b"/srv/courseware/" + "水稻.mp4".encode("gbk"))
    station.rig.hashes[path] = SHA
    player.start(path)
    station.look()
    started = station.rig.told("playback.started")[0]
    assert (started["name"], started["title"], started["sha256"]) == ("水稻.mp4", "水稻", SHA)


def test_a_file_hashed_during_its_playing_has_its_hash_at_the_end(station: Station, player: Player) -> None:
    player.start()
    station.look()
    station.rig.hashes[LESSON] = SHA
    player.end()
    station.look()
    assert station.rig.told("playback.started")[0]["sha256"] is None
    assert station.ended()["sha256"] == SHA


def test_a_file_reached_through_a_link_finds_its_hash(station: Station, player: Player, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    station.rig.hashes[str(tmp_path.resolve() / "real" / "a.mp4")] = SHA
    player.start(str(tmp_path / "link" / "a.mp4"))
    station.look()
    assert station.rig.told("playback.started")[0]["sha256"] == SHA


def test_links_pipes_and_strange_names_in_the_folder_are_passed_by(station: Station, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b'{"ev":"open"}\n')
    (station.folder / "play-a-1-1.jsonl").symlink_to(tmp_path / "secret")
    os.mkfifo(station.folder / "play-b-1-1.jsonl")
    (station.folder / "play-<script>.jsonl").write_bytes(b"{}\n")
    (station.folder / "notes.txt").write_bytes(b"{}\n")
    station.look()
    assert station.rig.memory == {}


def test_a_lesson_in_a_loop_for_days_stays_a_short_line(station: Station, player: Player) -> None:
    player.start(duration_s=60)
    for _ in range(400):
        player.run(20)
        player.seek(5)
    player.end()
    for _ in range(3):
        station.look()
    assert station.ended()["content_s"] == 25
    assert len(station.ended()["segments"]) < 2500


def test_segments_that_overlap_count_once() -> None:
    pieces = add_segment(add_segment([(0, 10)], 10.05, 20), 5, 8)
    assert pieces == [(0, 20), (5, 8)]
    assert content_seconds(pieces) == 20
    assert write_segments([(0, 12.5), (30, 60)]) == "0[.]12.5[,]30[.]60"


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


def test_the_sample_is_a_state_as_the_wire_reads_it() -> None:
    assert PlaybackState.model_validate(PROBE.sample).source == "journal"
    assert PROBE.make(PROBE.settings(), Rig()).read(ManualClock().now()).state is not None
