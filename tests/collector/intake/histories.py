"""What a station holds, and what a centre must hold after any history of pushes: the model, without any database."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from shared import chain
from tests.collector.intake.pushes import event


class Kept(NamedTuple):
    """A line of the station, the last number it stands for, and the chain behind it."""

    seq: int
    upto: int
    line: bytes
    head: bytes


@dataclass(slots=True)
class Pc:
    """What one computer holds."""

    boot: str
    lines: list[Kept] = field(default_factory=list)
    lease: str = ""
    mono: int = 0

    def record(self, make: Callable[[int], bytes]) -> None:
        """Write the line that `make` gives for the next number."""
        seq = self.lines[-1].upto + 1 if self.lines else 1
        line = make(seq)
        self.lines.append(Kept(seq, seq, line, chain.extend(self.head_before(len(self.lines)), line)))

    def evict(self, place: int, length: int) -> None:
        """Put a gap line in place of some lines."""
        run = self.lines[place : place + length]
        first, last = run[0].seq, run[-1].upto
        line = event(first, "spool.gap", first=first, last=last, counts={"note": len(run)}, head=run[-1].head.hex())
        self.lines[place : place + length] = [Kept(first, last, line, run[-1].head)]

    def head_before(self, place: int) -> bytes:
        return self.lines[place - 1].head if place else chain.START

    def copy(self, boot: str) -> "Pc":
        return Pc(boot, list(self.lines), self.lease)


@dataclass(slots=True)
class Log:
    """What must be stored: `rows` by number, up to `stored`. Up to `gone` the retention has dropped them."""

    rows: dict[int, bytes] = field(default_factory=dict)
    stored: int = 0
    gone: int = 0

    def take(self, first: int, lines: tuple[bytes, ...]) -> None:
        """Honest lines from number `first` on: what is new is appended, where no hole is before it."""
        seq = first
        for line in lines if first <= self.stored + 1 else ():
            upto = int(json.loads(line)["data"]["last"]) if b'"spool.gap"' in line else seq
            if upto > self.stored:
                self.rows[max(seq, self.stored + 1)] = line
                self.stored = upto
            seq = upto + 1

    def forget(self) -> None:
        self.gone, self.rows = self.stored, {}

    @property
    def facts(self) -> list[int]:
        """Numbers of stored lines that another line can contradict: a gap tells nothing."""
        return sorted(seq for seq, line in self.rows.items() if b'"spool.gap"' not in line)
