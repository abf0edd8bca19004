"""The only wiring of the agent.

    sensors ──▶ runner ──▶ spool ──▶ uplink ──▶ centre
    (threads)   (guards)   (durable)  (httpx)

Two cranks turn it, each by `tick(now)`: one collects what the sensors saw, one pushes. They meet in the spool only.
"""

import logging
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from agent import probes
from agent.errors import SettingsError
from agent.identity import Identity
from agent.notify import notify_systemd
from agent.probes.base import Probe
from agent.probes.courseware import CoursewareSettings, memo_key
from agent.runner import Look, Runner
from agent.settings import AgentSettings, explain
from agent.spool import Spool
from agent.transport import Transport
from agent.uplink import Uplink
from shared.clock import Clock, Instant
from shared.discover import discover

log = logging.getLogger("yuanjiao.agent")


@dataclass(frozen=True, slots=True)
class Agent:
    """One station's agent, ready to tick."""

    spool: Spool
    runner: Runner
    uplink: Uplink

    def look(self, now: Instant) -> None:
        """Let the sensors work and record what they saw."""
        self.runner.tick(now)

    def push(self, now: Instant) -> None:
        self.uplink.tick(now)

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
    uplink = Uplink(identity, transport, spool, runner.reports, settings.heartbeat_s, settings.flush_s)
    return Agent(spool, runner, uplink)


def run(agent: Agent, clock: Clock) -> None:
    """Turn the cranks until SIGTERM or SIGINT, then stop cleanly."""
    from apscheduler.schedulers.background import BackgroundScheduler  # noqa: PLC0415 - only the daemon needs it

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    scheduler = BackgroundScheduler(timezone="UTC")
    options = {"max_instances": 1, "coalesce": True, "misfire_grace_time": None}
    scheduler.add_job(lambda: agent.look(clock.now()), "interval", seconds=1, **options)
    scheduler.add_job(lambda: agent.push(clock.now()), "interval", seconds=1, **options)
    scheduler.add_job(lambda: agent.spool.tidy(clock.now()), "interval", hours=1, **options)
    scheduler.start()
    log.info("agent.started station=%s", agent.uplink.identity.station)
    notify_systemd("READY=1")
    stop.wait()
    notify_systemd("STOPPING=1")
    scheduler.shutdown(wait=True)
    agent.close()
    log.info("agent.stopped")


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
    """What follows from other settings: the disk to watch is the one that takes the courseware."""
    if name != "host" or "directory" not in probe.settings.model_fields:
        return {}
    courseware = settings.probes.get("courseware", {}).get("directory", CoursewareSettings().directory)
    return {"directory": courseware, "clean_mark": settings.state_dir / "clean"}
