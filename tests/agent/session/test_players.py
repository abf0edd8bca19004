"""Snapshots of a player become the lines of a journal: every case by hand, no bus."""

from dataclasses import replace
from typing import Any

import pytest

from agent.probes._journal import parse
from agent.probes._playing import Playing, begin, finish, follow
from agent.session.mail import _dump
from agent.session.players import CLOSE_MS, POLL_MS, Line, Snapshot, Watched, player_of, read_path, read_snapshot
from tests.clocks import ManualClock

FILM = Snapshot("Playing", "/srv/courseware/水稻.mp4", "/1", "水稻", 2400.0, 0.0, 1.0, 80.0)


class Desk:
    """A player whose snapshots a test lays out in time."""

    def __init__(self) -> None:
        self.clock, self.now = ManualClock(), FILM
        self.watched = Watched("bbbbbbbbbbbb-42-600000", "vlc", 42)
        self.lines: list[Line] = []

    def show(self, *, after: float = 0, sought: bool = False, **changed: Any) -> list[str]:
        """Let seconds pass and take a snapshot; returns the events told."""
        self.clock.advance(seconds=after)
        self.now = replace(self.now, **changed)
        told = self.watched.see(self.now, self.clock.now(), sought=sought)
        self.lines += told
        return [line["ev"] for line in told]

    def play(self, seconds: float, *, step: float = 5) -> None:
        for _ in range(int(seconds / step)):
            self.show(after=step, position_s=(self.now.position_s or 0) + step * self.now.rate)

    def add_up(self) -> Playing:
        """What the agent makes of the lines of the first film."""
        parsed = [line for line in map(parse, map(_dump, self.lines)) if line is not None and line.n == 1]
        assert len(parsed) == len([line for line in self.lines if line["n"] == 1])
        playing = begin(parsed[0], playback="x.1", player="vlc", via="mpris")
        for line in parsed:
            playing = follow(playing, line, _nothing())
        return finish(playing, parsed[-1].reason, _nothing())[0]


def _nothing() -> Any:
    from agent.probes._evidence import Outside  # noqa: PLC0415 - keeps the list of imports above to what is tested

    return Outside()


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_film_from_its_start_to_its_end(desk: Desk) -> None:
    assert desk.show(length_s=60.0) == ["open", "start", "restart"]
    desk.play(55)
    desk.play(4, step=1)
    assert desk.show(after=1, status="Stopped") == ["end"]
    assert desk.lines[-1]["reason"] == "eof"
    playing = desk.add_up()
    assert playing.played_s == pytest.approx(60, abs=1)
    assert [round(end - start) for start, end in playing.segments] == [60]


def test_played_seconds_are_what_the_position_moved_and_never_more_than_the_clock(desk: Desk) -> None:
    desk.show()
    desk.play(20)
    desk.show(after=5, sought=True, position_s=2390.0)
    desk.play(5)
    desk.show(status="Stopped")
    playing = desk.add_up()
    assert playing.played_s <= 30
    assert playing.flags == ["seek_to_end"]


def test_a_film_at_double_speed_counts_content_twice_as_fast_as_time(desk: Desk) -> None:
    desk.show(rate=2.0)
    desk.play(60)
    desk.show(status="Stopped")
    playing = desk.add_up()
    assert playing.played_s == pytest.approx(60, abs=2)
    assert sum(end - start for start, end in playing.segments) == pytest.approx(120, abs=4)
    assert playing.flags == ["speed"]


def test_a_pause_counts_for_nothing(desk: Desk) -> None:
    desk.show()
    desk.play(10)
    assert desk.show(status="Paused") == ["pause"]
    assert desk.show(after=5) == []
    assert desk.show(after=60) == ["tick"]
    assert desk.show(after=5, status="Playing") == ["play"]
    desk.play(10)
    desk.show(status="Stopped")
    assert desk.add_up().played_s == pytest.approx(20, abs=1)


def test_a_seek_is_one_only_when_the_position_jumped(desk: Desk) -> None:
    desk.show()
    desk.play(10)
    assert desk.show(after=1, sought=True, position_s=11.3) == ["tick"]
    assert desk.show(after=1, sought=True, position_s=300.0) == ["seek", "restart"]
    assert desk.show(after=5, position_s=900.0) == ["seek", "restart"]


def test_a_playlist_ends_one_film_and_begins_the_next(desk: Desk) -> None:
    desk.show()
    desk.play(10)
    assert desk.show(path="/srv/courseware/b.mp4", track="/2", position_s=0.0) == ["end", "open", "start", "restart"]
    assert desk.lines[-1]["n"] == 2
    desk.play(10)
    assert desk.show(track="/3", position_s=0.0) == ["end", "open", "start", "restart"]
    assert desk.lines[-1]["n"] == 3


def test_a_track_that_gets_another_name_while_its_film_runs_is_the_same_playing(desk: Desk) -> None:
    # What mpv-mpris 0.7.1 says of the first film when it is asked while mpv starts.
    assert desk.show(track="/noplaylist", length_s=None) == ["open", "start", "restart"]
    assert desk.show(after=0.1, track="/0", length_s=2400.0, position_s=0.1) == ["tick"]
    desk.play(60)
    # A film was put before it in the playlist.
    assert desk.show(after=1, track="/1", position_s=61.1) == ["tick"]
    assert desk.show(status="Paused", track="/2") == ["pause"]
    assert {line["n"] for line in desk.lines} == {1}


def test_a_film_begun_again_after_its_end_is_another_playing(desk: Desk) -> None:
    desk.show()
    desk.show(after=5, status="Stopped")
    assert desk.show(after=5, status="Playing", position_s=0.0) == ["open", "start", "restart"]
    assert desk.lines[-1]["n"] == 2


def test_a_length_that_comes_late_begins_nothing_anew(desk: Desk) -> None:
    desk.show(length_s=None, title="")
    assert desk.show(after=5, length_s=2400.0, title="水稻 第1讲", position_s=5.0) == ["tick"]
    assert desk.lines[-1]["dur"] == 2400.0


def test_a_player_that_leaves_ends_what_it_played(desk: Desk) -> None:
    desk.show()
    desk.play(10)
    lines = desk.watched.lose(desk.clock.now())
    assert [(line["ev"], line.get("reason")) for line in lines] == [("end", "quit"), ("exit", None)]


def test_no_volume_is_told_before_the_player_had_one(desk: Desk) -> None:
    desk.show(volume=0.0)
    assert "vol" not in desk.lines[-1]
    desk.show(after=5, position_s=5.0, volume=80.0)
    desk.show(after=5, position_s=10.0, volume=0.0)
    assert [line["vol"] for line in desk.lines[-2:]] == [80.0, 0.0]


def test_the_end_of_a_film_is_watched_more_closely(desk: Desk) -> None:
    desk.show()
    assert desk.watched.due_ms() - desk.clock.now().mono_ms == POLL_MS
    desk.show(position_s=2395.0)
    assert desk.watched.due_ms() - desk.clock.now().mono_ms == CLOSE_MS


def test_no_two_lines_share_a_moment(desk: Desk) -> None:
    desk.show()
    desk.show(path="/b.mp4")
    moments = [line["mono"] for line in desk.lines]
    assert moments == sorted(set(moments))


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:///srv/%E6%B0%B4%E7%A8%BB.mp4", "/srv/水稻.mp4"),
        ("file:///srv/%CB%FE.mp4", "/srv/\udccb\udcfe.mp4"),
        ("dvd:///dev/sr0", "dvd:///dev/sr0"),
        ("https://example.cn/film", ""),
        ("file://elsewhere/srv/a.mp4", ""),
        ("", ""),
    ],
)
def test_only_files_and_discs_are_told(url: str, path: str) -> None:
    assert read_path(url) == path


@pytest.mark.parametrize(
    ("name", "player"),
    [
        ("org.mpris.MediaPlayer2.vlc.instance42", "vlc"),
        ("org.mpris.MediaPlayer2.mpv", "mpv"),
        ("org.mpris.MediaPlayer2.firefox.instance_1", None),
        ("org.mpris.MediaPlayer2.playerctld", None),
        ("org.mpris.MediaPlayer2.", None),
        ("org.example.vlc", None),
    ],
)
def test_browsers_and_relays_are_no_players(name: str, player: str | None) -> None:
    assert player_of(name) == player


def test_what_has_the_wrong_type_counts_as_not_said() -> None:
    nonsense = {"PlaybackStatus": 7, "Metadata": [], "Position": "soon", "Rate": float("nan"), "Volume": None}
    assert read_snapshot(nonsense) == Snapshot(status="7")
    metadata = {"mpris:length": -1, "xesam:url": 5, "xesam:title": "t" * 9000}
    snapshot = read_snapshot({"Metadata": metadata, "Rate": 10**9})
    assert (snapshot.length_s, snapshot.path, len(snapshot.title), snapshot.rate) == (None, "", 300, 1.0)
