"""Real file systems: one the kernel stops writing to, and a system disk that a restore card puts back every night."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.probes.host import PROBE, HostSettings
from agent.runner import InlineLook, Runner
from agent.spool import Spool
from shared.wire.v1 import Event, read_event
from tests.clocks import ManualClock

pytestmark = pytest.mark.device


@pytest.fixture
def broken_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, and the kernel's switch that makes it fail."""
    if not os.access("/dev/loop-control", os.W_OK):
        pytest.skip("this kernel has no loop devices")
    image, mounted = tmp_path / "image", tmp_path / "disk"
    mounted.mkdir()
    image.write_bytes(bytes(8 << 20))
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-F", image], check=True)
    subprocess.run(["mount", "-o", "loop,errors=remount-ro", image, mounted], check=True)
    yield mounted
    subprocess.run(["umount", mounted], check=True)


@dataclass
class Pc:
    """A PC with its system disk and another for the films; `rounds` lets its host sensor look once a minute."""

    folder: Path
    films: Path
    clock: ManualClock
    told: list[Event] = field(default_factory=list)

    def rounds(self, minutes: int) -> None:
        spool = Spool(self.folder / "spool", self.clock.now())
        before = spool.depth().last
        runner = Runner(spool, InlineLook)
        runner.add("host", PROBE, HostSettings(directory=self.films, pulse=self.folder / "pulse", smartctl=None))
        for _ in range(minutes):
            self.clock.advance(minutes=1)
            runner.tick(self.clock.now())
        state = runner.reports()["host"].state
        lines = [read_event(line) for line in spool.batch(max_lines=9999, max_bytes=1 << 20).lines]
        self.told = [line for line in lines if line.seq > before]
        self.read_only = state.get("read_only")
        runner.close()
        spool.close()

    def kinds(self) -> list[str]:
        return [event.kind for event in self.told]


def test_a_disk_the_kernel_stops_writing_to_is_told_at_the_next_look(
    broken_disk: Path, tmp_path: Path, clock: ManualClock
) -> None:
    pc = Pc(tmp_path / "system", broken_disk, clock)
    pc.rounds(1)
    assert pc.read_only is False
    device = broken_disk.stat().st_dev
    switch = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve().name
    Path(f"/sys/fs/ext4/{switch}/trigger_fs_error").write_text("a test")
    pc.rounds(1)
    assert pc.read_only is True


def test_a_restore_card_is_found_out_by_what_lies_on_the_other_disk(tmp_path: Path, clock: ManualClock) -> None:
    system, films, image = tmp_path / "system", tmp_path / "films", tmp_path / "image"
    films.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", films], check=True)
    try:
        pc = Pc(system, films, clock)
        pc.rounds(5)
        shutil.copytree(system, image)
        pc.rounds(60)
        shutil.rmtree(system)
        shutil.copytree(image, system)
        clock.advance(hours=12)
        clock.reboot("c" * 32)
        pc.rounds(2)
        assert pc.kinds() == ["host.booted", "host.rolled_back"]
        assert pc.told[1].data["turns"] == 6
        pc.rounds(2)
        assert pc.kinds() == []
    finally:
        subprocess.run(["umount", films], check=True)
