"""Replays power cuts, plants faults that must show, and injures the spool at every call it makes.

The last line is `N passed, M failed`, counted in states, planted faults and errands.

python -m tests.powerloss [STATES]
"""

import sys
import tempfile
from pathlib import Path

from tests.powerloss.injury import list_broken
from tests.powerloss.replay import LIVES_IN_SHARES, Tally, rehearse, replay_life

INJURIES = (
    ("write", "signal=KILL"),
    ("sync", "signal=KILL"),
    ("name", "signal=KILL"),
    ("write", "error=EIO"),
    ("sync", "error=EIO"),
    ("write", "error=ENOSPC"),
    ("sync", "error=ENOSPC"),
)
PLANTED = (("live", "NORMAL"), ("live", "folders"), ("live", "files"), ("heal", "files"), ("export", "folders"))


def main(wanted: int) -> int:
    with tempfile.TemporaryDirectory(dir=memory_disk()) as folder:
        tallies = [_replay(life, Path(folder), round(wanted * share)) for life, share in LIVES_IN_SHARES.items()]
        missed = sum(_miss(life, plant, Path(folder)) for life, plant in PLANTED)
        errands, broken = _injure(Path(folder))
    raw, distinct = sum(each.raw for each in tallies), sum(each.distinct for each in tallies)
    lost = sum(each.failed for each in tallies)
    for each in [*broken, *(each for tally in tallies for each in tally.broken)][:20]:
        print(f"BROKEN {each}")
    print(f"power cuts: {raw} states, {distinct} distinct, {lost} that lose or invent")
    failed = lost + missed + len(broken)
    print(f"{distinct + errands + len(PLANTED) - failed} passed, {failed} failed")
    return 1 if failed else 0


def _replay(life: str, folder: Path, states: int) -> Tally:
    tally = replay_life(life, folder / life, states=states)
    print(f"{life}: {tally}", flush=True)
    return tally


def _miss(life: str, plant: str, folder: Path) -> bool:
    """Whether a planted fault goes unseen."""
    tally = rehearse(life, plant, folder / f"{life}-{plant}")
    told = tally.broken[0] if tally.broken else "NOT CAUGHT"
    print(f"planted {plant} in {life}: {tally.failed} of {tally.distinct} states fail: {told}", flush=True)
    return not tally.failed


def _injure(folder: Path) -> tuple[int, list[str]]:
    total, broken = 0, []
    for number, (calls, act) in enumerate(INJURIES):
        place = folder / f"injuries-{number}"
        place.mkdir()
        errands, found = list_broken(place, calls, act)
        print(f"{act} at every {calls}: {errands} errands, {len(found)} broken", flush=True)
        total += errands
        broken += found
    return total, broken


def memory_disk() -> str | None:
    """Where files cost no disk: a state is written, read once and removed."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a place for files, not for one name


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
