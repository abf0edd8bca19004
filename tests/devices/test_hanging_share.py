"""The whole agent with the courseware on a share that answers no more: that one sensor hangs, and nothing else."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent import checkup
from agent.app import Agent, build
from agent.identity import Identity
from agent.settings import AgentSettings, SessionSettings
from agent.transport import Response
from shared import signing
from shared.wire.v1 import Answer, Envelope, ProbeReport, read_event
from tests import media
from tests.agent.probes.station import Player
from tests.clocks import ManualClock
from tests.devices.hanging_share import hanging, why_not
from tests.devices.processes import wait_until
from tests.unpacking import Unpacker

pytestmark = [pytest.mark.device, pytest.mark.skipif(bool(why_not()), reason=why_not())]
FILM = "乡村振兴 第3讲.mp4"


@dataclass
class Centre:
    """Takes all that comes; keeps the sensors' reports of each heartbeat and every event."""

    heartbeats: list[Mapping[str, ProbeReport]] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    unpacker: Unpacker = field(default_factory=Unpacker)

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        del path, headers
        self.unpacker.last, *lines = self.unpacker.read(body)
        self.heartbeats.append(Envelope.model_validate_json(self.unpacker.last).heartbeat.probes)
        self.kinds += [read_event(line).kind for line in lines]
        return Response(200, Answer(stored=len(self.kinds), time=1).model_dump_json().encode())


class Room:
    """A station whose films lie on a share."""

    def __init__(self, folder: Path, clock: ManualClock) -> None:
        self.clock, self.centre = clock, Centre()
        self.share, journal = folder / "share", folder / "journal"
        self.share.mkdir()
        journal.mkdir()
        self.player = Player(journal, clock)
        self.settings = AgentSettings(
            state_dir=folder / "state",
            heartbeat_s=60,
            flush_s=0,
            session=SessionSettings(socket=folder / "nowhere" / "session.sock"),
            probes={
                "courseware": {"directory": self.share, "settle_s": 0},
                "playback": {"journal_dir": journal},
                "textfile": {"directory": folder},
                "audio": {"enabled": False},
            },
        )
        identity = Identity("510802/1", "宝轮镇 爱国社区", "http://centre.test", signing.new_key())
        self.agent: Agent = build(self.settings, identity, self.centre, clock.now())

    def passes(self, *, seconds: int) -> None:
        """Step by step; a step ends when every sensor is done but the one whose device the share is."""
        for _ in range(seconds // 10):
            self.clock.advance(seconds=10)
            self.agent.look(self.clock.now())
            wait_until(lambda: not self.others_at_work(), "the other sensors coming to an end")
            self.agent.look(self.clock.now())
            self.agent.push(self.clock.now())

    def others_at_work(self) -> list[str]:
        threads = {each.name for each in threading.enumerate()}
        return sorted(each for each in threads if each.startswith("probe-") and each != "probe-courseware")

    def others(self) -> Mapping[str, ProbeReport]:
        return {name: report for name, report in self.centre.heartbeats[-1].items() if name != "courseware"}


@pytest.fixture
def room(tmp_path: Path, clock: ManualClock) -> Iterator[Room]:
    made = Room(tmp_path, clock)
    yield made
    made.agent.close()


def test_a_share_that_hangs_holds_up_no_other_sensor_and_no_heartbeat_and_its_films_are_not_gone(room: Room) -> None:
    (room.share / FILM).write_bytes(media.mp4(3))
    room.passes(seconds=120)
    assert room.centre.heartbeats[-1]["courseware"].state["files"] == 1
    heard, since_ms = len(room.centre.heartbeats), room.clock.now().mono_ms

    with hanging(room.share):
        room.player.start(str(room.share / FILM))
        room.passes(seconds=240)
        room.player.exit()
        room.passes(seconds=60)

        assert room.centre.heartbeats[-1]["courseware"].error == "no answer within 180 s"
        assert {name: report.status for name, report in room.others().items() if report.status == "failed"} == {}
        assert min(report.mono for report in room.others().values()) >= since_ms + 180_000
        assert len(room.centre.heartbeats) >= heard + 5
        assert room.centre.kinds[-2:] == ["playback.started", "playback.ended"]

    room.passes(seconds=120)
    assert room.centre.heartbeats[-1]["courseware"].state["files"] == 1
    assert "courseware.removed" not in room.centre.kinds


def test_an_agent_that_starts_beside_a_hanging_share_tells_the_boot_and_doctor_names_the_share(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkup, "LOOK_S", 3)
    with hanging(room.share):
        room.passes(seconds=60)
        found = [each.text for each in checkup.check_up(room.settings, room.clock.now()) if each.ok is False]

    assert "host.booted" in room.centre.kinds
    assert room.centre.heartbeats[-1]["host"].state["memory_total"]
    assert room.centre.heartbeats[-1]["host"].state.get("disk_total") is None
    assert "下载目录一直没有应答" in found
