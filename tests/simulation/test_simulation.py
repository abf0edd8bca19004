"""The simulation holds, every kind of fault is met, a planted bug is found. More: `make simulate`, `make mutants`."""

from collections import Counter
from functools import cache

import pytest

from tests.simulation.faults import FAULTS
from tests.simulation.hunt import hunt
from tests.simulation.mutants import MUTANTS
from tests.simulation.planting import MovedError, Mutant, planted
from tests.simulation.run import Verdict, run_seed

SEEDS = (*range(1, 13), 391, 409, 427)
"""The first ones, and those far out that have found something once."""
ALWAYS_THERE = {
    "loss",
    "duplicate",
    "reorder",
    "delay",
    "half_close",
    "cut_body",
    "too_many",
    "server_error",
    "kill_agent",
    "collector_dies_before_commit",
    "power_cut",
    "torn_write",
    "eio",
    "enospc",
    "bit_rot",
    "truncation",
    "clock_back",
    "clock_forward",
    "clock_frozen",
    "cloned_disk",
    "collector_restored",
    "reinstall",
    "poison",
    "storm",
    "upgrade_in_mid_push",
    "revoked_key",
    "forged_batch",
}


@cache
def verdict_of(seed: int) -> Verdict:
    return run_seed(seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_doubled_or_misbooked(seed: int) -> None:
    assert verdict_of(seed).broken == ""


def test_a_seed_runs_the_same_again() -> None:
    assert run_seed(2) == verdict_of(2)


def test_every_kind_of_fault_happens_in_these_few_seeds() -> None:
    occurred: Counter[str] = Counter()
    for seed in SEEDS:
        occurred += verdict_of(seed).occurred
    assert [name for name in FAULTS if not occurred[name]] == []
    assert len(FAULTS) >= 24
    assert set(FAULTS) >= ALWAYS_THERE


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_still_fits_the_code(mutant: Mutant) -> None:
    with planted(mutant):
        pass


def test_there_are_thirty_mutants_of_different_names() -> None:
    assert len({each.name for each in MUTANTS}) == len(MUTANTS) >= 30


def test_a_mutant_whose_target_has_moved_is_not_caught_but_told() -> None:
    moved = Mutant("moved", "agent.spool:Spool.append", "no such line", "pass")
    with pytest.raises(MovedError), planted(moved):
        pass
    assert (hunt(moved, 1).seed, hunt(moved, 1).why[:6]) == (0, "moved:")


def test_a_planted_bug_is_found_and_taken_out_again() -> None:
    (mutant,) = (each for each in MUTANTS if each.name.startswith("blind ack"))
    assert hunt(mutant, len(SEEDS)).seed
    assert run_seed(1).broken == ""
