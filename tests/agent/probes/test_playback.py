import os
from pathlib import Path

import pytest

from agent.probes.playback import PROBE
from shared.wire.states import PlaybackState
from tests.agent.probes.rig import Rig
from tests.agent.probes.station import LESSON, SHA, Player, Station
from tests.clocks import ManualClock


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


def test_the_sample_is_a_state_as_the_wire_reads_it() -> None:
    assert PlaybackState.model_validate(PROBE.sample).source == "journal"
    assert PROBE.make(PROBE.settings(), Rig()).read(ManualClock().now()).state is not None


def test_a_pause_over_midnight_counts_for_nothing_and_stays_one_playing(station: Station, player: Player) -> None:
    station.clock.advance(hours=14)
    player.start()
    player.run(600)
    player.fields["paused"] = True
    player.say("pause")
    for _ in range(60):
        station.clock.advance(minutes=2)
        player.say("tick")
        station.look()
    player.fields["paused"] = False
    player.say("play")
    player.run(300)
    player.end()
    station.look()
    told = station.ended()
    assert (told["played_s"], told["content_s"]) == (900, 900)
    assert station.rig.kinds().count("playback.started") == 1


@pytest.mark.parametrize("path", ["/media/desk/光盘 1/a.mp4", "/run/media/desk/USB/b.ts", "dvd://1", "smb://nas/c.mp4"])
def test_what_plays_from_disc_usb_or_a_share_is_told_by_its_name(station: Station, player: Player, path: str) -> None:
    player.start(path)
    player.run(60)
    player.end()
    station.look()
    told = station.ended()
    assert (told["played_s"], told["sha256"]) == (60, None)
    assert told["title"]


def test_two_players_at_once_are_two_playings_of_their_own(station: Station, player: Player) -> None:
    other = Player(station.folder, station.clock, "bbbbbbbbbbbb-4343-600000")
    player.start()
    other.start("/srv/courseware/b.mp4")
    for _ in range(6):
        player.run(10)
        other.fields["pos"] += 10
        other.say("tick")
    player.end()
    other.end()
    station.look()
    told = station.rig.told("playback.ended")
    assert sorted(each["name"] for each in told) == ["b.mp4", "水稻 第1讲.mp4"]
    assert [each["played_s"] for each in told] == [60, 60]
