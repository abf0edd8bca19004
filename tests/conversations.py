"""Whole conversations of a station with its centre, as an agent of some version once held them, byte for byte.

`python -m tests.conversations FILE` lets the agent of this source hold one and writes it down: do so once for each
version, before it is released, and never again. `tests/collector/test_conversations.py` holds them with today's centre.
"""

import asyncio
import base64
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from nacl.encoding import HexEncoder
from nacl.signing import SigningKey
from starlette.testclient import TestClient

from agent.app import Agent, build
from agent.enrolment import enrol
from agent.errors import LinkError
from agent.identity import load_identity
from agent.probes.base import Fact, Probe, ProbeSettings
from agent.runner import InlineLook
from agent.settings import AgentSettings
from agent.transport import Response
from agent.version import VERSION
from collector import seal
from collector.app import create_app
from collector.db.engine import Database
from collector.directions import queries as directions
from collector.migrate import migrate
from collector.settings import Settings
from collector.stations import service as stations
from shared import codes
from shared.clock import Instant
from shared.signing import PROOF_HEADER
from tests.clocks import ManualClock
from tests.districts import LIZHOU, plant_district
from tests.scenarios.harness import Scripted

CODE = "7K4M-9QXT-2HD3"
CENTRE_KEY = SigningKey(b"centre of the old conversations.")
SHA256 = "5d" * 32


@contextmanager
def open_centre(url: str, folder: Path, clock: ManualClock) -> Iterator[TestClient]:
    """A centre as every conversation finds it: one station, one code, settings of the first version."""
    (folder / "tls").mkdir(parents=True)
    (folder / "tls" / "centre.key").write_bytes(CENTRE_KEY.encode(HexEncoder))
    app = create_app(Settings(database=url, tls_dir=folder / "tls"), clock=clock, with_jobs=False)
    assert seal.load_seal(folder / "tls") is not None, "the centre's key lies elsewhere now"
    database = app.state.centre.database

    async def plant() -> None:
        await plant_district(database, {"宝轮镇": ["爱国社区"]})
        async with database.write() as connection:
            with mock.patch.object(codes, "new_code", return_value=CODE):
                await stations.new_code(connection, LIZHOU, 1, now_ms=clock.now().wall_ms)
            document = {"open_hours": ["1-5 08:30-18:00"]}
            await directions.put_settings(
                connection, LIZHOU, 1, version=1, document=document, person_id=None, now_ms=clock.now().wall_ms
            )

    with TestClient(app, base_url="http://centre.test") as client:
        client.portal.call(plant)  # type: ignore[union-attr]
        yield client


def outcome_of(answer: Any) -> dict[str, Any]:
    """What came of a request, as far as the station builds on it: status, what is stored, which fields it is told."""
    told = answer.json()
    return {"status": answer.status_code, "stored": told.get("stored"), "fields": sorted(told)}


@dataclass(slots=True)
class Notebook:
    """The agent's way to the centre, which writes every request down with what came of it."""

    client: TestClient
    clock: ManualClock
    began_ms: int
    up: bool = True
    lines: list[dict[str, Any]] = field(default_factory=list)

    def get(self, path: str, headers: Mapping[str, str]) -> Response:
        return self._send("GET", path, b"", headers)

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        return self._send("POST", path, body, headers)

    def _send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        if not self.up:
            raise LinkError
        answer = self.client.request(method, path, content=body, headers=dict(headers))
        line: dict[str, Any] = {"at_ms": self.clock.now().wall_ms - self.began_ms, "method": method, "path": path}
        line |= {"headers": dict(headers), "body": base64.b64encode(body).decode()}
        self.lines.append(line | outcome_of(answer))
        return Response(answer.status_code, answer.content, proof=answer.headers.get(PROOF_HEADER, ""))


@dataclass(slots=True)
class Story:
    """A day of one station: films come and are shown, the lamp fails, the line is cut, the PC is started anew."""

    book: Notebook
    clock: ManualClock
    folder: Path
    sensors: dict[str, Scripted]
    booted_ms: int = 0
    boot: str = "a1" * 16

    def now(self) -> Instant:
        now = self.clock.now()
        return Instant(now.wall_ms, now.mono_ms - self.booted_ms, self.boot)

    def start(self) -> Agent:
        settings = AgentSettings(state_dir=self.folder, heartbeat_s=300, flush_s=30)
        plugins = {name: _probe(sensor) for name, sensor in self.sensors.items()}
        identity = load_identity(self.folder)
        return build(settings, identity, self.book, self.now(), look=InlineLook, plugins=plugins)

    def pass_minutes(self, agent: Agent, minutes: int) -> None:
        for _ in range(minutes * 2):
            self.clock.advance(seconds=30)
            agent.look(self.now())
            agent.push(self.now())

    def tell(self, kind: str, **data: Any) -> None:
        self.sensors["courseware"].facts.append(Fact(kind, data, at=self.now()))


def _probe(sensor: Scripted) -> Probe:
    return Probe(settings=ProbeSettings, every_s=30, limit_s=5, make=lambda *_: sensor, sample={})


def live(story: Story) -> None:
    film = {"sha256": SHA256, "name": "养猪.mp4", "title": "养猪", "size": 420 << 20, "duration_s": 2700.0}
    agent = story.start()
    story.pass_minutes(agent, 12)
    story.tell("courseware.received", **film, source="satellite")
    story.pass_minutes(agent, 6)
    head = {"playback": "mpv-1.1", "player": "mpv", "via": "journal", **film, "begin_ms": story.now().wall_ms}
    story.tell("playback.started", **{name: value for name, value in head.items() if name not in {"size", "begin_ms"}})
    story.book.up = False
    for minute in (15, 30):
        story.pass_minutes(agent, 15)
        story.tell("playback.progress", **head, content_s=60.0 * minute, played_s=60.0 * minute, minutes={"E2": minute})
    story.sensors["projector"].state = {"reachable": True, "power": "on", "faults": {"lamp": "error"}}
    story.pass_minutes(agent, 15)
    told = {"content_s": 2700.0, "played_s": 2700.0, "minutes": {"E2": 45.0}, "segments": "0[.]2700"}
    story.tell("playback.ended", **head, **told, reason="completed")
    story.book.up = True
    story.pass_minutes(agent, 25)
    agent.close()
    story.boot, story.booted_ms = "b2" * 16, story.clock.now().mono_ms - 40_000
    agent = story.start()
    story.tell("courseware.removed", sha256=SHA256, name="养猪.mp4")
    story.pass_minutes(agent, 20)
    agent.close()


def main(file: Path) -> None:
    clock = ManualClock()
    began_ms = clock.now().wall_ms
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = f"sqlite+aiosqlite:///{folder}/centre.db"
        asyncio.run(migrate(Database(url)))
        with open_centre(url, folder, clock) as client:
            book = Notebook(client, clock, began_ms)
            enrol(CODE, centre="http://centre.test", transport=book, state_dir=folder / "station")
            sensors = {"courseware": Scripted({"files": 1, "readable": True, "corrupt": []})}
            sensors["projector"] = Scripted({"reachable": True, "power": "off", "lamp_hours": 1480})
            live(Story(book, clock, folder / "station", sensors))
    head = {"agent": VERSION, "began_ms": began_ms}
    file.write_text("".join(json.dumps(line) + "\n" for line in [head, *book.lines]), "ascii")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
