"""Real players as the helper sees them through MPRIS: mpv with mpv-mpris, VLC by itself."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.probes._journal import parse
from tests import media
from tests.devices.desktop import Desktop, helping, open_desktop
from tests.devices.players import SCRIPT, _as_plain_user, only_vlc, open_folder
from tests.devices.processes import running

pytestmark = pytest.mark.device
MPRIS = "/etc/mpv/scripts/mpris.so"
NAME = "乡村振兴 <script>第3讲=.mp4"


@pytest.fixture
def desktop() -> Iterator[Desktop]:
    with open_folder() as folder, open_desktop(folder) as opened:
        yield opened


def put(desktop: Desktop, seconds: float, name: str = NAME) -> Path:
    path = desktop.folder / name
    path.write_bytes(media.mp4(seconds))
    return path


@contextmanager
def mpv(desktop: Desktop, *paths: Path, script: Path | None = None) -> Iterator[int]:
    fixed = ["--no-config", "--vo=null", "--ao=null", "--no-terminal", f"--script={MPRIS}"]
    own = (
        [] if script is None else [f"--script={script}", f"--script-opts=station_journal-dir={desktop.folder}/journal"]
    )
    command = ["mpv", *fixed, *own, "--", *map(str, paths)]
    with running(command, environment=desktop.environment, log=desktop.folder / "mpv.log") as process:
        yield process.pid


def test_a_film_in_mpv_without_our_script_is_told_to_its_end(desktop: Desktop) -> None:
    path = put(desktop, 7)
    desktop.rig.hashes[str(path)] = "a" * 64
    with mpv(desktop, path):
        desktop.wait_for('"ev":"exit"')
    desktop.look()
    (ended,) = desktop.rig.told("playback.ended")
    assert (ended["player"], ended["via"], ended["reason"]) == ("mpv", "mpris", "completed")
    assert (ended["name"], ended["sha256"], ended["flags"]) == (NAME, "a" * 64, [])
    assert ended["content_s"] == pytest.approx(7, abs=1)
    assert ended["played_s"] == pytest.approx(7, abs=1)
    assert list(ended["minutes"]) == ["E2"]


def test_a_film_in_vlc_is_told_and_counted_once(desktop: Desktop) -> None:
    path = put(desktop, 7)
    options = ["-I", "dummy", "-V", "vdummy", "-A", "dummy", "--no-media-library", "--play-and-exit"]
    command = [*_as_plain_user(), "vlc", *options, str(path)]
    with only_vlc(), running(command, environment=desktop.environment, log=desktop.folder / "vlc.log"):
        desktop.wait_for('"ev":"exit"')
    desktop.look()
    (ended,) = desktop.rig.told("playback.ended")
    assert (ended["player"], ended["via"], ended["name"], ended["reason"]) == ("vlc", "mpris", NAME, "completed")
    assert ended["content_s"] == pytest.approx(7, abs=1)


def test_our_scripts_journal_wins_where_both_saw_the_same_playing(desktop: Desktop) -> None:
    with mpv(desktop, put(desktop, 4), script=SCRIPT):
        desktop.wait_for('"ev":"exit"')
    desktop.look()
    desktop.look()
    (ended,) = desktop.rig.told("playback.ended")
    assert (ended["via"], ended["reason"]) == ("journal", "completed")
    assert desktop.rig.kinds().count("playback.started") == 1
    assert desktop.lines() == ""


def test_a_playlist_makes_a_playing_of_each_film_also_of_one_that_comes_twice(desktop: Desktop) -> None:
    second = put(desktop, 2, "b.mp4")
    with mpv(desktop, put(desktop, 2, "a.mp4"), second, second):
        desktop.wait_for('"ev":"exit"')
    desktop.look()
    told = desktop.rig.told("playback.ended")
    assert [(each["name"], each["reason"]) for each in told] == [
        ("a.mp4", "completed"),
        ("b.mp4", "completed"),
        ("b.mp4", "completed"),
    ]
    assert len({each["playback"] for each in told}) == 3


def test_a_helper_killed_and_started_anew_goes_on_with_the_playing(desktop: Desktop) -> None:
    with mpv(desktop, put(desktop, 60)) as pid:
        desktop.wait_for('"ev":"tick"')
        os.kill(desktop.helper, 9)
        with helping(desktop.folder, desktop.environment):
            desktop.wait_for('"ev":"restart"', times=2)
            assert desktop.look()["playing"] == [NAME.removesuffix(".mp4")]
            desktop.wait_for('"ev":"tick"', times=2)
            os.kill(pid, 9)
            desktop.wait_for('"ev":"exit"')
    desktop.look()
    (ended,) = desktop.rig.told("playback.ended")
    assert (ended["reason"], desktop.rig.kinds().count("playback.started")) == ("stopped", 1)
    assert ended["played_s"] == pytest.approx(ended["content_s"], abs=2)


def test_two_players_at_once_are_two_playings_and_neither_ends_the_other(desktop: Desktop) -> None:
    first, second = put(desktop, 60, "a.mp4"), put(desktop, 60, "b.mp4")
    with mpv(desktop, first):
        desktop.wait_for('"ev":"restart"')
        with mpv(desktop, second):
            desktop.wait_for('"ev":"restart"', times=2)
            assert sorted(desktop.look()["playing"]) == ["a", "b"]
        desktop.wait_for('"ev":"exit"')
        assert desktop.look()["playing"] == ["a"]
    desktop.wait_for('"ev":"exit"')
    desktop.look()
    told = {each["name"]: each["reason"] for each in desktop.rig.told("playback.ended")}
    assert told == {"a.mp4": "stopped", "b.mp4": "stopped"}
    assert desktop.rig.kinds().count("playback.started") == 2


def test_a_player_that_is_killed_ends_where_it_was_last_seen(desktop: Desktop) -> None:
    with mpv(desktop, put(desktop, 60)) as pid:
        desktop.wait_for('"ev":"tick"')
        os.kill(pid, 9)
        desktop.wait_for('"ev":"exit"')
    lines = desktop.lines()
    desktop.look()
    told = desktop.rig.told("playback.ended")
    assert [(each["reason"], each["played_s"] < 10) for each in told] == [("stopped", True)], lines


def test_the_lines_are_lines_of_a_journal(desktop: Desktop) -> None:
    with mpv(desktop, put(desktop, 2)):
        desktop.wait_for('"ev":"exit"')
    lines = [parse(each.encode()) for each in desktop.lines().splitlines()]
    assert None not in lines
    moments = [line.mono for line in lines if line is not None]
    assert moments == sorted(set(moments)) != []
