"""Records a life, cuts the power after each of its operations and checks what each cut may leave, on two processes."""

import functools
import hashlib
import logging
import multiprocessing
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.powerloss.checking import Promises, check
from tests.powerloss.disk import Cut, Disk, Files, choices, left_behind
from tests.powerloss.recording import Recording, record

LIVES_IN_SHARES = {"live": 0.5, "evict": 0.3, "heal": 0.1, "export": 0.1}
_CHUNK = 12
_WRITES = 32
"""Of 256 states so many must also take a new record."""


@dataclass(slots=True)
class Tally:
    """States made, states that differ, and what was `broken` in `failed` of these."""

    raw: int = 0
    keys: set[bytes] = field(default_factory=set)
    failed: int = 0
    broken: list[str] = field(default_factory=list)

    @property
    def distinct(self) -> int:
        return len(self.keys)

    def __str__(self) -> str:
        return f"{self.raw} states, {self.distinct} distinct, {self.failed} broken"

    def add(self, other: "Tally") -> None:
        self.raw += other.raw
        self.keys |= other.keys
        self.failed += other.failed
        self.broken += other.broken


def replay_life(life: str, folder: Path, *, states: int) -> Tally:
    """Check about so many distinct states of one life."""
    return _replay(record(life, folder), folder, states)


def rehearse(life: str, plant: str, folder: Path, *, states: int = 1500) -> Tally:
    """The same with a planted fault, which must show."""
    return _replay(record(life, folder, plant=plant), folder, states)


def _replay(recording: Recording, folder: Path, states: int) -> Tally:
    cuts = list(Disk(recording).cuts())
    cuts = cuts[:: max(1, 6 * len(cuts) // states)]
    promises = Promises(recording.life, [op.content for op in recording.ops if op.kind == "mark"])
    # A cut with more in play has more states to find; one with little is soon seen through.
    dice = states * 1.3 / sum(_weigh(cut) for cut in cuts)
    work = functools.partial(_check_chunk, promises, str(folder), dice)
    chunks = [(start, cuts[start : start + _CHUNK]) for start in range(0, len(cuts), _CHUNK)]
    total = Tally()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        for tally in pool.imap_unordered(work, chunks):
            total.add(tally)
    return total


def _weigh(cut: Cut) -> int:
    return min(40, max(0, len(cut.pieces) + len(cut.moves) - 3))


def _check_chunk(promises: Promises, folder: str, dice: float, chunk: tuple[int, Sequence[Cut]]) -> Tally:
    """Backwards, so that a state met again was already held to more promises than it would be now."""
    logging.disable()
    start, cuts = chunk
    tally = Tally()
    for place, cut in reversed(list(enumerate(cuts, start))):
        for moves, pieces in choices(cut, random.Random(place), round(dice * _weigh(cut)) + 4):  # noqa: S311 - a repeatable choice
            files = left_behind(cut, moves, pieces)
            tally.raw += 1
            key = fingerprint(files)
            if key in tally.keys:
                continue
            tally.keys.add(key)
            broken = check(promises, cut.promises, files, f"{folder}-state-{os.getpid()}", writes=key[0] < _WRITES)
            if broken:
                tally.failed += 1
                tally.broken = [*tally.broken, f"{promises.life} after operation {place}: {broken}"][:5]
    return tally


def fingerprint(files: Files) -> bytes:
    digest = hashlib.blake2b(digest_size=12)
    for name in sorted(files):
        digest.update(f"{name} {len(files[name])} ".encode())
        digest.update(files[name])
    return digest.digest()
