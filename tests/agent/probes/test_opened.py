"""The second witness: who holds a film open. On the kernel's own inotify."""

import os
from pathlib import Path

import pytest

from agent.probes import _opened
from agent.probes._opened import Opened
from tests.agent.probes.station import Player, Station
from tests.clocks import ManualClock


class Films:
    """A folder of films and the witness; a look is made at each step of time."""

    def __init__(self, root: Path, clock: ManualClock) -> None:
        self.root, self.clock = root, clock
        (root / "实用技术").mkdir(parents=True)
        self.film = root / "实用技术" / "水稻 第1讲.mp4"
        self.film.write_bytes(b"film")
        self.opened = Opened(os.fsencode(root))
        self.opened.look(clock.now())

    def wait(self, seconds: int) -> int:
        """Let time pass; returns the moment."""
        for _ in range(seconds // 5):
            self.clock.advance(seconds=5)
            self.opened.look(self.clock.now())
        return self.clock.now().mono_ms

    def was_held(self, begin_ms: int, end_ms: int) -> bool | None:
        return self.opened.was_held(os.fsencode(self.film), begin_ms, end_ms)


@pytest.fixture
def films(tmp_path: Path, clock: ManualClock) -> Films:
    return Films(tmp_path / "films", clock)


def test_a_film_held_open_while_it_plays_is_seen(films: Films) -> None:
    begin = films.wait(10)
    with films.film.open("rb"):
        films.wait(60)
    assert films.was_held(begin, films.wait(5)) is True


def test_a_film_still_held_counts_as_held(films: Films) -> None:
    begin = films.wait(10)
    with films.film.open("rb"):
        assert films.was_held(begin, films.wait(60)) is True


def test_a_film_nobody_opened_is_not_held(films: Films) -> None:
    begin = films.wait(10)
    assert films.was_held(begin, films.wait(60)) is False


def test_a_short_look_into_the_file_is_no_playing(films: Films) -> None:
    begin = films.wait(10)
    films.film.read_bytes()
    assert films.was_held(begin, films.wait(60)) is False


def test_a_player_that_looks_ahead_is_seen_though_equal_events_come_as_one(films: Films) -> None:
    begin = films.wait(10)
    with films.film.open("rb"):
        films.film.read_bytes()
        films.wait(60)
    assert films.was_held(begin, films.wait(5)) is True


def test_what_was_before_the_watch_or_is_outside_or_short_is_not_known(films: Films) -> None:
    now = films.wait(60)
    assert films.was_held(0, now) is None
    assert films.was_held(now - 15_000, now) is None
    assert films.opened.was_held(b"/media/disc/a.mp4", now - 50_000, now) is None


def test_a_film_deleted_or_renamed_while_it_plays_was_held_under_its_name(films: Films) -> None:
    begin = films.wait(10)
    with films.film.open("rb"):
        films.wait(30)
        films.film.rename(films.root / "b.mp4")
        films.wait(30)
    assert films.was_held(begin, films.wait(5)) is True


def test_a_folder_that_comes_later_is_watched_too(films: Films) -> None:
    (films.root / "法律").mkdir()
    late = films.root / "法律" / "a.mp4"
    late.write_bytes(b"film")
    begin = films.wait(310)
    with late.open("rb"):
        end = films.wait(60)
    assert films.opened.was_held(os.fsencode(late), begin, end) is True


def test_after_too_many_events_nothing_is_claimed(films: Films, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = films.wait(10)
    monkeypatch.setattr(_opened, "_read", lambda _file: iter([(-1, _opened._OVERFLOW, b"")]))
    assert films.was_held(begin, films.wait(60)) is None


def test_without_a_watch_nothing_is_known(films: Films, monkeypatch: pytest.MonkeyPatch) -> None:
    films.opened.close()
    monkeypatch.setattr(_opened, "_begin", lambda: -1)
    begin = films.wait(10)
    assert films.was_held(begin, films.wait(60)) is None


def test_looks_at_a_folder_that_is_away_leave_no_file_open(tmp_path: Path, clock: ManualClock) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(20):
        opened = Opened(os.fsencode(tmp_path / "away"))
        opened.look(clock.now())
        opened.close()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


@pytest.mark.parametrize(("held", "flags"), [("水稻 第1讲.mp4", []), ("another.mp4", ["uncorroborated"])])
def test_a_record_of_a_film_nobody_held_open_is_flagged(
    films: Films, station: Station, player: Player, held: str, flags: list[str]
) -> None:
    films.film.with_name("another.mp4").write_bytes(b"film")
    station.settings = station.settings.model_copy(update={"films": films.root})
    station.restart()
    station.look()
    station.look_after(5)
    with films.film.with_name(held).open("rb"):
        station.look()
        player.start(str(films.film))
        for _ in range(6):
            player.run(10)
            station.look()
    player.end()
    station.look()
    assert station.ended()["flags"] == flags
    station.sensor.close()
