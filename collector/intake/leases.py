"""Finds out when two machines live under one station's identity: the lease ratchet (decision 0017). Pure.

Every accepted push is given a fresh lease, kept by the station before it is used; the next push shows it. A lost answer
makes a station show the one before: that is allowed, and makes the newer one void. So where a disk was copied, one of
the two holders shows a void lease at its second push. A lease is a count and random bytes: one from ahead of us means
that this centre has gone back to an old backup, which holds nobody up.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

_COUNT_BYTES = 8
_RANDOM_BYTES = 8
_LAST_COUNT = 2**62

Entropy = Callable[[int], bytes]


class Finding(StrEnum):
    FRESH = "fresh"
    """Newer than anything heard, with a lease that is in force."""
    AHEAD = "ahead"
    """As fresh, but with a lease this centre has forgotten giving."""
    OLD = "old"
    """Repeated or overtaken: it says nothing about the present."""
    FORK = "fork"
    """Another holder has gone on from the same lease."""
    HELD = "held"
    """The station is held aside already."""


@dataclass(slots=True)
class Holder:
    """Where a station stands. `past`: the last monotonic ms heard in each earlier boot.

    `lease` None: whatever is shown is taken, as after enrolment or a person's decision.
    """

    boot: str
    mono_ms: int
    lease: bytes | None
    before: bytes
    held: bool
    past: dict[str, int]

    def judge(self, *, boot: str, mono_ms: int, shown: bytes) -> Finding:
        """What a push tells that was sent in this boot at this monotonic time."""
        if self.held:
            return Finding.HELD
        if boot == self.boot:
            return Finding.OLD if mono_ms <= self.mono_ms else self._judge_lease(shown)
        last_ms = self.past.get(boot)
        if last_ms is None:
            return self._judge_lease(shown)
        # Boots do not come back. Either this push was held up on its way, or another machine still lives in that boot.
        if mono_ms <= last_ms or self.lease is None or shown in {self.lease, self.before}:
            return Finding.OLD
        return Finding.FORK

    def move(self, *, boot: str, mono_ms: int, shown: bytes, entropy: Entropy) -> bytes:
        """Take a fresh push in. Returns the lease to give out."""
        if boot != self.boot and self.boot:
            self.past[self.boot] = self.mono_ms
        self.boot, self.mono_ms = boot, mono_ms
        count = max(_count(self.lease or b""), _count(shown)) + 1
        self.before, self.lease = shown, count.to_bytes(_COUNT_BYTES) + entropy(_RANDOM_BYTES)
        return self.lease

    def _judge_lease(self, shown: bytes) -> Finding:
        if self.lease is None or shown in {self.lease, self.before}:
            return Finding.FRESH
        return Finding.AHEAD if _count(shown) > _count(self.lease) else Finding.FORK


def _count(lease: bytes) -> int:
    """How many leases came before; 0 where that is not a number we could have given."""
    count = int.from_bytes(lease[:_COUNT_BYTES])
    return count if count <= _LAST_COUNT else 0
