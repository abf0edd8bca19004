"""A view of a PulseAudio server (or PipeWire's) with a deadline over everything, through libpulse.

One connection is made for each look and belongs to the thread that looks: libpulse's loop may not be shared, a
connection costs 1 ms, and a server that restarts is met anew without any bookkeeping. Imported only when sound is
looked at.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pulsectl
from pulsectl._pulsectl import pa as libpulse


class NoSoundServerError(Exception):
    """The sound server cannot be reached, does not let us in, died or is too slow to answer."""


@dataclass(frozen=True, slots=True)
class Output:
    """A sink. `volume` 1.0 is 100 %, `monitor` names the source that hears what it plays."""

    index: int
    name: str
    muted: bool
    volume: float
    monitor: str


@dataclass(frozen=True, slots=True)
class Stream:
    """What a program plays into the sink of this index; `corked` means paused."""

    output: int
    muted: bool
    corked: bool


class _BoundedPulse(pulsectl.Pulse):  # type: ignore[misc]  # pulsectl has no type information
    """pulsectl waits for ever for an answer, and its own connect timeout always waits to the end (24.12.0).

    Each turn of its loop is therefore made here, up to `deadline` (seconds of time.monotonic).
    """

    deadline = 0.0

    def _pulse_iterate(self, block: bool = True) -> None:
        left_us = int((self.deadline - time.monotonic()) * 1_000_000)
        if left_us <= 0:
            raise pulsectl.PulseError("the sound server did not answer in time")
        with self._pulse_loop() as loop:
            libpulse.mainloop_prepare(loop, left_us if block else 0)
            libpulse.mainloop_poll(loop)
            libpulse.mainloop_dispatch(loop)


class Link:
    """An open connection. Every method may raise; `connect` turns it into NoSoundServerError."""

    def __init__(self, pulse: _BoundedPulse) -> None:
        self._pulse = pulse

    def list_outputs(self) -> list[Output]:
        return [
            Output(sink.index, sink.name, bool(sink.mute), sink.volume.value_flat, sink.monitor_source_name)
            for sink in self._pulse.sink_list()
        ]

    def list_streams(self) -> list[Stream]:
        return [Stream(each.sink, bool(each.mute), each.corked) for each in self._pulse.sink_input_list()]

    def get_default(self) -> str | None:
        """Name of the default sink."""
        name: str | None = self._pulse.server_info().default_sink_name
        return name

    def set_volume(self, output: Output, volume: float) -> None:
        """1.0 is 100 %, on all channels."""
        self._pulse.volume_set_all_chans(self._pulse.get_sink_by_name(output.name), volume)

    def unmute(self, output: Output) -> None:
        self._pulse.mute(self._pulse.get_sink_by_name(output.name), False)

    def listen(self, output: Output, seconds: float) -> float:
        """Greatest amplitude (0..1) heard from this sink. Counts as a recording: it keeps the sink awake."""
        peak: float = self._pulse.get_peak_sample(output.monitor, seconds)
        return peak


@contextmanager
def connect(server: str | None, *, within_s: float) -> Iterator[Link]:
    """A connection to `server` (None: the user's own), of which all answers together take at most `within_s`.

    Listening comes on top. Raises NoSoundServerError, also for what happens inside the block.
    """
    pulse = _BoundedPulse("yuanjiao", server=server, connect=False)
    pulse.deadline = time.monotonic() + within_s
    try:
        pulse.connect(autospawn=False)
        yield Link(pulse)
    except (pulsectl.PulseError, libpulse.CallError) as problem:
        raise NoSoundServerError(str(problem)) from problem
    finally:
        pulse.close()
