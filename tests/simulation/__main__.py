"""`python -m tests.simulation --seeds 500`: runs seeds, prints what broke and how to run it again."""

import argparse
import os
import time
from collections import Counter
from multiprocessing import get_context

from tests.simulation.faults import FAULTS
from tests.simulation.run import run_seed

ENOUGH_SEEDS = 40
"""So many seeds meet every kind of fault; if they do not, a fault has died and proves nothing any more."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=500, help="how many seeds")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--tell", action="store_true", help="tell every fault of a seed that breaks")
    asked = parser.parse_args()
    passed = failed = station_days = 0
    occurred: Counter[str] = Counter()
    began = time.monotonic()
    with get_context("fork").Pool(len(os.sched_getaffinity(0))) as pool:
        for verdict in pool.imap(run_seed, range(asked.first, asked.first + asked.seeds)):
            station_days += verdict.station_days
            occurred += verdict.occurred
            passed += not verdict.broken
            failed += bool(verdict.broken)
            if verdict.broken:
                print(f"seed {verdict.seed}, {verdict.broken}")
                print("".join(f"  {each}\n" for each in verdict.story if asked.tell), end="")
                print(f"  again: make simulate FIRST={verdict.seed} SEEDS=1 TELL=1", flush=True)
    dead = sorted(name for name in FAULTS if not occurred[name])
    if dead and asked.seeds >= ENOUGH_SEEDS:
        failed += 1
        print(f"faults that never happened: {', '.join(dead)}")
    rarest = min(FAULTS, key=lambda name: occurred[name])
    print(f"{len(FAULTS)} kinds of fault, {occurred.total()} times; {rarest} least often, {occurred[rarest]} times")
    print(f"{station_days} station-days in {time.monotonic() - began:.0f} s")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
