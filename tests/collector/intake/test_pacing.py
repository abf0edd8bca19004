"""The return of a whole county is a ramp: real uplinks, virtual time, no sockets."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.errors import LinkError
from agent.identity import Identity
from agent.spool import Batch, Depth
from agent.transport import Response
from agent.uplink import Uplink
from collector.intake.pacing import LONGEST_WAIT_MS, Pacer
from shared import chain, signing
from shared.clock import Instant
from shared.wire.v1 import Answer, Pace

COUNTY = 10_000
BACKLOG = 600
KEY = signing.new_key()


@dataclass(slots=True)
class CountedSpool:
    """Stands for a spool in the size of its backlog only; the real one is tested elsewhere."""

    waiting: int = BACKLOG
    taken: int = 0
    stream: str = "a" * 32

    def batch(self, *, max_lines: int, max_bytes: int) -> Batch:
        del max_bytes
        self.taken = min(max_lines, self.waiting)
        return Batch("a" * 32, 1, chain.START, (), last=self.taken)

    def depth(self) -> Depth:
        return Depth(BACKLOG, self.waiting, 0)

    def acknowledge(self, stream: str, stored: int, now: Instant, **told: int | None) -> None:
        del stream, stored, now, told
        self.waiting -= self.taken


@dataclass(slots=True)
class County:
    """The centre as the link sees it: counts what arrives in each second, answers with the real pacer's word."""

    up: bool = False
    now_ms: int = 0
    pacer: Pacer = field(default_factory=lambda: Pacer(lines_per_s=20_000))
    pushes: dict[int, int] = field(default_factory=dict)
    lines: dict[int, int] = field(default_factory=dict)

    def post(self, spool: CountedSpool) -> Response:
        if not self.up:
            raise LinkError
        second = self.now_ms // 1000
        self.pushes[second] = self.pushes.get(second, 0) + 1
        self.lines[second] = self.lines.get(second, 0) + spool.taken
        pace = self.pacer.pace(left=spool.waiting - spool.taken, now_ms=self.now_ms)
        return Response(200, Answer(stored=0, time=0, pace=pace).model_dump_json().encode())


@dataclass(slots=True)
class Link:
    county: County
    spool: CountedSpool

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        del path, body, headers
        return self.county.post(self.spool)


def no_reports() -> dict[str, Any]:
    return {}


def a_county(county: County) -> list[Uplink]:
    uplinks = []
    for number in range(COUNTY):
        spool: Any = CountedSpool()
        identity = Identity(f"510802/{number}", "", "", KEY)
        dice = random.Random(number)  # noqa: S311 - seeded on purpose
        uplinks.append(Uplink(identity, Link(county, spool), spool, no_reports, 300, 30, dice))
    return uplinks


def pass_time(county: County, uplinks: list[Uplink], *, since_s: int, seconds: int) -> None:
    for second in range(since_s, since_s + seconds):
        county.now_ms = second * 1000
        now = Instant(county.now_ms, county.now_ms, "b" * 32)
        for uplink in uplinks:
            uplink.tick(now)


def test_ten_thousand_stations_come_back_as_a_ramp(monkeypatch: Any) -> None:
    # Signing and packing are not what is looked at here and would take most of the time.
    monkeypatch.setattr("agent.uplink.signing.authorization", lambda *_, **__: "")
    monkeypatch.setattr("agent.uplink.Packer.pack", lambda *_: b"")
    monkeypatch.setattr(Uplink, "_body", lambda *_: b"")
    county = County()
    uplinks = a_county(county)
    pass_time(county, uplinks, since_s=0, seconds=200)
    county.up = True
    pass_time(county, uplinks, since_s=200, seconds=1000)
    assert sum(uplink.spool.depth().waiting for uplink in uplinks) == 0
    assert sum(county.lines.values()) == COUNTY * BACKLOG
    assert max(county.pushes.values()) <= 400
    assert max(county.lines.values()) <= 45_000
    assert min(second for second, count in county.pushes.items() if count) <= 202


def test_slots_are_as_long_as_the_lines_they_carry() -> None:
    pacer = Pacer(lines_per_s=1000)
    waits = [pacer.pace(left=500, now_ms=0).wait_ms for _ in range(4)]
    assert waits == [0, 500, 1000, 1500]


def test_a_station_without_backlog_never_waits() -> None:
    pacer = Pacer(lines_per_s=1, free_ms=10_000_000)
    assert pacer.pace(left=0, now_ms=0) == Pace()


def test_no_wait_is_longer_than_five_minutes() -> None:
    pacer = Pacer(lines_per_s=1)
    for _ in range(1000):
        pacer.pace(left=500, now_ms=0)
    assert pacer.pace(left=500, now_ms=0).wait_ms == LONGEST_WAIT_MS
