"""Runs the sensors: each in its own thread, timed and guarded, so that one that hangs or raises delays nobody.

What a sensor brings is recorded before its next look. If it cannot be recorded (disk full), it is kept and tried
again, and the sensor waits.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.errors import SpoolError
from agent.probes.base import Probe, Reading, Sensor
from agent.spool import Spool
from shared.clock import Instant
from shared.wire.v1 import ProbeReport, dump_line

log = logging.getLogger("yuanjiao.runner")

Chosen = tuple[str, Probe, Any]
"""A sensor by name, with its settings already validated."""

_EAGER_EVERY_MS = 5000
_MAX_STATE_BYTES = 64 * 1024


class Look(threading.Thread):
    """One look at one device, under way or done."""

    def __init__(self, name: str, read: Callable[[], Reading]) -> None:
        super().__init__(name=f"probe-{name}", daemon=True)
        self._read = read
        self.reading: Reading | None = None
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self.reading = self._read()
        except Exception as error:  # noqa: BLE001 - a broken sensor is a fact to report
            self.error = error


class InlineLook(Look):
    """A look that is done at once, in the caller's thread: for tests, the simulation and virtual stations."""

    def start(self) -> None:
        self.run()

    def is_alive(self) -> bool:
        return False


@dataclass(slots=True)
class _Post:
    """Where one sensor stands."""

    probe: Probe
    sensor: Sensor
    settings: Any
    due_ms: int = 0
    look: Look | None = None
    began: Instant | None = None
    unsaved: Reading | None = None
    report: ProbeReport | None = None

    def is_due(self, now: Instant) -> bool:
        """When its time has come, or sooner where the sensor asks for it (`is_eager`), a few seconds apart."""
        if now.mono_ms >= self.due_ms:
            return True
        is_eager = getattr(self.sensor, "is_eager", None)
        rested = self.began is None or now.mono_ms - self.began.mono_ms >= _EAGER_EVERY_MS
        return is_eager is not None and rested and bool(is_eager())


@dataclass(frozen=True, slots=True)
class _Surroundings:
    name: str
    spool: Spool
    states: Mapping[str, ProbeReport]
    memo_key: Callable[[str], str]

    def recall(self) -> Mapping[str, str]:
        return self.spool.recall(self.name)

    def memory_name(self) -> str:
        return self.spool.stream

    def identify(self, path: str) -> str | None:
        return self.spool.recall_field("courseware", self.memo_key(path), "sha256")

    def latest(self, probe: str) -> Mapping[str, Any] | None:
        report = self.states.get(probe)
        return report.state if report is not None and report.status == "ok" else None


@dataclass(slots=True)
class Runner:
    """`probes` with their settings already validated; `look` makes a look, threaded or inline."""

    spool: Spool
    look: type[Look] = Look
    _posts: dict[str, _Post] = field(default_factory=dict)
    _states: dict[str, ProbeReport] = field(default_factory=dict)
    _ordered: tuple[Sequence[Chosen], Callable[[str], str]] | None = None

    def add(self, name: str, probe: Probe, settings: Any, *, memo_key: Callable[[str], str] = str) -> None:
        """Put a sensor to work. A sensor that cannot even be made is reported as failed."""
        surroundings = _Surroundings(name, self.spool, self._states, memo_key)
        try:
            sensor = probe.make(settings, surroundings)
        except Exception as error:  # noqa: BLE001 - as for a look
            log.warning("probe.not_made name=%s error=%s", name, error)
            self._states[name] = ProbeReport(status="failed", mono=0, error=_brief(error))
            return
        self._posts[name] = _Post(probe, sensor, settings)

    def configure(self, chosen: Sequence[Chosen], *, memo_key: Callable[[str], str] = str) -> None:
        """From the next turn on these sensors work, with these settings, and no others. For any thread."""
        self._ordered = (chosen, memo_key)

    def hasten(self, name: str) -> bool:
        """Look at the next turn; False where there is no such sensor."""
        post = self._posts.get(name)
        if post is not None:
            post.due_ms = 0
        return post is not None

    def retell(self, name: str) -> bool:
        """Let a sensor tell again all that is there; False where there is none that can."""
        post = self._posts.get(name)
        again = None if post is None else getattr(post.sensor, "retell", None)
        if again is None:
            return False
        again()
        return self.hasten(name)

    def tick(self, now: Instant) -> None:
        """Collect finished looks, record what they brought, start those that are due."""
        if self._ordered is not None:
            self._reconfigure(*self._ordered)
        for name, post in self._posts.items():
            if post.look is not None:
                self._collect(name, post, now)
            if post.unsaved is not None:
                self._save(name, post, now)
            if post.look is None and post.unsaved is None and post.is_due(now):
                self._start(name, post, now)

    def reports(self) -> dict[str, ProbeReport]:
        """Newest picture of every sensor, for the heartbeat."""
        return dict(self._states)

    def close(self) -> None:
        for post in self._posts.values():
            _close(post)

    def _reconfigure(self, chosen: Sequence[Chosen], memo_key: Callable[[str], str]) -> None:
        """A sensor whose settings stay goes on undisturbed.

        What one of the others has brought and nobody could record yet, it will see again; a look under way comes to
        nothing.
        """
        self._ordered = None
        wanted = {name: settings for name, _, settings in chosen}
        for name in [*self._states, *self._posts]:
            post = self._posts.get(name)
            if post is None or name not in wanted or wanted[name] != post.settings:
                self._states.pop(name, None)
                self._posts.pop(name, None)
                if post is not None:
                    _close(post)
        for name, probe, settings in chosen:
            if name not in self._posts:
                self.add(name, probe, settings, memo_key=memo_key)

    def _start(self, name: str, post: _Post, now: Instant) -> None:
        post.due_ms = now.mono_ms + post.probe.every_s * 1000
        post.began = now
        post.look = self.look(name, lambda: post.sensor.read(now))
        post.look.start()
        if not post.look.is_alive():
            self._collect(name, post, now)
            if post.unsaved is not None:
                self._save(name, post, now)

    def _collect(self, name: str, post: _Post, now: Instant) -> None:
        look, began = post.look, post.began
        if look is None or began is None:
            return
        if look.is_alive():
            if now.mono_ms - began.mono_ms > post.probe.limit_s * 1000:
                self._fail(name, began, f"no answer within {post.probe.limit_s} s")
            return
        post.look = None
        if look.reading is None:
            self._fail(name, began, _brief(look.error))
            return
        post.unsaved = look.reading
        state = look.reading.state
        if not _fits_the_wire(state):
            self._fail(name, began, "it reported a state that cannot be sent")
            return
        status = "no_data" if state is None else "ok"
        self._states[name] = ProbeReport(status=status, mono=_to_the_second(began), state=dict(state or {}))

    def _save(self, name: str, post: _Post, now: Instant) -> None:
        reading = post.unsaved
        if reading is None:
            return
        if reading.facts or reading.memo:
            try:
                self.spool.append(reading.facts, post.began or now, probe=name, memo=reading.memo)
            except SpoolError as error:
                log.error("probe.not_recorded name=%s error=%s", name, error)  # noqa: TRY400 - retried each tick
                return
            except (TypeError, ValueError) as error:
                self._fail(name, now, f"it reported nonsense: {_brief(error)}")
                post.unsaved = None
                return
        post.unsaved = None
        if reading.done is not None:
            reading.done()

    def _fail(self, name: str, now: Instant, error: str) -> None:
        if self._states.get(name) is None or self._states[name].status != "failed":
            log.warning("probe.failed name=%s error=%s", name, error)
        self._states[name] = ProbeReport(status="failed", mono=_to_the_second(now), error=error)


def _to_the_second(at: Instant) -> int:
    """Nobody asks for more, and what repeats weighs nothing on the wire."""
    return at.mono_ms // 1000 * 1000


def _close(post: _Post) -> None:
    close = getattr(post.sensor, "close", None)
    if close is not None:
        close()


def _fits_the_wire(state: Mapping[str, Any] | None) -> bool:
    """One state that is no JSON, or as large as a heartbeat may be, must not hold back the heartbeat of all others."""
    try:
        return len(dump_line(state or {})) <= _MAX_STATE_BYTES
    except (TypeError, ValueError, RecursionError):
        return False


def _brief(error: Exception | None) -> str:
    return f"{type(error).__name__}: {error}"[:200]
