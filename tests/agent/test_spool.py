import sqlite3
from pathlib import Path

import pytest

from agent.errors import SpoolFullError
from agent.probes.base import Fact
from agent.spool import Batch, Limits, Spool
from shared import chain
from shared.wire.v1 import Event, read_event
from tests.clocks import ManualClock

MANY = {"max_lines": 500, "max_bytes": 1 << 20}


def opened(folder: Path, clock: ManualClock, *, limits: Limits | None = None) -> Spool:
    return Spool(folder, clock.now(), limits=limits)


def record(spool: Spool, clock: ManualClock, *names: str) -> None:
    for name in names:
        spool.append([Fact("note", {"name": name})], clock.now(), memo={})


def sent(spool: Spool) -> list[Event]:
    """All a centre would get, over all streams."""
    return [read_event(line) for batch in spool.batches(**MANY) for line in batch.lines]


def names(batch: Batch) -> list[object]:
    return [read_event(line).data.get("name") for line in batch.lines]


def test_a_new_spool_opens_a_stream_and_says_so(tmp_path: Path, clock: ManualClock) -> None:
    batch = opened(tmp_path, clock).batch(**MANY)
    assert (batch.first, batch.head) == (1, chain.START)
    assert [read_event(line).kind for line in batch.lines] == ["stream.opened"]


def test_what_is_recorded_is_there_after_a_restart(tmp_path: Path, clock: ManualClock) -> None:
    record(opened(tmp_path, clock), clock, "a", "b")
    again = opened(tmp_path, clock)
    assert names(again.batch(**MANY)) == [None, "a", "b"]
    assert again.depth().last == 3


def test_lines_are_numbered_without_holes_and_chained(tmp_path: Path, clock: ManualClock) -> None:
    spool = opened(tmp_path, clock)
    record(spool, clock, "a", "b")
    whole = spool.batch(**MANY)
    spool.acknowledge(whole.stream, 2, clock.now())
    rest = spool.batch(**MANY)
    assert [read_event(line).seq for line in whole.lines] == [1, 2, 3]
    assert (rest.first, rest.head) == (3, chain.extend_all(chain.START, whole.lines[:2]))


def test_the_cursor_follows_the_centre_backwards(tmp_path: Path, clock: ManualClock) -> None:
    spool = opened(tmp_path, clock)
    record(spool, clock, "a", "b")
    spool.acknowledge(spool.stream, 3, clock.now())
    spool.acknowledge(spool.stream, 1, clock.now())
    assert names(spool.batch(**MANY)) == ["a", "b"]


def test_a_centre_that_holds_more_than_was_written_starts_a_new_stream(tmp_path: Path, clock: ManualClock) -> None:
    spool = opened(tmp_path, clock)
    before = spool.stream
    spool.acknowledge(before, 1, clock.now())
    spool.acknowledge(before, 99, clock.now())
    (line,) = spool.batch(**MANY).lines
    assert spool.stream != before
    assert read_event(line).data == {"reason": "corrupt", "previous": before, "previous_last": 1}


def test_what_a_probe_remembers_is_kept_with_its_facts(tmp_path: Path, clock: ManualClock) -> None:
    spool = opened(tmp_path, clock)
    spool.append([], clock.now(), probe="courseware", memo={"a": "1", "b": "2"})
    spool.append([], clock.now(), probe="courseware", memo={"a": None})
    assert opened(tmp_path, clock).recall("courseware") == {"b": "2"}


def test_a_fact_that_is_not_json_changes_nothing(tmp_path: Path, clock: ManualClock) -> None:
    spool = opened(tmp_path, clock)
    with pytest.raises(ValueError, match="not JSON compliant"):
        spool.append([Fact("note", {"x": float("nan")})], clock.now(), probe="p", memo={"k": "v"})
    assert (spool.depth().last, spool.recall("p")) == (1, {})


def test_acknowledged_lines_stay_for_the_retention_and_then_go(tmp_path: Path, clock: ManualClock) -> None:
    spool = opened(tmp_path, clock)
    record(spool, clock, "a")
    spool.acknowledge(spool.stream, 2, clock.now())
    clock.advance(days=34)
    spool.tidy(clock.now())
    spool.acknowledge(spool.stream, 0, clock.now())
    kept = names(spool.batch(**MANY))
    spool.acknowledge(spool.stream, 2, clock.now())
    clock.advance(days=2)
    spool.acknowledge(spool.stream, 2, clock.now())
    spool.tidy(clock.now())
    spool.acknowledge(spool.stream, 0, clock.now())
    (gap,) = spool.batch(**MANY).lines
    assert kept == [None, "a"]
    assert read_event(gap).data["counts"] == {"forgotten": 2}


def test_a_full_spool_forgets_only_what_the_centre_has(tmp_path: Path, clock: ManualClock) -> None:
    spool = opened(tmp_path, clock, limits=Limits(max_bytes=40_000, ballast_bytes=4096))
    with pytest.raises(SpoolFullError):
        record(spool, clock, *("x" * 3000 for _ in range(30)))
    waiting = spool.depth().waiting
    spool.acknowledge(spool.stream, waiting, clock.now())
    record(spool, clock, "room again")
    assert names(spool.batch(**MANY)) == ["room again"]


def test_a_disputed_stream_is_held_and_a_new_one_goes_on(tmp_path: Path, clock: ManualClock) -> None:
    spool = opened(tmp_path, clock)
    before = spool.stream
    spool.hold(before, clock.now())
    (line,) = spool.batch(**MANY).lines
    assert read_event(line).data == {"reason": "disputed", "previous": before, "previous_last": 1}


def test_a_file_of_length_zero_is_found_by_the_mark(tmp_path: Path, clock: ManualClock) -> None:
    spool = opened(tmp_path, clock)
    record(spool, clock, "a")
    before = spool.stream
    spool.close()
    for suffix in ("", "-wal", "-shm"):
        (tmp_path / f"spool.db{suffix}").unlink(missing_ok=True)
    (tmp_path / "spool.db").touch()
    gap, opening = sent(opened(tmp_path, clock))
    assert (gap.kind, gap.data["first"], gap.data["last"]) == ("spool.gap", 1, 2)
    assert opening.data == {"reason": "corrupt", "previous": before, "previous_last": 2}


def test_a_lost_wal_is_found_by_the_mark(tmp_path: Path, clock: ManualClock) -> None:
    spool = opened(tmp_path, clock)
    spool.close()
    before = (tmp_path / "spool.db").read_bytes()
    later = opened(tmp_path, clock)
    record(later, clock, "a", "b")
    stream = later.stream
    later.close()
    (tmp_path / "spool.db").write_bytes(before)
    again = opened(tmp_path, clock)
    assert again.stream != stream
    kinds = [(event.kind, event.data.get("first"), event.data.get("last")) for event in sent(again)]
    assert kinds == [("stream.opened", None, None), ("spool.gap", 2, 3), ("stream.opened", None, None)]


def test_a_flipped_bit_becomes_a_declared_gap_and_the_rest_is_sent(tmp_path: Path, clock: ManualClock) -> None:
    spool = opened(tmp_path, clock)
    record(spool, clock, "a", "b", "c")
    stream = spool.stream
    spool.close()
    with sqlite3.connect(tmp_path / "spool.db") as db:
        db.execute("UPDATE lines SET line = CAST(replace(CAST(line AS TEXT), '\"b\"', '\"B\"') AS BLOB) WHERE seq = 3")
    db.close()
    again = opened(tmp_path, clock)
    old = again.batch(**MANY)
    events = [read_event(line) for line in old.lines]
    assert old.stream == stream
    assert [event.seq for event in events] == [1, 2, 3, 4]
    assert (events[2].kind, events[2].data["first"], events[2].data["last"]) == ("spool.gap", 3, 3)
    assert list(tmp_path.glob("spool.db.damaged-*"))


def test_a_healed_spool_is_healthy_at_the_next_start(tmp_path: Path, clock: ManualClock) -> None:
    test_a_flipped_bit_becomes_a_declared_gap_and_the_rest_is_sent(tmp_path, clock)
    stream = opened(tmp_path, clock).stream
    assert opened(tmp_path, clock).stream == stream


def test_nonsense_in_place_of_the_file_is_moved_aside(tmp_path: Path, clock: ManualClock) -> None:
    opened(tmp_path, clock).close()
    (tmp_path / "spool.db").write_bytes(b"nonsense" * 1000)
    spool = opened(tmp_path, clock)
    record(spool, clock, "a")
    assert sent(spool)[-1].data == {"name": "a"}
