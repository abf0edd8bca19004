"""The only wiring of the agent.

    sensors ──▶ runner ──▶ spool ──▶ uplink ──▶ centre
    (threads)   (guards)   (durable)  (httpx)

What the centre answers comes back the other way: settings and commands (`agent/directions.py`).

Two cranks turn it, each by `tick(now)`: one collects what the sensors saw, one pushes. They meet in the spool only.
Beside them a listener takes what helpers in desktop sessions bring (`agent/session/`) and lays it where sensors look.
"""

import logging
import os
import signal
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agent import probes
from agent.cranks import Crank, find_stuck
from agent.directions import FILE, Commands, DirectedSettings, heed
from agent.errors import SettingsError
from agent.identity import Identity, Keeping
from agent.notify import notify_systemd, read_watchdog_s
from agent.probes.base import Probe
from agent.probes.courseware import CoursewareSettings, memo_key
from agent.probes.host import write_mark
from agent.probes.projector import ProjectorSettings
from agent.probes.projector import switch as switch_projector
from agent.runner import Look, Runner
from agent.session.inbox import Inbox, read_sound
from agent.session.listener import Listener, is_person
from agent.settings import AgentSettings, direct, explain
from agent.spool import Spool
from agent.starts import count_start
from agent.transport import Transport
from agent.upgrade.launcher import SLOT_VARIABLE
from agent.upgrade.upgrader import Upgrader, open_upgrader
from agent.uplink import Uplink
from agent.verbs import RefusedError, Tools
from shared.clock import Clock, Instant
from shared.discover import discover
from shared.wire.directions import Directed

log = logging.getLogger("yuanjiao.agent")

START_AGAIN = 75
"""Status that asks whoever watches this process to start it again (EX_TEMPFAIL)."""
LAST_TURN_S = 40.0
"""How long the end waits for a crank: a push may wait thirty seconds for its answer."""


@dataclass(slots=True)
class Helpers:
    """The helpers in desktop sessions, as far as anybody listens to them."""

    listener: Listener | None = None

    def order(self, line: Mapping[str, object]) -> int:
        return 0 if self.listener is None else self.listener.order(line)


@dataclass(frozen=True, slots=True)
class Agent:
    """One station's agent, ready to tick."""

    spool: Spool
    runner: Runner
    uplink: Uplink
    helpers: Helpers
    starts: int
    """How often it has started in a day, this time included."""
    upgrader: Upgrader

    def look(self, now: Instant) -> None:
        """Let the sensors work and record what they saw."""
        self.runner.tick(now)
        self.upgrader.looked = True

    def push(self, now: Instant) -> None:
        self.uplink.tick(now)
        self.upgrader.tick(now)

    def close(self) -> None:
        self.runner.close()
        self.spool.close()


def build(
    settings: AgentSettings,
    identity: Identity,
    transport: Transport,
    now: Instant,
    *,
    look: type[Look] = Look,
    plugins: Mapping[str, Probe] | None = None,
) -> Agent:
    """Put an agent together. Raises SettingsError for a sensor's wrong settings."""
    spool = Spool(settings.state_dir / "spool", now)
    runner = Runner(spool, look)
    for name, probe, chosen in chosen_probes(settings, plugins):
        runner.add(name, probe, chosen, memo_key=memo_key)
    keeping = Keeping(settings.state_dir)
    uplink = Uplink(
        identity,
        transport,
        spool,
        runner.reports,
        settings.heartbeat_s,
        settings.flush_s,
        full=lambda: spool.full,
        keeping=keeping,
    )
    upgrader = open_upgrader(settings.state_dir, os.environ.get(SLOT_VARIABLE), settings.upgrade, uplink)
    agent = Agent(spool, runner, uplink, Helpers(), count_start(settings.state_dir, now.wall_ms), upgrader)
    _take_directions(agent, settings, transport, plugins, threaded=look is Look)
    return agent


def _take_directions(
    agent: Agent, settings: AgentSettings, transport: Transport, plugins: Mapping[str, Probe] | None, *, threaded: bool
) -> None:
    """Let the centre's settings lie over the station's own, and its commands be done."""
    uplink, now_in_force = agent.uplink, [settings]

    def apply(directed: Directed) -> None:
        changed = direct(settings, directed)
        agent.runner.configure(chosen_probes(changed, plugins), memo_key=memo_key)
        uplink.heartbeat_s, now_in_force[0] = changed.heartbeat_s, changed

    def switch(on: bool) -> str:
        for name, _, chosen in chosen_probes(now_in_force[0], plugins):
            if name == "projector" and isinstance(chosen, ProjectorSettings):
                return switch_projector(chosen, on=on)
        raise RefusedError("no projector is watched at this station")

    tools = Tools(
        switch=switch,
        order=agent.helpers.order,
        hear=lambda: read_sound(settings.session.status),
        hasten=agent.runner.hasten,
        describe=lambda: describe(agent),
        retell=agent.runner.retell,
    )
    directed = DirectedSettings(
        settings.state_dir / FILE, getattr(transport, "get", None), lambda: uplink.identity, apply
    )
    directed.load()
    uplink.stamp = lambda: {
        "open_hours": list(now_in_force[0].open_hours),
        "settings": directed.report,
        "upgrade": agent.upgrader.report,
        "starts": agent.starts,
    }
    uplink.heed = heed(directed, Commands(agent.spool, tools, threaded=threaded))


def describe(agent: Agent) -> Mapping[str, Any]:
    """What stands with sensors, spool and link, for those who help from afar."""
    reports, depth = agent.runner.reports(), agent.spool.depth()
    return {
        "sensors": sorted(reports),
        "failing": {name: report.error for name, report in reports.items() if report.status == "failed"},
        "spool": {"last": depth.last, "waiting": depth.waiting, "bytes": depth.bytes},
        "link": agent.uplink.last_error,
    }


def run(agent: Agent, settings: AgentSettings, clock: Clock) -> int:
    """Turn the cranks until SIGTERM or SIGINT, then stop cleanly. Returns the status to end with.

    It ends by itself where a newer agent waits to be started.
    """
    stop = threading.Event()
    agent.upgrader.restart = stop.set
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    vital = [
        Crank("look", agent.look, every_s=1, clock=clock, stop=stop),
        Crank("push", agent.push, every_s=1, clock=clock, stop=stop),
    ]
    cranks = [*vital, Crank("tidy", agent.spool.tidy, every_s=3600, clock=clock, stop=stop)]
    listener = agent.helpers.listener = open_listener(settings, clock)
    for crank in cranks:
        crank.start()
    log.info("agent.started station=%s", agent.uplink.identity.station)
    notify_systemd("READY=1")
    _wait(stop, vital, clock)
    notify_systemd("STOPPING=1")
    for crank in cranks:
        crank.join(LAST_TURN_S)
    if listener is not None:
        listener.close()
    agent.close()
    if not os.environ.get("INVOCATION_ID") and not agent.upgrader.switched:
        # Under systemd the unit leaves this mark, and only when the whole PC goes down (agent/probes/host.py).
        write_mark(clean_mark(settings), clock.now().boot)
    log.info("agent.stopped")
    return START_AGAIN if agent.upgrader.switched else 0


def _wait(stop: threading.Event, vital: Sequence[Crank], clock: Clock) -> None:
    """Until told to stop. systemd's watchdog is fed only while the vital cranks come round."""
    watchdog_s = read_watchdog_s()
    if watchdog_s is None:
        stop.wait()
        return
    while not stop.wait(watchdog_s / 4):
        stuck = find_stuck(vital, clock.now(), limit_s=watchdog_s / 2)
        if stuck:
            log.error("agent.stuck cranks=%s", ",".join(stuck))
        else:
            notify_systemd("WATCHDOG=1")


def chosen_probes(settings: AgentSettings, plugins: Mapping[str, Probe] | None = None) -> list[tuple[str, Probe, Any]]:
    """The sensors that are switched on, with their settings. Raises SettingsError that names the entry."""
    found = discover(probes, "PROBE", Probe) if plugins is None else plugins
    unknown = set(settings.probes) - set(found)
    if unknown:
        message = f"设置文件里有不认识的探头：{'、'.join(sorted(unknown))}；可用的有：{'、'.join(sorted(found))}"
        raise SettingsError(message)
    chosen = []
    for name, probe in found.items():
        values = _usual(settings, name, probe) | settings.probes.get(name, {})
        try:
            validated = probe.settings.model_validate(values)
        except ValidationError as error:
            raise SettingsError(explain(f"[probes.{name}]", error)) from error
        if validated.enabled:
            chosen.append((name, probe, validated))
    return chosen


def _usual(settings: AgentSettings, name: str, probe: Probe) -> dict[str, Any]:
    """What follows from other settings: where the disk to watch is, and what helpers in desktop sessions leave."""
    courseware = settings.probes.get("courseware", {}).get("directory", CoursewareSettings().directory)
    usual = {
        "host": {
            "directory": courseware,
            "clean_mark": clean_mark(settings),
            "pulse": settings.state_dir / "pulse",
        },
        "projector": {"open_hours": settings.open_hours},
        "playback": {"session_dir": settings.state_dir / "session", "films": courseware},
        "audio": {"session": settings.session.status},
    }
    return {key: value for key, value in usual.get(name, {}).items() if key in probe.settings.model_fields}


def clean_mark(settings: AgentSettings) -> Path:
    return settings.state_dir / "clean"


def open_listener(settings: AgentSettings, clock: Clock) -> Listener | None:
    """Let helpers in desktop sessions speak, where this machine has prepared the place for it."""
    session = settings.session
    if not os.access(session.socket.parent, os.W_OK):
        log.info("session.not_served folder=%s", session.socket.parent)
        return None
    users = session.users
    inbox = Inbox(settings.state_dir / "session", session.status)
    listener = Listener(session.socket, inbox, clock, is_person if users is None else set(users).__contains__)
    listener.start()
    return listener
