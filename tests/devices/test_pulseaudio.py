"""The sound sensor against a real PulseAudio with null sinks standing in for sound cards."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from agent.session import sound
from tests.devices.processes import wait_until
from tests.devices.sound import SoundServer, playing, start_pulseaudio

pytestmark = pytest.mark.device


@pytest.fixture(scope="module")
def pulseaudio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoundServer]:
    with start_pulseaudio(tmp_path_factory.mktemp("pa")) as server:
        server.control("load-module", "module-null-sink", "sink_name=hdmi")
        yield server


@pytest.fixture
def hdmi(pulseaudio: SoundServer) -> SoundServer:
    """The server with its sink as loud as can be, whatever the test before left."""
    pulseaudio.control("set-sink-mute", "hdmi", "0")
    pulseaudio.control("set-sink-volume", "hdmi", "100%")
    return pulseaudio


@pytest.fixture
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoundServer]:
    """A server of this test's own, without a sink."""
    with start_pulseaudio(tmp_path_factory.mktemp("pb")) as server:
        yield server


def test_an_idle_sink_is_present_and_makes_no_sound(hdmi: SoundServer) -> None:
    assert hdmi.look() == {
        "server": True,
        "sink": True,
        "sink_name": "hdmi",
        "muted": False,
        "volume": 1.0,
        "streams": 0,
        "peak": None,
        "sounding": False,
    }


def test_a_playing_film_is_heard_until_it_is_paused_and_again_after(hdmi: SoundServer) -> None:
    with playing(hdmi, "hdmi") as player:
        heard = hdmi.look_until("the tone being heard", sounding=True)
        assert heard["peak"] == pytest.approx(0.25, abs=0.08)
        player.set("pause", True)
        assert hdmi.look_until("the pause being seen", streams=0)["sounding"] is False
        player.set("pause", False)
        hdmi.look_until("the tone being heard again", streams=1, sounding=True)


def test_a_muted_or_turned_down_sink_makes_no_sound_although_the_film_plays(hdmi: SoundServer) -> None:
    with playing(hdmi, "hdmi"):
        hdmi.look_until("the tone being heard", sounding=True)
        hdmi.control("set-sink-mute", "hdmi", "1")
        assert hdmi.look_until("the mute being seen", muted=True, sounding=False)["streams"] == 1
        hdmi.control("set-sink-mute", "hdmi", "0")
        hdmi.control("set-sink-volume", "hdmi", "1%")
        quiet = hdmi.look_until("the volume being seen", muted=False, sounding=False)
        assert quiet["volume"] == pytest.approx(0.01, abs=0.002)


def test_a_silent_track_plays_but_is_not_heard(hdmi: SoundServer) -> None:
    with playing(hdmi, "hdmi", amplitude=0):
        silent = hdmi.look()
    assert (silent["streams"], silent["peak"], silent["sounding"]) == (1, 0.0, False)


def test_a_player_muted_inside_itself_is_not_heard(hdmi: SoundServer) -> None:
    with playing(hdmi, "hdmi") as player:
        hdmi.look_until("the tone being heard", sounding=True)
        player.set("mute", True)
        assert hdmi.look_until("the silence being heard", sounding=False)["muted"] is False


def test_the_sink_played_into_is_watched_even_when_it_is_not_the_default(bare: SoundServer) -> None:
    bare.control("load-module", "module-null-sink", "sink_name=speakers")
    bare.control("load-module", "module-null-sink", "sink_name=hdmi")
    bare.control("set-default-sink", "speakers")
    assert bare.look()["sink_name"] == "speakers"
    with playing(bare, "hdmi"):
        bare.look_until("the tone being heard", sink_name="hdmi", sounding=True)


def test_the_dummy_sink_of_the_server_is_no_sink(bare: SoundServer) -> None:
    bare.control("load-module", "module-always-sink")
    wait_until(lambda: "auto_null" in bare.control("list", "short", "sinks"), "the dummy sink appearing")
    state = bare.look()
    assert (state["server"], state["sink"], state["sink_name"]) == (True, False, "")


def test_a_server_that_dies_is_missed_and_met_again(bare: SoundServer) -> None:
    assert bare.look()["server"] is True
    os.kill(bare.pid, signal.SIGKILL)
    wait_until(lambda: bare.look()["server"] is False, "the death being seen")
    with start_pulseaudio(bare.folder):
        wait_until(lambda: bare.look()["server"] is True, "the new server being seen")


def test_a_server_that_hangs_costs_no_more_than_the_time_allowed(bare: SoundServer) -> None:
    os.kill(bare.pid, signal.SIGSTOP)
    began = time.monotonic()
    state = bare.look(timeout_s=0.5)
    took_s = time.monotonic() - began
    os.kill(bare.pid, signal.SIGCONT)
    assert state["server"] is False
    assert took_s < 1.5
    assert bare.look()["server"] is True


def test_the_sound_is_changed_as_ordered_and_the_change_is_seen(hdmi: SoundServer) -> None:
    hdmi.control("set-sink-mute", "hdmi", "1")

    done = [
        sound.change({"do": "set_volume", "volume": 0.4}, hdmi.url),
        sound.change({"do": "unmute"}, hdmi.url),
    ]

    seen = hdmi.look()
    assert done == [True, True]
    assert (seen["muted"], round(seen["volume"], 2)) == (False, 0.4)


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"do": "set_volume"},
        {"do": "set_volume", "volume": 7},
        {"do": "set_volume", "volume": "1"},
        {"do": "shell", "volume": 1},
    ],
)
def test_an_order_that_makes_no_sense_changes_nothing(hdmi: SoundServer, order: dict[str, object]) -> None:
    assert sound.change(order, hdmi.url) is False
    assert hdmi.look()["volume"] == 1.0


def test_without_a_server_or_a_sink_nothing_can_be_changed(bare: SoundServer) -> None:
    assert sound.change({"do": "unmute"}, bare.url) is False
    assert sound.change({"do": "unmute"}, "unix:/nowhere/native") is False
