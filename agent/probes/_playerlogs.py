"""Reads what stock players log, for stations without our journal: mpv's --log-file and VLC's --file-logging.

These logs carry no date. mpv's counts seconds since its start and is begun anew at each start; VLC's is appended to,
has no time at all and says nothing of pauses. So their lines become journal lines whose time is that of their arrival.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote_to_bytes

from agent.probes._journal import Line, encode_path
from shared.clock import Instant

_MPV = re.compile(rb"\[ *(\d{1,9}\.\d+)\]\[\w\]\[([\w/]+)\] (.*)")
_MPV_PAUSE = re.compile(rb"Set property: pause=(true|false) ")
_MPV_CYCLE = re.compile(rb'Run command: cycle, .*name="pause"')
_MPV_RESTART = re.compile(rb"playback restart complete @ (\d+\.\d+)")
_MPV_END = re.compile(rb"finished playback, .*\(reason (\d)\)")
_MPV_REASONS = {b"0": "eof", b"2": "stop", b"3": "quit", b"4": "error", b"5": "redirect"}

_VLC_ACCESS = re.compile(rb"main debug: `(file(?:/\w+)?://.*)' gives access `")
_VLC_DECODER = re.compile(rb"main debug: using (?:audio|video) decoder module ")
_VLC_LIST = re.compile(rb"\.(?:xspf|m3u8?|pls|asx|wpl|cue)$", re.IGNORECASE)
_VLC_STOP = (b"main debug: incoming request - stopping current input", b"main debug: nothing to play")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a player as its log tells it: items so far, whether one is paused, and whether our journal has it.

    `origin_ms` is where the log's own second 0 lies on the monotonic clock of the station, None without such seconds.
    """

    items: int = 0
    paused: bool = False
    journalled: bool = False
    origin_ms: int | None = None


def read_mpv(lines: list[bytes], run: Run, now: Instant) -> tuple[list[Line], Run]:
    """What a piece of mpv's log says. The newest line is taken to be as old as this look."""
    matched = [found for found in map(_MPV.match, lines) if found]
    if not matched:
        return [], run
    if run.origin_ms is None:
        run = replace(run, origin_ms=max(0, now.mono_ms - round(float(matched[-1][1]) * 1000)))
    told: list[Line] = []
    for found in matched:
        module, text = found[2], found[3].strip()
        if module == b"station_journal":
            run = replace(run, journalled=True)
        if module != b"cplayer" and not text.startswith(b"queuing seek"):
            continue
        events, run = _mpv_events(text, run)
        mono_ms = min((run.origin_ms or 0) + round(float(found[1]) * 1000), now.mono_ms)
        told.extend(_line(run, now, mono_ms, **event) for event in events)
    return ([] if run.journalled else told), run


def _mpv_events(text: bytes, run: Run) -> tuple[list[dict[str, Any]], Run]:
    for opening in (b"Opening done: ", b"Failed to open "):
        if text.startswith(opening):
            return [{"ev": "open", "path": encode_path(text.removeprefix(opening))}], replace(run, items=run.items + 1)
    if (found := _MPV_PAUSE.match(text)) or _MPV_CYCLE.match(text):
        paused = found[1] == b"true" if found else not run.paused
        return [{"ev": "pause" if paused else "play"}], replace(run, paused=paused)
    return [*_mpv_event(text)], run


def _mpv_event(text: bytes) -> Iterator[dict[str, Any]]:
    if found := _MPV_RESTART.match(text):
        yield {"ev": "restart", "pos": float(found[1])}
    elif found := _MPV_END.match(text):
        yield {"ev": "end", "reason": _MPV_REASONS.get(found[1], "quit")}
    elif text.startswith(b"queuing seek"):
        yield {"ev": "seek"}
    elif text.startswith(b"Exiting..."):
        yield {"ev": "exit"}


def read_vlc(lines: list[bytes], run: Run, now: Instant) -> tuple[list[Line], Run]:
    """What a piece of VLC's log says. All of it is as old as this look."""
    told: list[Line] = []
    for text in lines:
        for event in _vlc_events(text):
            run = replace(run, items=run.items + (event["ev"] == "open"))
            told.append(_line(run, now, now.mono_ms, **event))
    return told, run


def _vlc_events(text: bytes) -> Iterator[dict[str, Any]]:
    if found := _VLC_ACCESS.match(text):
        path = unquote_to_bytes(found[1].partition(b"://")[2])
        # VLC also "plays" its own library and lists of files.
        if not _VLC_LIST.search(path):
            yield {"ev": "open", "path": encode_path(path)}
    elif _VLC_DECODER.match(text):
        yield {"ev": "start", "pos": 0.0}
    elif text.startswith(b"main debug: EOF reached"):
        yield {"ev": "end", "reason": "eof"}
    elif text.startswith(b"main error: VLC is unable to open the MRL"):
        yield {"ev": "end", "reason": "error"}
    elif text.startswith(_VLC_STOP):
        yield {"ev": "end", "reason": "stop"}
    elif b"-- logger module st" in text:
        yield {"ev": "exit"}


def tick(run: Run, now: Instant) -> Line:
    """A line for this moment, for a player that says nothing while it plays."""
    return _line(run, now, now.mono_ms, ev="tick")


def _line(run: Run, now: Instant, mono_ms: int, **event: Any) -> Line:
    wall_ms = now.wall_ms - (now.mono_ms - mono_ms)
    return Line(n=run.items, wall=wall_ms, mono=mono_ms, boot=now.boot, paused=run.paused, **event)
