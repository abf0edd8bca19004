"""When room runs out: what goes, in which order, and that it is told."""

import gzip
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from agent.app import build
from agent.errors import SpoolFullError
from agent.identity import Identity
from agent.probes.base import Fact
from agent.room import Space
from agent.runner import InlineLook
from agent.settings import AgentSettings
from agent.spool import Limits, Spool
from agent.transport import Response
from collector.intake.admission import admit
from shared import chain
from tests.clocks import ManualClock

SMALL = Limits(max_bytes=(1 << 20) + 200_000, ballast_bytes=4096)
GIB = 1 << 30
FILLING = "x" * 300


def record(spool: Spool, clock: ManualClock, kind: str, count: int, *, seconds: float = 60) -> None:
    for number in range(count):
        spool.append([Fact(kind, {"n": number, "text": FILLING})], clock.now(), memo={})
        clock.advance(seconds=seconds)


def fill(spool: Spool, clock: ManualClock, kind: str, *, most: int = 10_000) -> int:
    """Record one kind until it is refused, or enough is recorded; how many there was room for."""
    for count in range(most):
        try:
            record(spool, clock, kind, 1)
        except SpoolFullError:
            return count
    return most


def kinds(spool: Spool) -> Counter[str]:
    """What would be sent, what gap lines tell of counted under `gone`."""
    told: Counter[str] = Counter()
    for batch in spool.batches(max_lines=500, max_bytes=1 << 20):
        for line in batch.lines:
            event = json.loads(line)
            told[event["kind"]] += 1
            told.update({f"gone {kind}": count for kind, count in event["data"].get("counts", {}).items()})
    return told


def admitted(spool: Spool) -> tuple[int, bytes]:
    """Where a centre stands that takes all of the present stream in, line by line verified."""
    stored, head = 0, chain.START
    for batch in spool.batches(max_lines=37, max_bytes=1 << 20):
        taken = admit(first=batch.first, head=batch.head, lines=batch.lines, stored=stored, stored_head=head)
        assert taken.conflict is None
        stored, head = taken.stored, taken.head
    return stored, head


def test_samples_go_before_progress_and_plays_never(tmp_path: Path, clock: ManualClock) -> None:
    spool = Spool(tmp_path, clock.now(), limits=SMALL)
    record(spool, clock, "courseware.progressed", 100)
    record(spool, clock, "device.sampled", 100)
    before = kinds(spool)
    record(spool, clock, "playback.ended", 120)
    after = kinds(spool)
    assert (before["device.sampled"], before["courseware.progressed"]) == (100, 100)
    assert after["gone device.sampled"] > 50
    assert (after["courseware.progressed"], after["playback.ended"]) == (100, 120)


def test_when_samples_are_folded_progress_goes_and_then_the_spool_refuses(tmp_path: Path, clock: ManualClock) -> None:
    spool = Spool(tmp_path, clock.now(), limits=SMALL)
    record(spool, clock, "courseware.progressed", 60)
    record(spool, clock, "device.sampled", 60)
    plays = fill(spool, clock, "playback.ended")
    told = kinds(spool)
    assert spool.full
    assert told["playback.ended"] == plays
    assert told["courseware.progressed"] == 0
    assert told["gone courseware.progressed"] == 60
    assert told["gone device.sampled"] + told["device.sampled"] == 60


def test_of_device_samples_one_an_hour_stays(tmp_path: Path, clock: ManualClock) -> None:
    spool = Spool(tmp_path, clock.now(), limits=SMALL)
    record(spool, clock, "device.sampled", 180)
    fill(spool, clock, "playback.ended")
    hours = [
        json.loads(line)["at"] // 3_600_000
        for batch in spool.batches(max_lines=500, max_bytes=1 << 20)
        for line in batch.lines
        if b'"device.sampled","at"' in line
    ]
    assert len(hours) == len(set(hours)) == 3


def test_an_unknown_kind_is_kept_like_a_play(tmp_path: Path, clock: ManualClock) -> None:
    spool = Spool(tmp_path, clock.now(), limits=SMALL)
    recorded = fill(spool, clock, "tomorrow.invented")
    assert kinds(spool)["tomorrow.invented"] == recorded


def test_a_centre_verifies_the_chain_across_every_eviction(tmp_path: Path, clock: ManualClock) -> None:
    spool = Spool(tmp_path, clock.now(), limits=SMALL)
    for _ in range(12):
        record(spool, clock, "device.sampled", 20)
        record(spool, clock, "playback.ended", 10)
        record(spool, clock, "courseware.progressed", 20)
    told = kinds(spool)
    produced = {kind: told[kind] + told[f"gone {kind}"] for kind in ("device.sampled", "courseware.progressed")}
    assert admitted(spool)[0] == spool.depth().last
    assert produced == {"device.sampled": 240, "courseware.progressed": 240}
    assert told["playback.ended"] == 120


def test_after_evictions_the_spool_is_healthy_at_the_next_start(tmp_path: Path, clock: ManualClock) -> None:
    spool = Spool(tmp_path, clock.now(), limits=SMALL)
    record(spool, clock, "device.sampled", 300)
    stream = spool.stream
    spool.close()
    again = Spool(tmp_path, clock.now(), limits=SMALL)
    assert (again.stream, kinds(again)["stream.opened"]) == (stream, 1)


def test_an_answer_that_comes_after_an_eviction_moves_the_cursor_into_the_gap(
    tmp_path: Path, clock: ManualClock
) -> None:
    spool = Spool(tmp_path, clock.now(), limits=SMALL)
    record(spool, clock, "device.sampled", 50)
    sent = spool.batch(max_lines=10, max_bytes=1 << 20)
    record(spool, clock, "playback.ended", 300)
    spool.acknowledge(sent.stream, 10, clock.now())
    rest = spool.batch(max_lines=500, max_bytes=1 << 20)
    head = chain.extend_all(chain.START, sent.lines)
    taken = admit(first=rest.first, head=rest.head, lines=rest.lines, stored=10, stored_head=head)
    assert (taken.conflict, taken.stored, taken.rows[0].seq) == (None, spool.depth().last, 11)


def test_what_the_centre_has_goes_first_and_no_more_of_it_than_needed(tmp_path: Path, clock: ManualClock) -> None:
    spool = Spool(tmp_path, clock.now(), limits=SMALL)
    record(spool, clock, "playback.ended", 100)
    spool.acknowledge(spool.stream, 101, clock.now())
    record(spool, clock, "device.sampled", 250)
    told = kinds(spool)
    spool.acknowledge(spool.stream, 0, clock.now())
    assert told == {"device.sampled": 250}
    assert 0 < kinds(spool)["playback.ended"] < 100


@pytest.mark.parametrize(
    ("space", "room"),
    [
        (Space(2 * GIB, 500 * GIB), True),
        (Space(GIB, 500 * GIB), False),
        (Space(GIB // 2, 8 * GIB), True),
        (Space(GIB // 3, 8 * GIB), False),
    ],
    ids=["a large disk", "its last GiB", "a small disk", "its last twentieth"],
)
def test_the_last_of_the_disk_is_left_alone(tmp_path: Path, clock: ManualClock, space: Space, room: bool) -> None:
    disk = [Space(9 * GIB, 500 * GIB)]
    spool = Spool(tmp_path, clock.now(), free_bytes=lambda _: disk[0])
    record(spool, clock, "playback.ended", 3)
    disk[0] = space
    grown = fill(spool, clock, "playback.ended", most=100)
    assert (grown == 100) is room


def test_refused_records_are_taken_once_the_disk_has_room_again(tmp_path: Path, clock: ManualClock) -> None:
    disk = [Space(9 * GIB, 500 * GIB)]
    spool = Spool(tmp_path, clock.now(), free_bytes=lambda _: disk[0])
    disk[0] = Space(0, 500 * GIB)
    fill(spool, clock, "playback.ended")
    refused = spool.full
    disk[0] = Space(2 * GIB, 500 * GIB)
    record(spool, clock, "playback.ended", 1)
    assert (refused, spool.full) == (True, False)


def test_the_files_stay_within_the_bound_whatever_is_recorded(tmp_path: Path, clock: ManualClock) -> None:
    limits = Limits(max_bytes=4 << 20, ballast_bytes=1 << 20)
    spool = Spool(tmp_path, clock.now(), limits=limits)
    for _ in range(12):
        spool.append([Fact("device.sampled", {"text": FILLING * 4})] * 100, clock.now(), memo={})
    fill(spool, clock, "playback.ended")
    assert sum(path.stat().st_size for path in tmp_path.iterdir() if path.suffix != ".db-shm") <= limits.max_bytes


def test_a_spool_that_refuses_says_so_in_the_heartbeat(tmp_path: Path, clock: ManualClock) -> None:
    bodies: list[bytes] = []

    class Ear:
        def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
            del path, headers
            bodies.append(body)
            return Response(503, b"{}")

    identity = Identity("510802/7", "大石镇 红岩村", "https://centre.test", SigningKey.generate())
    agent = build(AgentSettings(state_dir=tmp_path), identity, Ear(), clock.now(), look=InlineLook, plugins={})
    agent.push(clock.now())
    agent.spool.full = True
    clock.advance(minutes=10)
    agent.push(clock.now())
    agent.close()
    told = [
        json.loads(gzip.decompress(body).splitlines()[0])["heartbeat"]["spool"].get("full", False) for body in bodies
    ]
    assert told == [False, True]
