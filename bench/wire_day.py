"""What a station's day and a station's year without a link weigh.

`.quiet` KB on the wire in both directions, TLS and handshake with them, of 288 heartbeats of a real agent with every
sensor on and nothing happening, to a real centre over one kept-alive TLS connection; `.lesson` the same with a day's
usual facts. `.year_offline` MiB of spool files after a year of usual days without an answer from the centre.
Usage: `python -m bench.wire_day`.
"""

import asyncio
import hashlib
import json
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.app import Agent, build
from agent.enrolment import enrol, pin
from agent.identity import load_identity, pinned_ca
from agent.probes.base import Fact
from agent.runner import InlineLook
from agent.settings import read_settings
from agent.spool import Spool
from agent.transport import HttpTransport
from bench.report import emit
from bench.station import SOUND, furnish, projector
from collector.db.engine import Database
from collector.migrate import migrate
from shared.clock import Instant
from tests.clocks import ManualClock
from tests.secure import secure_centre

HEARTBEATS = 288
DAYS = 365
MINUTES = 45
_STEPS = (240, 23, 19, 18)


@dataclass(slots=True)
class Counter:
    """A relay on loopback that counts what passes, both ways."""

    to: int
    port: int = 0
    up: int = 0
    down: int = 0
    connections: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, server: socket.socket) -> None:
        while True:
            try:
                near, _ = server.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.to))
            self.connections += 1
            for source, sink, way in ((near, far, "up"), (far, near, "down")):
                threading.Thread(target=self._pass_on, args=(source, sink, way), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, way: str) -> None:
        with source, sink:
            try:
                while data := source.recv(65536):
                    with self._lock:
                        setattr(self, way, getattr(self, way) + len(data))
                    sink.sendall(data)
                sink.shutdown(socket.SHUT_WR)
            except OSError:
                return


@contextmanager
def counting(to: int) -> Iterator[Counter]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        counter = Counter(to, server.getsockname()[1])
        threading.Thread(target=counter.serve, args=(server,), daemon=True).start()
        yield counter
        server.shutdown(socket.SHUT_RDWR)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        _bench_days(Path(folder))
        _bench_year(Path(folder))


def _bench_days(folder: Path) -> None:
    clock = ManualClock()
    database = f"sqlite+aiosqlite:///{folder}/centre.db"
    asyncio.run(migrate(Database(database)))
    with secure_centre(folder, database, clock) as centre, projector() as port, counting(centre.settings.port) as wire:
        settings = read_settings(furnish(folder, projector_port=port))
        address = f"https://127.0.0.1:{wire.port}"
        pin(address, settings.state_dir, fingerprint=centre.fingerprint)
        with _open(address, settings.state_dir) as transport:
            code = centre.new_code(now_ms=clock.now().wall_ms)
            enrol(code, centre=address, transport=transport, state_dir=settings.state_dir)
        with _open(address, settings.state_dir) as transport:
            identity = load_identity(settings.state_dir)
            agent = build(settings, identity, transport, clock.now(), look=InlineLook)
            _live(agent, clock, settings.session.status, 6)
            agent.uplink.transport.close()  # type: ignore[attr-defined]  # the day pays for its handshake
        with _open(address, settings.state_dir) as transport:
            agent.uplink.transport = transport
            for name, usual in (("quiet", False), ("lesson", True)):
                before = (wire.up, wire.down, wire.connections)
                pushes = _live(agent, clock, settings.session.status, HEARTBEATS, usual=usual)
                up, down = wire.up - before[0], wire.down - before[1]
                notes = {"up": up, "down": down, "pushes": pushes, "connections": wire.connections - before[2]}
                emit(f"wire_day.{name}", (up + down) / 1000, "KB", **notes)
        agent.close()


@contextmanager
def _open(address: str, state_dir: Path) -> Iterator[HttpTransport]:
    transport = HttpTransport(address, pinned_ca(state_dir, None))
    try:
        yield transport
    finally:
        transport.close()


def _live(agent: Agent, clock: ManualClock, status: Path, heartbeats: int, *, usual: bool = False) -> int:
    """Let time pass, five minutes to a heartbeat, the sensors looking at moments of their own; returns the pushes."""
    facts = _usual_day(clock.now(), 0) if usual else []
    for _ in range(heartbeats):
        for seconds in _STEPS:
            clock.advance(seconds=seconds)
            _tell_sound(status, clock.now())
            agent.look(clock.now())
        now = clock.now()
        passed = [fact for fact in facts if fact.at is not None and fact.at.wall_ms <= now.wall_ms]
        facts = facts[len(passed) :]
        if passed:
            agent.spool.append(passed, now, memo={})
        if not agent.uplink.push(now):
            raise RuntimeError(agent.uplink.last_error)
    return heartbeats


def _tell_sound(status: Path, now: Instant) -> None:
    status.write_text(json.dumps({"boot": now.boot, "mono": now.mono_ms, "audio": SOUND}), "utf-8")


def _usual_day(begin: Instant, number: int) -> list[Fact]:
    """Three films come, two of 45 minutes are shown and checkpointed each minute, the operator says who came."""
    films = [f"农村实用技术：油橄榄丰产栽培 第{number * 3 + each}讲" for each in range(3)]
    facts = [_fact("courseware.received", begin, 60 + each, _film(title)) for each, title in enumerate(films)]
    for each, title in enumerate(films[:2]):
        start = 600 + 50 * each
        head = {**_film(title), "playback": f"mpv-{number}-{each}.1", "player": "mpv", "via": "journal"}
        head["begin_ms"] = begin.wall_ms + start * 60_000
        facts.append(_fact("playback.started", begin, start, head))
        for minute in range(1, MINUTES + 1):
            kind, more = ("playback.progress", {}) if minute < MINUTES else ("playback.ended", {"reason": "completed"})
            facts.append(_fact(kind, begin, start + minute, {**head, **_played(minute), **more}))
    claim = {"session": f"510802/1-{number}", "kind": "实用技术", "topic": films[0], "people": 31, "visits": 62}
    claim |= {"begin_ms": begin.wall_ms + 36_000_000, "end_ms": begin.wall_ms + 42_000_000, "operator": "操作员"}
    return [*facts, _fact("session.claimed", begin, 705, claim)]


def _film(title: str) -> dict[str, Any]:
    sha256 = hashlib.sha256(title.encode()).hexdigest()
    return {"sha256": sha256, "title": title, "name": f"{title}.mp4", "size": 420 << 20, "duration_s": MINUTES * 60.0}


def _played(minutes: int) -> dict[str, Any]:
    seconds = minutes * 60.0
    told = {"content_s": seconds, "played_s": seconds, "position_s": seconds, "minutes": {"E3": float(minutes)}}
    return told | {"segments": f"0[.]{minutes * 60}"}


def _fact(kind: str, begin: Instant, minute: int, data: dict[str, Any]) -> Fact:
    return Fact(kind, data, Instant(begin.wall_ms + minute * 60_000, begin.mono_ms + minute * 60_000, begin.boot))


def _bench_year(folder: Path) -> None:
    began = time.monotonic()
    now = ManualClock().now()
    clock = ManualClock()
    spool = Spool(folder / "year", now)
    lines = 0
    for day in range(DAYS):
        lines = spool.append(_usual_day(clock.now(), day), clock.now(), memo={})
        clock.advance(days=1)
        spool.tidy(clock.now())
    spool.close()
    mib = sum(each.stat().st_size for each in (folder / "year").rglob("*") if each.is_file()) / 2**20
    emit("wire_day.year_offline", mib, "MiB", lines=lines, took_s=round(time.monotonic() - began))


if __name__ == "__main__":
    main()
