"""The stations of the invented year, as the centre hears them: real pushes where something is new.

A heartbeat in which nothing has changed moves three columns of its row. Those of all stations, 25 million a year, are
therefore written as one statement before each round; all else goes through the intake.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, update

from bench.district_model import HOUR_MS, MINUTE_MS, Trouble
from collector.db.engine import Database
from collector.intake.service import Received, store
from collector.intake.unpacking import Push
from collector.stations.models import station_states
from collector.timeline import queries as timeline
from shared import chain
from shared.wire.v1 import Answer, Envelope, Heartbeat, SpoolReport, dump_line

PERIOD_MS = 5 * MINUTE_MS
OFF = frozenset({"停电", "主机被关", "主机损坏"})
"""Troubles that leave the PC without power: what the satellite sends then is lost to it."""
_GROUP = 200
_HEALTHY: Mapping[str, Mapping[str, Any]] = {
    "projector": {"reachable": True, "power": "off", "faults": {}, "lamp_hours": 900},
    "audio": {"server": True, "sink": True, "muted": False, "volume": 0.8},
    "display": {"outputs": 2, "screens": 1},
    "host": {"disk_free": 60 << 30, "disk_total": 100 << 30, "uptime_s": 90_000},
    "playback": {"playing": [], "source": "journal"},
}


@dataclass(slots=True)
class Machine:
    """One station's PC. `phase_ms` is when in each period its heartbeat comes."""

    district_id: int
    station_id: int
    township: int
    key_id: str
    phase_ms: int
    born_ms: int
    last_file_ms: int
    seq: int = 1
    head: bytes = chain.START
    lease: str = ""
    lines: list[bytes] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    changed: bool = True
    playing: str = ""
    boots: int = 0
    lacks: list[int] = field(default_factory=list)
    """Numbers of the films it has missed."""
    heard_ms: int | None = None
    """When it was last heard, if it has fallen silent since the last round."""

    @property
    def stream(self) -> str:
        return f"{self.station_id:032x}"

    @property
    def boot(self) -> str:
        return f"{self.station_id:016x}{self.boots:016x}"

    @property
    def is_silent(self) -> bool:
        return any(each.kind.silent for each in self.troubles)

    @property
    def is_off(self) -> bool:
        """Silent because it has no power, not for want of a line."""
        return any(each.kind.name in OFF for each in self.troubles)

    def suffers(self, trouble: Trouble) -> None:
        """One more thing is wrong from its beginning on; the last that was heard before a silence is kept."""
        if trouble.kind.silent and not self.is_silent:
            self.heard_ms = self.last_beat(trouble.begin_ms)
        self.troubles.append(trouble)
        self.changed = True

    def last_beat(self, now_ms: int) -> int:
        """When its newest heartbeat came, if it is heard."""
        return now_ms - (now_ms - self.phase_ms) % PERIOD_MS

    def records(self, kind: str, at_ms: int, **data: Any) -> None:
        seq = self.seq + len(self.lines)
        event = {"seq": seq, "kind": kind, "at": at_ms, "boot": self.boot, "mono": at_ms - self.born_ms, "data": data}
        self.lines.append(dump_line(event))

    def begin_film(self, number: int) -> None:
        self.playing, self.changed = f"农技讲座 第{number}讲", True

    def end_film(self, number: int, now_ms: int) -> None:
        """A film of forty minutes has just ended."""
        self.playing, self.changed = "", True
        begin_ms, title = now_ms - 40 * MINUTE_MS, f"农技讲座 第{number}讲"
        data: dict[str, Any] = {"playback": f"{self.station_id}-{begin_ms}", "title": title, "name": f"{title}.mp4"}
        data |= {"player": "mpv", "via": "journal", "sha256": f"{number:064x}", "duration_s": 2400}
        self.records("playback.started", begin_ms, **data)
        done = {"content_s": 2400, "played_s": 2400, "minutes": {"E2": 40}, "begin_ms": begin_ms}
        self.records("playback.ended", now_ms - MINUTE_MS, **data, **done, segments="0[.]2400", reason="completed")

    def gets(self, number: int, at_ms: int) -> None:
        """A film has come."""
        title = f"农技讲座 第{number}讲"
        data = {"sha256": f"{number:064x}", "name": f"{title}.mp4", "title": title, "size": 300 << 20}
        self.records("courseware.received", at_ms, **data)

    def catches_up(self, at_ms: int) -> None:
        """Somebody has copied what it lacks."""
        for number in self.lacks:
            self.gets(number, at_ms)
        self.lacks.clear()

    def starts_again(self, at_ms: int, *, off_since_ms: int) -> None:
        """Power is back: the PC boots and tells until when it was alive before."""
        before, self.boots, self.born_ms = self.boot, self.boots + 1, at_ms - MINUTE_MS
        self.records("host.booted", at_ms, clean=False, previous_boot=before, last_seen_ms=off_since_ms)
        self.changed = True

    def push(self, at_ms: int) -> Received:
        """What it sends now: its state, and every line that waits."""
        heartbeat = Heartbeat(
            wall=at_ms,
            mono=at_ms - self.born_ms,
            boot=self.boot,
            agent="0.1.0",
            spool=SpoolReport(last=self.seq + len(self.lines) - 1, waiting=len(self.lines), bytes=4096),
            probes=self._probes(at_ms),
        )
        envelope = Envelope.model_validate(
            {"wire": 1, "station": f"{self.district_id}/{self.station_id}", "stream": self.stream, "from": self.seq}
            | {"head": self.head.hex(), "lease": self.lease, "heartbeat": heartbeat}
        )
        return Received((self.district_id, self.station_id), self.key_id, Push(envelope, tuple(self.lines)), at_ms)

    def hears(self, answer: Answer) -> None:
        self.head = chain.extend_all(self.head, self.lines)
        self.seq += len(self.lines)
        assert answer.stored == self.seq - 1, "the centre has not stored all it was sent"
        self.lease = answer.lease or self.lease
        self.lines.clear()
        self.changed = False

    def _probes(self, at_ms: int) -> dict[str, Any]:
        states = {name: dict(state) for name, state in _HEALTHY.items()}
        states["courseware"] = {"files": 400, "bytes": 40 << 30, "corrupt": []}
        states["courseware"] |= {
            "last_received_ms": self.last_file_ms,
            "last_received_mono": self.last_file_ms - self.born_ms,
        }
        if self.playing:
            states["playback"]["playing"] = [self.playing]
            states["projector"]["power"] = "on"
        for trouble in self.troubles:
            for name, state in trouble.kind.state.items():
                states[name] |= state
        mono = at_ms - self.born_ms
        return {name: {"status": "ok", "mono": mono, "state": state} for name, state in states.items()}


class Fleet:
    """All machines of the district and their road into the centre."""

    def __init__(self, database: Database, machines: Sequence[Machine]) -> None:
        self._database = database
        self._district_id = machines[0].district_id
        self.machines = {each.station_id: each for each in machines}

    async def beat(self, now_ms: int) -> None:
        """Every station that can be heard has been, at its last heartbeat; the centre has listened all the while."""
        heard = [each for each in self.machines.values() if not each.is_silent]
        await self._push([each for each in heard if each.changed or each.lines], now_ms)
        beats = [(each, each.last_beat(now_ms)) for each in heard]
        beats += [(each, each.heard_ms) for each in self.machines.values() if each.heard_ms is not None]
        rows = [
            {
                "station": each.station_id,
                "received_ms": beat_ms,
                "wall_ms": beat_ms,
                "mono_ms": beat_ms - each.born_ms,
            }
            for each, beat_ms in beats
        ]
        for each, _ in beats:
            each.heard_ms = None
        place = station_states.c.station_id == bindparam("station")
        async with self._database.write() as connection:
            await connection.execute(update(station_states).where(place), rows)
            await timeline.put_heard_until(connection, self._district_id, now_ms)

    def receive(self, number: int, dice: random.Random, now_ms: int) -> None:
        """The satellite sends a file; it falls on every dish that points at it and every PC that runs."""
        for each in self.machines.values():
            names = {trouble.kind.name for trouble in each.troubles}
            if not each.is_off and not names & {"天线偏移", "卫星停播"}:
                each.last_file_ms, each.changed = now_ms - dice.randrange(HOUR_MS), True
                each.gets(number, each.last_file_ms)
            elif "卫星停播" not in names:
                each.lacks.append(number)

    async def _push(self, machines: Sequence[Machine], now_ms: int) -> None:
        for group in _split(machines, _GROUP):
            async with self._database.write() as connection:
                pushes = [each.push(now_ms) for each in group]
                answers = await store(connection, pushes, now_ms=now_ms)
            for machine, answer in zip(group, answers, strict=True):
                if not isinstance(answer, Answer):
                    raise answer
                machine.hears(answer)


def _split(machines: Sequence[Machine], size: int) -> Iterable[Sequence[Machine]]:
    return (machines[place : place + size] for place in range(0, len(machines), size))
