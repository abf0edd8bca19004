"""The rule of what sounds, and servers that cannot be had for real; real servers are in `tests/devices`."""

import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.probes._pulse import Output, Stream
from agent.probes.audio import PROBE, AudioSensor, AudioSettings, describe
from shared.wire.states import AudioState
from tests.clocks import ManualClock

NOW = ManualClock().now()
HDMI = Output(index=7, name="hdmi", muted=False, volume=0.8, monitor="hdmi.monitor")
FILM = Stream(output=7, muted=False, corked=False)


def hears(peak: float) -> Callable[[Output], float]:
    return lambda _: peak


def fails(output: Output) -> float:
    raise AssertionError(f"listened to {output.name} although nothing plays")


@pytest.mark.parametrize(
    ("peak", "muted", "volume", "stream_muted", "sounding"),
    [
        (0.128, False, 0.8, False, True),
        (0.002, False, 0.8, False, False),
        (0.128, True, 0.8, False, False),
        (0.128, False, 0.02, False, False),
        (0.128, False, 0.8, True, False),
    ],
)
def test_sound_comes_out_only_when_heard_not_muted_and_loud_enough(
    *, peak: float, muted: bool, volume: float, stream_muted: bool, sounding: bool
) -> None:
    output = Output(index=7, name="hdmi", muted=muted, volume=volume, monitor="hdmi.monitor")
    stream = Stream(output=7, muted=stream_muted, corked=False)
    assert describe([output], [stream], default="hdmi", listen=hears(peak)).sounding is sounding


def test_nothing_is_recorded_while_every_stream_is_paused() -> None:
    paused = Stream(output=7, muted=False, corked=True)
    state = describe([HDMI], [paused], default="hdmi", listen=fails)
    assert (state.streams, state.peak, state.sounding) == (0, None, False)


def test_the_dummy_sink_counts_as_none_even_when_a_film_plays_into_it() -> None:
    dummy = Output(index=7, name="auto_null", muted=False, volume=1, monitor="auto_null.monitor")
    state = describe([dummy], [FILM], default="auto_null", listen=fails)
    assert (state.server, state.sink, state.streams, state.sounding) == (True, False, 1, False)


def test_the_default_sink_is_watched_when_none_is_played_into() -> None:
    other = Output(index=3, name="speakers", muted=False, volume=1, monitor="speakers.monitor")
    assert describe([other, HDMI], [], default="hdmi", listen=fails).sink_name == "hdmi"


def test_the_sink_played_into_is_watched_before_the_default_one() -> None:
    other = Output(index=3, name="speakers", muted=False, volume=1, monitor="speakers.monitor")
    assert describe([other, HDMI], [FILM], default="speakers", listen=hears(0.1)).sink_name == "hdmi"


def test_an_amplified_sink_is_told_as_full_volume() -> None:
    amplified = Output(index=7, name="hdmi", muted=False, volume=1.5, monitor="hdmi.monitor")
    assert describe([amplified], [], default=None, listen=fails).volume == 1.0


def test_without_a_server_the_state_says_so(tmp_path: Path) -> None:
    sensor = AudioSensor(AudioSettings(server=f"unix:{tmp_path / 'native'}"))
    state = sensor.read(NOW).state
    assert state == AudioState(server=False).model_dump()


def test_a_server_that_accepts_and_says_nothing_costs_no_more_than_the_time_allowed(tmp_path: Path) -> None:
    path = tmp_path / "native"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        began = time.monotonic()
        reading = AudioSensor(AudioSettings(server=f"unix:{path}", timeout_s=0.3)).read(NOW)
        took_s = time.monotonic() - began
    assert reading.state == AudioState(server=False).model_dump()
    assert took_s < 1


def test_looks_at_a_dead_or_silent_server_leave_no_open_file(tmp_path: Path) -> None:
    path = tmp_path / "native"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen(64)
        dead = AudioSensor(AudioSettings(server=f"unix:{tmp_path / 'nobody'}"))
        hung = AudioSensor(AudioSettings(server=f"unix:{path}", timeout_s=0.02))
        dead.read(NOW)
        hung.read(NOW)
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(20):
            dead.read(NOW)
            hung.read(NOW)
        assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_longest_look_ends_before_it_counts_as_hung() -> None:
    longest = AudioSettings(timeout_s=10, listen_s=1)
    assert longest.timeout_s + longest.listen_s < PROBE.limit_s


def test_the_sample_has_the_fields_of_the_wire() -> None:
    assert AudioState.model_validate(PROBE.sample).model_dump() == PROBE.sample
