"""The sound sensor against a real PipeWire, whose monitors hear a sink before its mute and volume."""

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.devices.processes import require_program, wait_until
from tests.devices.sound import SoundServer, playing, start_pipewire

pytestmark = pytest.mark.device

# Like a real card's, and unlike module-null-sink's, the monitor of this node does not follow mute and volume.
_CARD = (
    "{ factory.name=support.null-audio-sink node.name=hdmi media.class=Audio/Sink object.linger=true "
    "audio.position=[FL FR] }"
)


@pytest.fixture(scope="module")
def pipewire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoundServer]:
    with start_pipewire(tmp_path_factory.mktemp("pw")) as server:
        create = [require_program("pw-cli"), "create-node", "adapter", _CARD]
        subprocess.run(create, env=dict(server.environment), check=True, capture_output=True, timeout=10)
        server.look_until("the sink appearing", sink_name="hdmi")
        yield server


@pytest.fixture
def hdmi(pipewire: SoundServer) -> SoundServer:
    """The server with its sink as loud as can be, whatever the test before left."""
    pipewire.control("set-sink-mute", "hdmi", "0")
    pipewire.control("set-sink-volume", "hdmi", "100%")
    return pipewire


def test_an_idle_sink_is_present_and_makes_no_sound(hdmi: SoundServer) -> None:
    state = hdmi.look()
    assert (state["sink"], state["sink_name"], state["streams"], state["sounding"]) == (True, "hdmi", 0, False)


def test_a_playing_film_is_heard_until_it_is_paused(hdmi: SoundServer) -> None:
    with playing(hdmi, "hdmi") as player:
        heard = hdmi.look_until("the tone being heard", sounding=True)
        assert heard["peak"] == pytest.approx(0.25, abs=0.08)
        player.set("pause", True)
        assert hdmi.look_until("the pause being seen", streams=0)["sounding"] is False


def test_a_muted_or_turned_down_sink_makes_no_sound_although_its_monitor_still_hears_the_film(
    hdmi: SoundServer,
) -> None:
    with playing(hdmi, "hdmi"):
        hdmi.look_until("the tone being heard", sounding=True)
        hdmi.control("set-sink-mute", "hdmi", "1")
        muted = hdmi.look_until("the mute being seen", muted=True, sounding=False)
        hdmi.control("set-sink-mute", "hdmi", "0")
        hdmi.control("set-sink-volume", "hdmi", "1%")
        quiet = hdmi.look_until("the volume being seen", muted=False, sounding=False)
    assert muted["peak"] > 0.1
    assert quiet["peak"] > 0.1
    assert quiet["volume"] == pytest.approx(0.01, abs=0.002)


def test_a_silent_track_plays_but_is_not_heard(hdmi: SoundServer) -> None:
    with playing(hdmi, "hdmi", amplitude=0):
        silent = hdmi.look()
    assert (silent["streams"], silent["peak"], silent["sounding"]) == (1, 0.0, False)


def test_the_dummy_sink_is_none_and_a_server_that_dies_is_missed(tmp_path_factory: pytest.TempPathFactory) -> None:
    with start_pipewire(tmp_path_factory.mktemp("pv")) as server:
        wait_until(lambda: "auto_null" in server.control("list", "short", "sinks"), "the dummy sink appearing")
        assert server.look()["sink"] is False
        os.kill(server.pid, signal.SIGKILL)
        wait_until(lambda: server.look()["server"] is False, "the death being seen")
