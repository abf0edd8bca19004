import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.errors import LinkError
from agent.identity import Identity
from agent.probes.base import Fact
from agent.spool import Spool
from agent.transport import Response
from agent.uplink import Uplink
from shared import signing
from shared.wire.v1 import Answer, Envelope, Pace, read_event
from tests.clocks import ManualClock
from tests.unpacking import Unpacker

KEY = signing.new_key()


@dataclass(slots=True)
class Centre:
    """Answers as told and keeps what was sent."""

    answers: list[Response | LinkError] = field(default_factory=list)
    sent: list[tuple[Envelope, list[int]]] = field(default_factory=list)
    unpacker: Unpacker = field(default_factory=Unpacker)

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        claim = signing.read_claim(headers["Authorization"])
        signing.verify(claim, bytes(KEY.verify_key), method="POST", path=path, body=body)
        first, *rest = self.unpacker.read(body)
        seqs = [read_event(line).seq for line in rest]
        self.sent.append((Envelope.model_validate_json(first), seqs))
        answer = self.answers.pop(0) if self.answers else stored(seqs[-1] if seqs else 0)
        if isinstance(answer, LinkError):
            raise answer
        if answer.status == 200:
            self.unpacker.last = first
        return answer


def stored(seq: int, **pace: int) -> Response:
    answer = Answer(stored=seq, time=1, pace=Pace(**pace))
    return Response(200, answer.model_dump_json().encode())


def problem(status: int, name: str, retry_after_s: float | None = None) -> Response:
    return Response(status, json.dumps({"type": f"/problems/{name}"}).encode(), retry_after_s)


@dataclass(slots=True)
class Bench:
    clock: ManualClock
    centre: Centre
    spool: Spool
    uplink: Uplink

    def record(self, count: int = 1) -> None:
        for _ in range(count):
            self.spool.append([Fact("note", {})], self.clock.now(), memo={})

    def passes(self, *, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance(seconds=1)
            self.uplink.tick(self.clock.now())


@pytest.fixture
def bench(tmp_path: Path, clock: ManualClock) -> Bench:
    centre = Centre()
    spool = Spool(tmp_path, clock.now())
    identity = Identity("510802/1", "宝轮镇 爱国社区", "http://centre.test", KEY)
    uplink = Uplink(identity, centre, spool, dict, heartbeat_s=300, flush_s=30, dice=random.Random(1))  # noqa: S311
    return Bench(clock, centre, spool, uplink)


def test_the_first_push_carries_everything_that_waits(bench: Bench) -> None:
    bench.record(2)
    bench.passes(seconds=1)
    ((envelope, seqs),) = bench.centre.sent
    assert (envelope.first, seqs, envelope.heartbeat.spool.waiting) == (1, [1, 2, 3], 3)


def test_heartbeats_come_every_period_and_carry_no_old_lines(bench: Bench) -> None:
    bench.centre.answers = [stored(1), stored(1), stored(1)]
    bench.passes(seconds=650)
    assert [seqs for _, seqs in bench.centre.sent] == [[1], [], []]


def test_new_lines_wait_for_company_but_not_long(bench: Bench) -> None:
    bench.passes(seconds=1)
    bench.record()
    bench.passes(seconds=29)
    bench.record()
    quiet = len(bench.centre.sent)
    bench.passes(seconds=2)
    assert quiet == 1
    assert bench.centre.sent[1][1] == [2, 3]


def test_a_backlog_is_drained_without_waiting(bench: Bench) -> None:
    bench.record(1200)
    bench.passes(seconds=4)
    assert [len(seqs) for _, seqs in bench.centre.sent] == [500, 500, 201]


def test_the_centres_pace_rules(bench: Bench) -> None:
    bench.record(10)
    bench.centre.answers = [stored(11, max_events=2, wait_ms=60_000)]
    bench.passes(seconds=1)
    bench.record(5)
    bench.passes(seconds=59)
    quiet = len(bench.centre.sent)
    bench.passes(seconds=2)
    assert quiet == 1
    assert bench.centre.sent[1][1] == [12, 13]


def test_when_the_centre_goes_back_the_station_sends_again_from_there(bench: Bench) -> None:
    bench.record(4)
    bench.centre.answers = [stored(5), stored(2)]
    bench.passes(seconds=320)
    bench.record()
    bench.passes(seconds=40)
    assert bench.centre.sent[2][1] == [3, 4, 5]


def test_without_a_link_nothing_is_lost_and_tries_grow_rarer(bench: Bench) -> None:
    bench.record(3)
    bench.centre.answers = [LinkError() for _ in range(500)]
    bench.passes(seconds=3600)
    tries = len(bench.centre.sent)
    bench.centre.answers = []
    bench.passes(seconds=301)
    assert 10 < tries < 80
    assert bench.centre.sent[-1][1] == [1, 2, 3, 4]
    assert bench.spool.depth().waiting == 0


def test_retry_after_is_obeyed(bench: Bench) -> None:
    bench.centre.answers = [problem(503, "busy", retry_after_s=120)]
    bench.passes(seconds=1)
    bench.passes(seconds=119)
    assert len(bench.centre.sent) == 1


def test_a_disputed_stream_is_held_and_a_new_one_begins(bench: Bench) -> None:
    before = bench.spool.stream
    bench.centre.answers = [problem(409, "stream-conflict")]
    bench.passes(seconds=30)
    assert bench.spool.stream != before
    assert [envelope.stream for envelope, _ in bench.centre.sent][-1] == bench.spool.stream


def test_a_push_that_is_too_large_is_sent_in_smaller_pieces(bench: Bench) -> None:
    bench.record(7)
    bench.centre.answers = [problem(413, "too-large")]
    bench.passes(seconds=30)
    assert [len(seqs) for _, seqs in bench.centre.sent][:4] == [8, 0, 4, 4]


@pytest.mark.parametrize("answer", [Response(200, b"<html>login</html>"), Response(200, b""), Response(502, b"\xff")])
def test_an_answer_that_is_not_a_centres_changes_nothing(bench: Bench, answer: Response) -> None:
    bench.centre.answers = [answer]
    bench.passes(seconds=1)
    assert bench.spool.depth().waiting == 1
    assert bench.uplink.last_error


def test_a_heartbeat_says_what_the_station_states_of_itself(bench: Bench) -> None:
    bench.uplink.stamp = lambda: {"open_hours": ["1-5 08:30-18:00"]}

    bench.passes(seconds=1)

    envelope, _ = bench.centre.sent[0]
    assert envelope.heartbeat.open_hours == ["1-5 08:30-18:00"]


def test_a_centre_that_forgot_the_push_before_is_sent_the_whole_at_once(bench: Bench) -> None:
    bench.passes(seconds=1)
    bench.centre.answers = [problem(412, "unknown-dictionary")]
    bench.record()
    bench.passes(seconds=40)
    refused, whole = bench.centre.sent[1:]
    assert refused == whole
    assert (bench.uplink.last_error, bench.spool.depth().waiting) == ("", 0)
