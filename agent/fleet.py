"""Many virtual stations in one process, each with the very agent code: enrolment, spool, runner, uplink.

Only the sensors are played, by `agent.fleet_life`. Serves the demonstration and load tests; it has no way into the
centre but the one every station has.
"""

import csv
import hashlib
import json
import logging
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.app import Agent, build
from agent.enrolment import enrol
from agent.errors import SettingsError
from agent.fleet_life import DAY_MS, Life
from agent.identity import load_identity
from agent.probes.base import Fact, Probe, ProbeSettings, Reading, Surroundings
from agent.runner import InlineLook
from agent.settings import AgentSettings
from agent.transport import HttpTransport
from shared.clock import Clock, Instant

log = logging.getLogger("yuanjiao.fleet")

SENSORS = ("courseware", "projector", "audio", "host", "clock")
WORKERS = 4
_PATIENCE_MS = 20_000
"""How long one station's past may hold up the next; what is left follows with its heartbeats."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the fleet is to be. `dark` names the township that falls silent, `heartbeat_s` its pace, `days` its past."""

    centre: str
    folder: Path
    days: int
    seed: int
    heartbeat_s: int
    dark: str


@dataclass(frozen=True, slots=True)
class Berth:
    """One line of the code sheet."""

    station: str
    title: str
    code: str


@dataclass(slots=True)
class VirtualStation:
    """A station with its own boot, long enough ago that its past lies within it."""

    berth: Berth
    life: Life
    agent: Agent
    boot: str
    mono_shift_ms: int
    dark: bool
    lit_pushes: int = 2

    def now(self, real: Instant) -> Instant:
        return Instant(real.wall_ms, real.mono_ms + self.mono_shift_ms, self.boot)

    def tick(self, real: Instant) -> None:
        """Look and push as an agent does; a dark one stops after its first heartbeats."""
        if self.dark and self.lit_pushes <= 0:
            return
        now = self.now(real)
        self.agent.look(now)
        before = self.agent.uplink.offset_ms
        self.agent.push(now)
        self.lit_pushes -= before is not None or self.agent.uplink.offset_ms is not None


def read_sheet(path: Path) -> list[Berth]:
    """The sheet `yuanjiao-collector codes` writes. Raises SettingsError when it is not one."""
    try:
        rows = list(csv.DictReader(path.read_text("utf-8-sig").splitlines()))
        return [Berth(row["station"], row["title"], row["code"]) for row in rows]
    except (OSError, KeyError, UnicodeDecodeError) as error:
        message = f"{path} 不是安装码表。请用 yuanjiao-collector codes --out 生成。"
        raise SettingsError(message) from error


def run_fleet(plan: Plan, berths: Sequence[Berth], clock: Clock, tell: Callable[[str], None] = print) -> None:
    """Enrol all, send their past, then live on until SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    transport = HttpTransport(plan.centre, connections=WORKERS)
    troubled = _troubled(plan, berths)
    stations: list[VirtualStation] = []

    def join(berth: Berth) -> None:
        if stop.is_set():
            return
        station = join_station(plan, berth, clock.now(), transport, troubled.get(berth.station, {}))
        until_ms = clock.now().mono_ms + _PATIENCE_MS
        while not stop.is_set() and station.agent.spool.depth().waiting > 0 and clock.now().mono_ms < until_ms:
            station.tick(clock.now())
            stop.wait(0.02)
        stations.append(station)
        tell(json.dumps({"joined": len(stations), "of": len(berths), "station": berth.title}, ensure_ascii=False))

    with ThreadPoolExecutor(WORKERS) as pool:
        for future in [pool.submit(join, berth) for berth in berths]:
            future.result()
    while not stop.wait(0.5):
        for station in stations:
            station.tick(clock.now())
    for station in stations:
        station.agent.close()


def _troubled(plan: Plan, berths: Sequence[Berth]) -> dict[str, dict[str, Any]]:
    """One failing lamp and one silent dish, chosen by the seed among the stations that stay lit."""
    lit = [each.station for each in berths if not _is_dark(plan, each)]
    ranked = sorted(lit, key=lambda name: hashlib.sha256(f"{plan.seed}/{name}".encode()).digest())
    troubles: list[dict[str, Any]] = [{"lamp_failing": True}, {"silent_days": 4}]
    return dict(zip(ranked, troubles, strict=False))


def join_station(
    plan: Plan, berth: Berth, real: Instant, transport: HttpTransport, trouble: dict[str, Any]
) -> VirtualStation:
    folder = plan.folder / berth.station.replace("/", "-")
    enrol(berth.code, centre=plan.centre, transport=transport, state_dir=folder)
    digest = hashlib.sha256(f"{plan.seed}/{berth.station}".encode()).hexdigest()
    life = Life(plan.seed, berth.station, diligence=0.08 + int(digest[:4], 16) / 65_536 * 0.3, **trouble)
    boot, shift_ms = digest[:32], (plan.days + 1) * DAY_MS
    now = Instant(real.wall_ms, real.mono_ms + shift_ms, boot)
    settings = AgentSettings(state_dir=folder, heartbeat_s=plan.heartbeat_s, flush_s=0)
    plugins = {name: _played(name, life) for name in SENSORS}
    agent = build(settings, load_identity(folder), transport, now, look=InlineLook, plugins=plugins)
    _record_past(agent, life, now, plan.days)
    return VirtualStation(berth, life, agent, boot, shift_ms, dark=_is_dark(plan, berth))


def _record_past(agent: Agent, life: Life, now: Instant, days: int) -> None:
    """Fill the spool as it would be after `days` days without a link; a fortnight a transaction."""
    batch: list[Fact] = []
    for facts in life.past(now, days):
        batch += facts
        if len(batch) > 150:
            agent.spool.append(batch, now, memo={})
            batch = []
    agent.spool.append(batch, now, memo={})


@dataclass(frozen=True, slots=True)
class _Played:
    """A sensor that sees what the station's life says."""

    name: str
    life: Life

    def read(self, now: Instant) -> Reading:
        return Reading(self.life.states(now)[self.name])


def _played(name: str, life: Life) -> Probe:
    def make(settings: ProbeSettings, surroundings: Surroundings) -> _Played:
        del settings, surroundings
        return _Played(name, life)

    return Probe(settings=ProbeSettings, every_s=30, limit_s=5, make=make, sample={})


def _is_dark(plan: Plan, berth: Berth) -> bool:
    return bool(plan.dark) and berth.title.startswith(f"{plan.dark} ")
