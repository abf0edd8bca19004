"""Whole-system stories: real agents and a real centre in one process, a clock that is moved by hand, no sockets."""

import asyncio
import shutil
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
from sqlalchemy import select

from agent.app import Agent, build
from agent.enrolment import enrol
from agent.errors import LinkError
from agent.identity import load_identity
from agent.probes.base import Fact, Probe, ProbeSettings, Reading, Sensor, Surroundings
from agent.runner import InlineLook
from agent.settings import AgentSettings
from agent.transport import Response
from collector.alerts.models import outbox
from collector.app import create_app
from collector.seal import make_key
from collector.settings import Settings
from collector.stations import service as stations
from collector.stations.queries import list_states
from collector.tickets.queries import Ticket, list_tickets
from collector.usage import service as usage
from collector.usage.reports.base import MonthlyReport, StationMonth
from shared.clock import Instant
from shared.months import parse_month
from shared.signing import PROOF_HEADER
from tests.clocks import ManualClock
from tests.districts import SmallDistrict, plant_district

T = TypeVar("T")


class Loop:
    """Runs the centre's coroutines to their end from synchronous stories."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def close(self) -> None:
        self._runner.close()


@dataclass(slots=True)
class WireTransport:
    """A network that can be cut. Hands the agent's bytes straight to the centre's application."""

    district: "District"
    up: bool = True
    deaf: bool = False
    """What is sent arrives, but no answer comes back."""

    def get(self, path: str, headers: Mapping[str, str]) -> Response:
        if not self.up or self.deaf:
            raise LinkError
        answer = self.district.run(self.district.http.get(path, headers=dict(headers)))
        return Response(answer.status_code, answer.content)

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        if not self.up:
            raise LinkError
        answer = self.district.run(self.district.http.post(path, content=body, headers=dict(headers)))
        if self.deaf:
            raise LinkError
        return Response(answer.status_code, answer.content, proof=answer.headers.get(PROOF_HEADER, ""))


@dataclass(slots=True)
class Scripted:
    """A sensor that reports what the story tells it to."""

    state: dict[str, Any] | None
    facts: list[Fact] = field(default_factory=list)

    def read(self, now: Instant) -> Reading:
        del now
        facts, self.facts = self.facts, []
        return Reading(self.state, facts)


@dataclass(slots=True)
class StoryStation:
    """One station of a story."""

    title: str
    folder: Path
    transport: WireTransport
    district: "District"
    sensors: dict[str, Scripted]
    agent: Agent | None = None
    dead: bool = False
    boot: str = ""
    booted_ms: int = 0
    """When this boot began by the monotonic clock of the story."""
    believes: Callable[[int], int] = int
    """What this PC's wall clock shows at a true time."""

    def now(self) -> Instant:
        true = self.district.clock.now()
        return Instant(self.believes(true.wall_ms), true.mono_ms - self.booted_ms, self.boot or true.boot)

    def reboots(self, boot: str) -> None:
        """The PC is started anew; it takes half a minute."""
        self.stops()
        self.boot, self.booted_ms = boot, self.district.clock.now().mono_ms - 30_000

    def stops(self) -> None:
        """The agent ends; it starts again at the next tick."""
        if self.agent is not None:
            self.agent.close()
        self.agent = None

    def is_copied(self, boot: str) -> "StoryStation":
        """Its disk is copied into another PC, which is started beside it."""
        self.stops()
        folder = self.folder.with_name(f"{self.folder.name}-{boot}")
        shutil.copytree(self.folder, folder)
        sensors = {name: Scripted(each.state) for name, each in self.sensors.items()}
        twin = StoryStation(f"{self.title} {boot}", folder, WireTransport(self.district), self.district, sensors)
        twin.reboots(boot * 32)
        self.district.stations[twin.title] = twin
        return twin

    def loses_network(self) -> None:
        self.transport.up = False

    def regains_network(self) -> None:
        self.transport.up = True

    def dies(self) -> None:
        """The whole agent is gone, as when the PC is switched off at the wall."""
        self.dead = True

    def reports(self, sensor: str, **state: Any) -> None:
        self.sensors[sensor].state = {**(self.sensors[sensor].state or {}), **state}

    def records(self, *facts: Fact) -> None:
        self.sensors["story"].facts.extend(facts)

    def plays(self, title: str, *, minutes: float, sha256: str = "ab" * 32) -> None:
        """A film is played to its end; the clock of the whole district moves on meanwhile."""
        begin = self.now()
        data: dict[str, Any] = {"playback": f"{self.title}-{begin.wall_ms}", "title": title, "name": f"{title}.mp4"}
        data |= {"player": "mpv", "via": "journal", "sha256": sha256, "duration_s": minutes * 60}
        self.records(Fact("playback.started", data, at=begin))
        self.district.passes(minutes=minutes)
        played = {"content_s": minutes * 60, "played_s": minutes * 60, "minutes": {"E2": minutes}}
        done = data | played | {"begin_ms": begin.wall_ms, "segments": f"0[.]{minutes * 60}", "reason": "completed"}
        self.records(Fact("playback.ended", done, at=self.now()))
        self.district.passes(minutes=1)

    def tick(self) -> None:
        if self.dead:
            return
        if self.agent is None:
            self.agent = self._start()
        now = self.now()
        self.agent.look(now)
        self.agent.push(now)

    def _start(self) -> Agent:
        settings = AgentSettings(state_dir=self.folder, heartbeat_s=300, flush_s=30)
        plugins = {name: scripted_probe(sensor) for name, sensor in self.sensors.items()}
        identity = load_identity(self.folder)
        now = self.now()
        return build(settings, identity, self.transport, now, look=InlineLook, plugins=plugins)


def scripted_probe(sensor: Sensor) -> Probe:
    def make(settings: ProbeSettings, surroundings: Surroundings) -> Sensor:
        del settings, surroundings
        return sensor

    return Probe(settings=ProbeSettings, every_s=30, limit_s=5, make=make, sample={})


class District:
    """A small district with its centre. `plan` maps townships to their villages; every village has an agent."""

    def __init__(self, folder: Path, database_url: str, plan: dict[str, list[str]]) -> None:
        self.clock = ManualClock()
        self._folder = folder
        self._loop = Loop()
        self._settings = Settings(database=database_url, public_url="http://centre.test")
        self.starts()
        planted = plant_district(self.centre.database, plan, now_ms=self.clock.now().wall_ms)
        self.register: SmallDistrict = self.run(planted)
        self.stations = {title: self._enrol(title) for title in self.register.stations}

    def starts(self) -> None:
        """The centre opens: at first, and again after it `stops`."""
        make_key(self._settings.tls_folder)
        self.app = create_app(self._settings, clock=self.clock, with_jobs=False)
        self.centre = self.app.state.centre
        self._lifespan = self.app.router.lifespan_context(self.app)
        self.run(self._lifespan.__aenter__())
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://centre.test")

    def stops(self) -> None:
        """The centre's process ends as it is meant to; its stations live on."""
        self.run(self.http.aclose())
        self.run(self._lifespan.__aexit__(None, None, None))

    def close(self) -> None:
        for station in self.stations.values():
            if station.agent is not None:
                station.agent.close()
        self.stops()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run(work)

    def station(self, title: str) -> StoryStation:
        return self.stations[title]

    def passes(self, *, days: float = 0, hours: float = 0, minutes: float = 0, step_s: int = 60) -> None:
        """Let time pass for everybody: agents look and push, the centre does its periodic work, step by step."""
        steps = max(1, round(((days * 24 + hours) * 60 + minutes) * 60 / step_s))
        for _ in range(steps):
            self.clock.advance(seconds=step_s)
            for station in self.stations.values():
                station.tick()
            self.work()

    def work(self) -> None:
        """One round of the centre's periodic jobs."""
        self.run(self.app.state.jobs.run_round())

    def monthly_report(self, month: str) -> MonthlyReport:
        async def load() -> MonthlyReport:
            async with self.centre.database.read() as connection:
                return await usage.monthly_report(
                    connection,
                    self.register.district_id,
                    parse_month(month),
                    now_ms=self.centre.now_ms,
                    zone=self.centre.settings.zone,
                )

        return self.run(load())

    def month_of(self, title: str, month: str) -> StationMonth:
        """One station's line of a monthly report."""
        wanted = self.register.stations[title]
        return next(row for row in self.monthly_report(month).rows if row.station_id == wanted)

    def messages(self, person: str | None = None) -> list[str]:
        """Subjects of all messages about tickets, or of those to one person, oldest first."""

        async def load() -> list[str]:
            async with self.centre.database.read() as connection:
                statement = select(outbox.c.subject).order_by(outbox.c.message_id)
                statement = statement.where(outbox.c.ticket_id.is_not(None))
                if person is not None:
                    statement = statement.where(outbox.c.person_id == self.register.people[person])
                return list((await connection.execute(statement.where(outbox.c.channel == "log"))).scalars())

        return self.run(load())

    def last_heard(self, title: str) -> int:
        """Receipt of the newest heartbeat of a station, epoch ms."""

        async def load() -> int:
            async with self.centre.database.read() as connection:
                states = await list_states(connection, self.register.district_id)
            return states[self.register.stations[title]].received_ms

        return self.run(load())

    def open_tickets(self) -> list[Ticket]:
        async def load() -> list[Ticket]:
            async with self.centre.database.read() as connection:
                return await list_tickets(connection, self.register.district_id)

        return self.run(load())

    def _enrol(self, title: str) -> StoryStation:
        folder = self._folder / f"station-{self.register.stations[title]}"
        transport = WireTransport(self)
        enrol(self._new_code(title), centre="http://centre.test", transport=transport, state_dir=folder)
        sensors = {"story": Scripted(None), "projector": Scripted(None), "audio": Scripted(None)}
        sensors |= {"courseware": Scripted(None), "host": Scripted(None)}
        return StoryStation(title, folder, transport, self, sensors)

    def enrols_again(self, machine: StoryStation, title: str) -> None:
        """The office gives out a new code for a station, and this machine uses it."""
        machine.stops()
        code = self._new_code(title)
        enrol(code, centre="http://centre.test", transport=machine.transport, state_dir=machine.folder)

    def _new_code(self, title: str) -> str:
        async def make() -> str:
            async with self.centre.database.write() as connection:
                return await stations.new_code(
                    connection,
                    self.register.district_id,
                    self.register.stations[title],
                    now_ms=self.centre.now_ms,
                )

        return self.run(make())
