"""How an agent proves its pushes to centres that have a key, that have none, and that do not know tags."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.identity import Identity
from agent.probes.base import Fact
from agent.spool import Spool
from agent.transport import Response
from agent.uplink import Uplink
from shared import signing, tags
from shared.wire.v1 import PATH, Answer, Envelope, read_event
from tests.clocks import ManualClock
from tests.unpacking import Unpacker

STATION, CENTRE = signing.new_key(), signing.new_key()
NAME = "510802/1"
BOTH = {signing.ALGORITHM, tags.ALGORITHM}


@dataclass(slots=True)
class Centre:
    """Checks every push by the algorithm it names and keeps both; `knows_tags` False: a centre of an older version."""

    station_key: bytes = bytes(STATION.verify_key)
    knows_tags: bool = True
    stores: bool = True
    unpacker: Unpacker = field(default_factory=Unpacker)
    algorithms: list[str] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        claim = signing.read_claim(headers["Authorization"], BOTH)
        self.algorithms.append(claim.algorithm)
        if claim.algorithm == signing.ALGORITHM:
            signing.verify(claim, self.station_key, method="POST", path=PATH, body=body)
        elif self.knows_tags:
            secret = tags.centre_secret(CENTRE, self.station_key)
            tags.verify(claim, secret, method="POST", path=path, body=body)
        else:
            return Response(401, b'{"type": "/problems/bad-signature"}')
        first, *lines = self.unpacker.read(body)
        self.unpacker.last = first
        envelope = Envelope.model_validate_json(first)
        self.envelopes.append(envelope)
        stored = read_event(lines[-1]).seq if lines and self.stores else envelope.first - 1
        return Response(200, Answer(stored=stored, time=1).model_dump_json().encode())

    @property
    def pledged(self) -> list[int | None]:
        return [None if each.pledge is None else each.pledge.seq for each in self.envelopes]


@dataclass(slots=True)
class Bench:
    clock: ManualClock
    centre: Centre
    spool: Spool
    uplink: Uplink

    def push(self, *, lines: int = 1, minutes: int = 5) -> bool:
        self.clock.advance(minutes=minutes)
        for _ in range(lines):
            self.spool.append([Fact("note", {})], self.clock.now(), memo={})
        return self.uplink.push(self.clock.now())


def open_bench(folder: Path, clock: ManualClock, centre_key: bytes | None) -> Bench:
    centre, spool = Centre(), Spool(folder, clock.now())
    identity = Identity(NAME, "宝轮镇 爱国社区", "http://centre.test", STATION, centre_key)
    uplink = Uplink(identity, centre, spool, dict, heartbeat_s=300, flush_s=30, dice=random.Random(1))  # noqa: S311
    return Bench(clock, centre, spool, uplink)


@pytest.fixture
def bench(tmp_path: Path, clock: ManualClock) -> Bench:
    return open_bench(tmp_path, clock, bytes(CENTRE.verify_key))


def test_a_centre_with_a_key_is_given_tags(bench: Bench) -> None:
    assert [bench.push() for _ in range(3)] == [True] * 3
    assert bench.centre.algorithms == [tags.ALGORITHM] * 3


def test_a_centre_without_a_key_is_given_signatures_and_no_pledge(tmp_path: Path, clock: ManualClock) -> None:
    bench = open_bench(tmp_path, clock, None)
    assert bench.push()
    assert bench.centre.algorithms == [signing.ALGORITHM]
    assert bench.centre.pledged == [None]


def test_a_centre_that_knows_no_tags_is_given_signatures_from_then_on(bench: Bench) -> None:
    bench.centre.knows_tags = False
    assert [bench.push() for _ in range(4)] == [False, True, True, True]
    assert bench.centre.algorithms == [tags.ALGORITHM, *[signing.ALGORITHM] * 3]
    assert bench.centre.pledged == [None] * 3, "a signed push needs no pledge"


def test_a_damaged_centre_key_is_no_reason_to_fall_silent(tmp_path: Path, clock: ManualClock) -> None:
    bench = open_bench(tmp_path, clock, bytes(32))
    assert bench.push()
    assert bench.centre.algorithms == [signing.ALGORITHM]


def test_a_pledge_comes_first_thing_and_then_once_an_hour_if_there_is_news(bench: Bench) -> None:
    for _ in range(14):
        bench.push()
    bench.push(lines=0, minutes=60)
    bench.push(lines=2)
    seqs = [each for each in bench.centre.pledged if each is not None]
    assert [place for place, each in enumerate(bench.centre.pledged) if each is not None] == [0, 12, 15]
    assert seqs == [2, 14, 17]


def test_a_pledge_is_for_the_chain_as_the_centre_will_have_it(bench: Bench) -> None:
    bench.push(lines=3)
    (envelope,) = bench.centre.envelopes
    assert envelope.pledge is not None
    assert envelope.pledge.head == (bench.spool.chain_at(envelope.stream, 4) or b"").hex()
    facts = {"station": NAME, "stream": envelope.stream, "seq": 4, "head": envelope.pledge.head}
    signature = bytes.fromhex(envelope.pledge.signature)
    tags.check_pledge(signature, bytes(STATION.verify_key), **facts)  # type: ignore[arg-type]


def test_a_pledge_the_centre_had_no_use_for_is_made_again(bench: Bench) -> None:
    bench.centre.stores = False
    bench.push()
    bench.centre.stores = True
    bench.push()
    bench.push()
    assert bench.centre.pledged == [2, 3, None]


def test_a_new_key_makes_a_new_secret(bench: Bench) -> None:
    bench.push()
    new = signing.new_key()
    bench.uplink.identity = Identity(NAME, "", "http://centre.test", new, bytes(CENTRE.verify_key))
    bench.centre.station_key = bytes(new.verify_key)
    assert bench.push()
    assert bench.centre.algorithms == [tags.ALGORITHM] * 2


def test_after_a_refusal_a_new_key_tries_tags_again(bench: Bench) -> None:
    bench.centre.knows_tags = False
    bench.push()
    new = signing.new_key()
    bench.uplink.identity = Identity(NAME, "", "http://centre.test", new, bytes(CENTRE.verify_key))
    bench.centre.station_key, bench.centre.knows_tags = bytes(new.verify_key), True
    assert bench.push()
    assert bench.centre.algorithms == [tags.ALGORITHM] * 2
