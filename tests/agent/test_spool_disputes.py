"""What the simulation found about the spool: disks and centres that go back in time, commits that fail too late."""

import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from agent.eviction import forget_stored
from agent.probes.base import Fact
from agent.spool import Batch, Spool
from shared.wire.v1 import read_event
from tests.clocks import ManualClock
from tests.simulation.disk import Disk, Strike, installed, use

MANY = {"max_lines": 500, "max_bytes": 1 << 20}


@pytest.fixture
def spool(tmp_path: Path, clock: ManualClock) -> Spool:
    return Spool(tmp_path / "spool", clock.now())


def record(spool: Spool, clock: ManualClock, *names: str) -> None:
    for name in names:
        spool.append([Fact("note", {"name": name})], clock.now(), memo={})


def names(batch: Batch) -> list[object]:
    return [read_event(line).data.get("name") for line in batch.lines]


def test_unsent_lines_under_numbers_the_centre_gave_to_others_are_kept_aside(spool: Spool, clock: ManualClock) -> None:
    spool.acknowledge(spool.stream, 1, clock.now())
    record(spool, clock, "a")
    spool.acknowledge(spool.stream, 99, clock.now())
    (line,) = spool.batch(**MANY).lines
    assert read_event(line).data["reason"] == "disputed"


def test_a_cursor_never_passes_what_was_sent(spool: Spool, clock: ManualClock) -> None:
    record(spool, clock, "a", "b")
    spool.acknowledge(spool.stream, 3, clock.now(), sent=1)
    assert names(spool.batch(**MANY)) == ["a", "b"]


def test_a_centre_that_went_back_is_offered_earlier_streams_too(spool: Spool, clock: ManualClock) -> None:
    record(spool, clock, "a")
    first = spool.stream
    spool.acknowledge(first, 2, clock.now())
    spool.acknowledge(first, 99, clock.now())
    spool.acknowledge(spool.stream, 1, clock.now())
    spool.acknowledge(spool.stream, 0, clock.now())
    again = spool.batch(**MANY)
    assert (again.stream, names(again)) == (first, [None, "a"])


def test_a_commit_that_failed_after_it_reached_the_disk_is_not_recorded_twice(
    tmp_path: Path, clock: ManualClock
) -> None:
    disk = Disk(tmp_path, Random(1))  # noqa: S311 - reproducible on purpose
    with installed():
        use(disk)
        spool = Spool(tmp_path, clock.now())
        disk.arm(Strike.EIO_LATE, 1)
        record(spool, clock, "a")
        sent = names(spool.batch(**MANY))
        spool.close()
    assert not disk.armed
    assert sent == [None, "a"]


def test_a_clock_that_is_years_off_forgets_nothing_early(spool: Spool, clock: ManualClock) -> None:
    record(spool, clock, "a")
    centre_ms = clock.now().wall_ms
    spool.acknowledge(spool.stream, 2, clock.now(), centre_ms=centre_ms)
    clock.advance(days=400)
    spool.acknowledge(spool.stream, 2, clock.now(), centre_ms=centre_ms + 1000)
    spool.tidy(clock.now())
    spool.acknowledge(spool.stream, 0, clock.now(), centre_ms=centre_ms + 2000)
    assert names(spool.batch(**MANY)) == [None, "a"]


def test_a_disputed_stream_stays_whole_however_long_ago_the_centre_had_it(spool: Spool, clock: ManualClock) -> None:
    record(spool, clock, "a")
    disputed = spool.stream
    spool.acknowledge(disputed, 2, clock.now())
    spool.hold(disputed, clock.now())
    for _ in range(80):
        clock.advance(days=1)
        spool.acknowledge(spool.stream, 1, clock.now())
        spool.tidy(clock.now())
    assert spool.chain_at(disputed, 1) is not None


def test_for_want_of_room_what_is_disputed_goes_last(spool: Spool, tmp_path: Path, clock: ManualClock) -> None:
    spool.acknowledge(spool.stream, 1, clock.now())
    spool.hold(spool.stream, clock.now())
    spool.acknowledge(spool.stream, 1, clock.now())
    with closing(sqlite3.connect(tmp_path / "spool" / "spool.db", isolation_level=None)) as db:
        forget_stored(db, enough=1)
        left = db.execute("SELECT no FROM lines").fetchall()
    assert left == [(1,)]


def test_lines_without_the_name_of_their_stream_are_not_told_under_that_of_another(
    spool: Spool, tmp_path: Path, clock: ManualClock
) -> None:
    record(spool, clock, "a", "b")
    first = spool.stream
    spool.hold(first, clock.now())
    record(spool, clock, "c")
    second = spool.stream
    spool.close()
    with closing(sqlite3.connect(tmp_path / "spool" / "spool.db", isolation_level=None)) as db:
        db.executescript("DELETE FROM lines WHERE no = 2; DELETE FROM streams; DELETE FROM names; VACUUM")
    healed = Spool(tmp_path / "spool", clock.now())
    told = {batch.stream: [read_event(line) for line in batch.lines] for batch in healed.batches(**MANY)}
    assert [(each.kind, each.data.get("counts")) for each in told[second]] == [("spool.gap", {"unreadable": 2})]
    assert told[healed.stream][0].data["previous"] == second


def test_a_schema_that_is_no_longer_text_heals(spool: Spool, tmp_path: Path, clock: ManualClock) -> None:
    record(spool, clock, "a")
    spool.close()
    file = tmp_path / "spool" / "spool.db"
    file.write_bytes(file.read_bytes().replace(b"CREATE TABLE memo", b"CREATE TABLE \xa0\xa0\xa0\xa0", 1))
    healed = Spool(tmp_path / "spool", clock.now())
    assert names(healed.batch(**MANY))[:2] == [None, "a"]


def test_a_centre_that_begins_a_new_stream_is_offered_the_end_of_the_one_before(
    tmp_path: Path, clock: ManualClock
) -> None:
    spool = Spool(tmp_path, clock.now())
    record(spool, clock, "a", "b")
    old = spool.stream
    spool.acknowledge(old, 3, clock.now())
    spool.close()
    file = tmp_path / "spool.db"
    file.write_bytes(file.read_bytes().replace(b'"a"', b'"A"'))
    healed = Spool(tmp_path, clock.now())
    assert healed.batch(**MANY).stream == healed.stream
    healed.acknowledge(healed.stream, 1, clock.now(), sent=1)
    offered = healed.batch(**MANY)
    healed.acknowledge(old, 1, clock.now(), sent=offered.last)
    assert (offered.stream, names(offered)) == (old, ["b"])
    assert len(healed.batch(**MANY).lines) == 2
