import pytest

from agent.probes import _journal
from tests.agent.probes.station import Player, Station


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
