"""A disk that is really full: a small tmpfs of this test's own. Needs root to mount it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import SpoolFullError
from agent.probes.base import Fact
from agent.spool import Limits, Spool
from shared.wire.v1 import read_event
from tests.clocks import ManualClock


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """3 MiB in all."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def fill_spool(spool: Spool, clock: ManualClock) -> int:
    """Record until there is no room; how many were recorded."""
    for count in range(10_000):
        try:
            spool.append([Fact("note", {"text": "x" * 2000})], clock.now(), memo={})
        except SpoolFullError:
            return count
    pytest.fail("the disk never became full")


def test_a_full_disk_loses_nothing_and_heals_by_itself(small_disk: Path, clock: ManualClock) -> None:
    other = small_disk / "courseware.ts"
    other.write_bytes(bytes(1 << 20))
    spool = Spool(small_disk / "spool", clock.now(), limits=Limits(ballast_bytes=512 * 1024))
    recorded = fill_spool(spool, clock)
    other.unlink()
    spool.append([Fact("note", {"text": "room again"})], clock.now(), memo={})
    spool.close()
    again = Spool(small_disk / "spool", clock.now())
    batch = again.batch(max_lines=10_000, max_bytes=1 << 30)
    assert [read_event(line).seq for line in batch.lines] == list(range(1, recorded + 3))
    assert not list((small_disk / "spool").glob("*.damaged-*"))


def test_what_the_centre_has_can_be_forgotten_on_a_full_disk(small_disk: Path, clock: ManualClock) -> None:
    spool = Spool(small_disk / "spool", clock.now(), limits=Limits(ballast_bytes=512 * 1024, retention_days=0))
    recorded = fill_spool(spool, clock)
    spool.acknowledge(spool.stream, recorded + 1, clock.now())
    clock.advance(minutes=1)
    spool.tidy(clock.now())
    spool.append([Fact("note", {"text": "room again"})], clock.now(), memo={})
    assert spool.depth().last == recorded + 2
