"""An upgrade may be taken back: what a newer agent adds to the spool, this one reads past and writes beside."""

import sqlite3
from pathlib import Path

from agent.probes.base import Fact
from agent.spool import Spool
from agent.spool_rows import SCHEMA, VERSION
from tests.clocks import ManualClock

NEWER = """
ALTER TABLE lines ADD COLUMN colour TEXT NOT NULL DEFAULT '';
ALTER TABLE streams ADD COLUMN weight INTEGER NOT NULL DEFAULT 0;
ALTER TABLE memo ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE names ADD COLUMN nickname TEXT NOT NULL DEFAULT '';
CREATE TABLE wishes (no INTEGER PRIMARY KEY, wish TEXT) STRICT;
INSERT INTO wishes VALUES (1, 'rain');
"""
FIRST_SCHEMA = {
    "lines": ["no", "seq", "upto", "at_ms", "line", "hash"],
    "memo": ["probe", "key", "value", "seal"],
    "names": ["no", "stream", "seal"],
    "streams": ["no", "stream", "stored", "last", "floor", "base", "head", "held", "seal"],
}


def test_a_spool_that_a_newer_agent_has_added_to_is_read_and_written_on(tmp_path: Path, clock: ManualClock) -> None:
    spool = Spool(tmp_path, clock.now())
    spool.append([Fact("note", {"n": 1})], clock.now(), probe="p", memo={"k": "v"})
    stream = spool.stream
    spool.close()
    with sqlite3.connect(tmp_path / "spool.db") as db:
        db.executescript(NEWER)
    db.close()

    again = Spool(tmp_path, clock.now())
    again.append([Fact("note", {"n": 2})], clock.now(), probe="p", memo={"k": "w"})
    batch = again.batch(max_lines=10, max_bytes=10**6)
    again.acknowledge(stream, 2, clock.now())
    clock.advance(days=40)
    again.tidy(clock.now())
    remembered = again.recall("p")
    again.close()
    last = Spool(tmp_path, clock.now())

    assert (batch.stream, batch.last, last.stream) == (stream, 3, stream)
    assert remembered == {"k": "w"}
    assert [path.name for path in tmp_path.iterdir() if "aside" in path.name or "corrupt" in path.name] == []
    last.close()


def test_the_schema_of_the_first_day_is_all_that_is_ever_required() -> None:
    """A column of a later day goes below this list, and has a default, so that older agents go on writing."""
    db = sqlite3.connect(":memory:")
    db.executescript(SCHEMA)
    tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
    required = {
        table: [row[1] for row in db.execute(f"PRAGMA table_info({table})") if row[4] is None] for table in tables
    }
    db.close()

    assert VERSION == 1
    assert {table: required[table] for table in FIRST_SCHEMA} == FIRST_SCHEMA
