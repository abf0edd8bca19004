"""`python -m tests.simulation.hunt`: plants each mutant and runs seeds until one breaks; tells which, or that none did.

The real code must pass every seed that has caught a mutant; else it was not the mutant that was caught.
"""

import argparse
import os
import signal
import time
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from types import FrameType

from tests.simulation.mutants import MUTANTS
from tests.simulation.planting import MovedError, Mutant, planted
from tests.simulation.run import Verdict, run_seed

LONGEST_S = 60.0
"""A seed takes a second or two of CPU. A mutant that keeps one busy for so long is caught: the product would hang."""


@dataclass(frozen=True, slots=True)
class Catch:
    """`seed` 0: none of the seeds broke, or the mutant could not be planted."""

    mutant: Mutant
    seed: int
    tried: int
    why: str


class _HangsError(BaseException):
    pass


def hunt(mutant: Mutant, seeds: int) -> Catch:
    """Run so many seeds with this mutant planted, until one breaks."""
    tried = 0
    try:
        with planted(mutant):
            for seed in range(mutant.first, mutant.first + seeds):
                tried += 1
                verdict = _run_limited(seed)
                if verdict.broken:
                    return Catch(mutant, seed, tried, verdict.broken)
    except MovedError as error:
        return Catch(mutant, 0, 0, f"moved: {error}")
    return Catch(mutant, 0, tried, "no seed broke")


def _run_limited(seed: int) -> Verdict:
    signal.signal(signal.SIGPROF, _hang)
    signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
    try:
        return run_seed(seed)
    except _HangsError:
        return Verdict(seed, 0, "hangs")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _hang(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise _HangsError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.hunt", description=__doc__)
    parser.add_argument("--seeds", type=int, default=500, help="how many seeds each mutant may take")
    parser.add_argument("--only", default="", help="those whose name or target has this in it")
    asked = parser.parse_args()
    chosen = [each for each in MUTANTS if asked.only in f"{each.name} {each.target}"]
    began = time.monotonic()
    with get_context("fork").Pool(len(os.sched_getaffinity(0)), maxtasksperchild=1) as pool:
        catches = []
        for catch in pool.imap_unordered(partial(hunt, seeds=asked.seeds), chosen):
            catches.append(catch)
            found = f"caught at seed {catch.seed}" if catch.seed else f"NOT CAUGHT in {catch.tried} seeds"
            print(f"{catch.mutant.name}: {found}: {catch.why[:110]}", flush=True)
        sound = pool.map(run_seed, sorted({each.seed for each in catches if each.seed}))
    unsound = [each for each in sound if each.broken]
    for verdict in unsound:
        print(f"without any mutant: seed {verdict.seed}, {verdict.broken}")
    passed = sum(each.seed > 0 for each in catches)
    print(f"{sum(each.tried for each in catches)} runs, {len(sound)} seeds without, {time.monotonic() - began:.0f} s")
    print(f"{passed} passed, {len(chosen) - passed + len(unsound)} failed")
    return 1 if passed < len(chosen) or unsound else 0


if __name__ == "__main__":
    raise SystemExit(main())
