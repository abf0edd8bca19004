"""What one machine was promised: every fact whose recording returned, and what has become of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.probes.base import Fact
from agent.spool import Spool
from shared.clock import Instant
from shared.months import month_of

Place = tuple[str, int]
"""Stream and seq."""


@dataclass(slots=True)
class Entry:
    """One fact that `append` has promised to keep. `damaged`: how often the disk has been spoilt since."""

    place: Place
    name: str
    true_ms: int
    damaged: int = 0
    fate: str = ""
    seen_ms: int = 0
    """When its fate was last looked up."""

    @property
    def month(self) -> int:
        return month_of(self.true_ms)


@dataclass(slots=True)
class Ledger:
    """`pending` is what has not been seen at the centre yet; `spoilt` says why a disk may have lost things."""

    entries: list[Entry] = field(default_factory=list)
    pending: list[Entry] = field(default_factory=list)
    promised: dict[tuple[str, int, str], Entry] = field(default_factory=dict)
    recorded: dict[str, int] = field(default_factory=dict)
    """How often each happening was recorded."""
    written: dict[str, int] = field(default_factory=dict)
    """How far each stream may have come: what a recording was begun for, whether it returned or not."""
    forgetful: bool = False
    """The disk was full once: lines the centre had may have been forgotten early."""
    spoilt: bool = False
    replaced: bool = False
    """The whole disk went, or went back in time: what was on it alone is gone with it."""

    def record(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.pending.append(entry)
        self.promised[(*entry.place, entry.name)] = entry
        self.recorded[entry.name] = self.recorded.get(entry.name, 0) + 1

    def spoil(self, *, untold: bool = False) -> None:
        """The disk is damaged now: whatever was on it may be gone, if only it is told.

        `untold`: a power cut has just taken with it what would have told.
        """
        self.spoilt = True
        for each in self.entries:
            each.damaged += 2 if untold else 1

    def copy(self) -> "Ledger":
        """The ledger of a cloned disk: the same past."""
        copied = Ledger(spoilt=True, forgetful=self.forgetful, replaced=True, written=dict(self.written))
        for each in self.entries:
            copied.record(Entry(each.place, each.name, each.true_ms, damaged=1, fate=each.fate))
        copied.pending = [each for each in copied.pending if each.fate not in ("gone", "tail")]
        return copied


class WatchedSpool(Spool):
    """The real spool; what its `append` promises is written down."""

    ledger: Ledger
    truths: Mapping[str, int]

    def append(self, facts: Sequence[Fact], now: Instant, *, probe: str = "", memo: Mapping[str, Any]) -> int:
        self._expect(self.depth().last + len(facts))
        last = super().append(facts, now, probe=probe, memo=memo)
        self._expect(last)
        for seq, fact in enumerate(facts, last - len(facts) + 1):
            name = fact.data.get("id")
            if name is not None:
                self.ledger.record(Entry((self.stream, seq), name, self.truths[name]))
        return last

    def _expect(self, last: int) -> None:
        self.ledger.written[self.stream] = max(self.ledger.written.get(self.stream, 1), last)
