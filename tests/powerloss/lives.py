"""What a spool does while its system calls are recorded. Run as a program; every promise it makes is written to a mark.

    python -m tests.powerloss.lives LIFE FOLDER [PLANTED]

Marks go to /dev/null, where only the recorder sees them: `tried SEQ N`, `kept SEQ N`, `made NAME`.
"""

import os
import sqlite3
import stat
import sys
from contextlib import closing, suppress
from pathlib import Path

from nacl.signing import SigningKey

from agent import healing
from agent.bundle import export_bundle
from agent.errors import SpoolError
from agent.identity import Identity
from agent.probes.base import Fact
from agent.room import Space
from agent.spool import Limits, Spool
from shared.clock import Instant

LIMITS = Limits(max_bytes=(1 << 20) + 70_000, ballast_bytes=4096, retention_days=0, checkpoint_pages=6)
NOW = Instant(1_790_000_000_000, 600_000, "b" * 32)
ROOM = Space(1 << 40, 1 << 40)
IDENTITY = Identity("510802/7", "大石镇 红岩村", "https://centre.test", SigningKey(bytes(32)))
PREPARED = 60
STREAMS = [bytes([number]) * 16 for number in range(1, 9)]


def entropy_of(life: str) -> list[bytes]:
    """Stream names in the order they are used; a healed life goes on in the second."""
    return STREAMS[1:] if life == "heal" else STREAMS[:]


class Marker:
    """Writes what the spool has promised; `counted` facts were recorded before."""

    def __init__(self, file: str = "/dev/null", counted: int = 0) -> None:
        self._file = os.open(file, os.O_WRONLY)
        self._count = counted

    def say(self, text: str) -> None:
        os.write(self._file, f"mark {text}\n".encode())

    def record(self, spool: Spool, kind: str, *, size: int = 40) -> None:
        """Append one fact, numbered, with the number remembered beside it."""
        number = self._count = self._count + 1
        seq = spool.depth().last + 1
        self.say(f"tried {spool.stream} {seq} {number}")
        fact = Fact(kind, {"n": number, "text": chr(97 + number % 26) * size}, NOW)
        for _ in range(4):
            with suppress(SpoolError):
                seq = spool.append([fact], NOW, probe="p", memo={"n": str(number)})
                self.say(f"kept {spool.stream} {seq} {number}")
                return


def open_spool(folder: Path, life: str) -> Spool:
    names = entropy_of(life)
    return Spool(folder, NOW, limits=LIMITS, entropy=lambda _: names.pop(0), free_bytes=lambda _: ROOM)


def live(marker: Marker, folder: Path) -> None:
    """Record, be acknowledged, forget, go back with the centre, be disputed."""
    spool = open_spool(folder / "state" / "spool", "live")
    marker.say(f"kept {spool.stream} 1 0")
    for step in range(26):
        marker.record(spool, "note", size=40 + step * 37)
    spool.acknowledge(spool.stream, 14, NOW)
    spool.tidy(NOW)
    for _ in range(6):
        marker.record(spool, "note", size=900)
    spool.acknowledge(spool.stream, 5, NOW)
    spool.acknowledge(spool.stream, 20, NOW)
    spool.tidy(NOW)
    spool.hold(spool.stream, NOW)
    marker.say(f"kept {spool.stream} 1 0")
    for _ in range(4):
        marker.record(spool, "note")
    spool.close()
    spool = open_spool(folder / "state" / "spool", "live")
    marker.record(spool, "note")
    spool.close()


def evict(marker: Marker, folder: Path) -> None:
    """Fill up with samples and progress, then with plays, until evictions make room and at last the spool refuses."""
    spool = open_spool(folder / "spool", "evict")
    marker.say(f"kept {spool.stream} 1 0")
    for kind, count in (("device.sampled", 22), ("courseware.progressed", 14), ("playback.ended", 48)):
        for _ in range(count):
            marker.record(spool, kind, size=700)
    spool.close()


def heal(marker: Marker, folder: Path) -> None:
    """Open a damaged spool and go on."""
    spool = open_spool(folder / "spool", "heal")
    marker.say("healed")
    for _ in range(3):
        marker.record(spool, "note")
    spool.close()


def export(marker: Marker, folder: Path) -> None:
    """Write a bundle to a stick, beside the spool."""
    spool = open_spool(folder / "spool", "export")
    marker.say(f"kept {spool.stream} 1 0")
    for _ in range(5):
        marker.record(spool, "note")
    for _ in range(3):
        made = export_bundle(folder / "stick", IDENTITY, spool, NOW)
        marker.say(f"made {'' if made is None else made.path.name}")
        marker.record(spool, "note")
    spool.close()


def errand(marker: Marker, folder: Path) -> None:
    """A little of everything, short enough to be stopped at every call: append, ack, evict, tidy, one stream more."""
    spool = _open_stubbornly(folder / "spool")
    marker.record(spool, "note")
    spool.acknowledge(spool.stream, 3, NOW)
    marker.record(spool, "playback.ended", size=9000)
    marker.record(spool, "playback.ended", size=3000)
    spool.acknowledge(spool.stream, 1, NOW)
    spool.acknowledge(spool.stream, 6, NOW)
    spool.tidy(NOW)
    marker.record(spool, "note")
    spool.close()


def _open_stubbornly(folder: Path) -> Spool:
    """As systemd does: a start that failed is tried again."""
    for _ in range(3):
        with suppress(SpoolError):
            return open_spool(folder, "errand")
    return open_spool(folder, "errand")


def prepare(life: str, folder: Path) -> None:
    """What is on the disk before the recording begins."""
    if life == "export":
        (folder / "stick").mkdir()
    if life == "errand":
        spool = open_spool(folder / "spool", "errand")
        marker = Marker()
        for number in range(PREPARED):
            marker.record(spool, "note" if number < 6 else "device.sampled", size=620)
        spool.close()
    if life == "heal":
        spool = open_spool(folder / "spool", "evict")
        marker = Marker()
        for _ in range(12):
            marker.record(spool, "note", size=300)
        spool.close()
        with closing(sqlite3.connect(folder / "spool" / "spool.db")) as db:
            db.execute("UPDATE lines SET line = zeroblob(50) WHERE seq = 5")
            db.commit()


LIVES = {"live": live, "evict": evict, "heal": heal, "export": export}


def plant(fault: str) -> None:
    """Leave out what makes things last: the harness must notice."""
    if fault == "NORMAL":
        healing.SYNCHRONOUS = "NORMAL"
    if fault in {"files", "folders"}:
        sync = os.fsync

        def forget(descriptor: int) -> None:
            if stat.S_ISDIR(os.fstat(descriptor).st_mode) != (fault == "folders"):
                sync(descriptor)

        vars(os)["fsync"] = forget


def main(life: str, folder: str, fault: str = "") -> None:
    plant(fault)
    LIVES[life](Marker(), Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
