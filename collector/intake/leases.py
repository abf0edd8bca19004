"""Finds out when two machines live under one station's identity: the lease ratchet (decisions 0017, 0032). Pure.

Every accepted push is given a fresh lease, kept by the station before it is used; the next push shows it. A lease tells
which ones were shown on the way to it. One machine, whatever its link loses or holds up, shows leases that all lie on
one path; where a disk was copied the paths part, and the second machine's second push tells. A lease from ahead of us
means that this centre has gone back to an old backup, which holds nobody up.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

_LAST_NUMBER = 2**40 - 1
_NUMBER_BYTES, _PATH_BYTES, _RANDOM_BYTES = 5, 6, 4
_MAKE = b"\x01"
_FIRST_MAKE_BYTES = 8
_STEPS = 8 * _PATH_BYTES
_ALL = (1 << _STEPS) - 1

Entropy = Callable[[int], bytes]


class Finding(StrEnum):
    FRESH = "fresh"
    """With a lease that goes on from what was shown last."""
    AHEAD = "ahead"
    """As fresh, but with a lease this centre has forgotten giving."""
    OLD = "old"
    """Repeated: it says nothing about the present."""
    OVERTAKEN = "overtaken"
    """With a lease from before: held up on its way over a restart, or from an old disk. The next push will tell."""
    FORK = "fork"
    """Another holder has gone on from the same lease."""
    HELD = "held"
    """The station is held aside already."""


class Lease(NamedTuple):
    """`path`, bit n - 1: the lease n before this one was shown on the way to it. Without any it was given in doubt."""

    number: int
    path: int

    def follows(self, number: int) -> bool:
        """Whether the lease of this number was shown on the way; so far back that it is not known, it was."""
        steps = self.number - number
        return steps >= _STEPS or (steps > 0 and bool(self.path >> (steps - 1) & 1))

    def child(self, number: int) -> "Lease":
        """What follows when this one is shown. One that was given in doubt goes on by a person's decision only."""
        steps = min(number - self.number, _STEPS)
        return Lease(number, ((self.path or _ALL) << steps | 1 << (steps - 1)) & _ALL)

    def pack(self, entropy: Entropy) -> bytes:
        number, path = self.number.to_bytes(_NUMBER_BYTES), self.path.to_bytes(_PATH_BYTES)
        return _MAKE + number + path + entropy(_RANDOM_BYTES)


def read_lease(packed: bytes) -> Lease:
    """What a lease says. Those of the first make knew no path; what we cannot have given is from before all others."""
    if packed[:1] == _MAKE:
        at = len(_MAKE) + _NUMBER_BYTES
        return Lease(int.from_bytes(packed[len(_MAKE) : at]), int.from_bytes(packed[at : at + _PATH_BYTES]))
    number = int.from_bytes(packed[:_FIRST_MAKE_BYTES])
    return Lease(number if number <= _LAST_NUMBER else 0, _ALL)


@dataclass(slots=True)
class Holder:
    """Where a station stands. `past`: the last monotonic ms heard in each earlier boot.

    `lease` is the newest that was given, None: whatever is shown is taken, as after enrolment or a person's decision.
    `before` is what was shown for it: the newest that has been shown; after a decision the last one that was given.
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
        if mono_ms <= (self.mono_ms if boot == self.boot else self.past.get(boot, -1)):
            return Finding.OLD
        if self.lease is None or shown in {self.lease, self.before}:
            return Finding.FRESH
        finding = self._compare(read_lease(shown), read_lease(self.lease), read_lease(self.before))
        # Within one boot pushes are sent one after the other, so that none shows less than one sent before it.
        return Finding.FORK if finding is Finding.OVERTAKEN and boot == self.boot else finding

    def move(self, *, boot: str, mono_ms: int, shown: bytes, entropy: Entropy) -> bytes:
        """Take a fresh push in. Returns the lease to give out."""
        if boot != self.boot and self.boot:
            self.past[self.boot] = self.mono_ms
        self.boot, self.mono_ms = boot, mono_ms
        seen = read_lease(shown)
        number = max(read_lease(self.lease or self.before).number, seen.number) + 1
        self.before, self.lease = shown, seen.child(number).pack(entropy)
        return self.lease

    def doubt(self, *, boot: str, mono_ms: int, entropy: Entropy) -> bytes:
        """Take in that a push was overtaken. Returns a lease that only a second machine would ever show."""
        self.past[boot] = mono_ms
        return Lease(read_lease(self.lease or b"").number, 0).pack(entropy)

    def _compare(self, shown: Lease, given: Lease, newest: Lease) -> Finding:
        if not shown.path:
            return Finding.FORK
        if shown.number > given.number:
            return Finding.AHEAD
        if shown.number > newest.number:
            return Finding.FRESH if shown.follows(newest.number) else Finding.FORK
        return Finding.OVERTAKEN if newest.follows(shown.number) else Finding.FORK
