"""A small share of the power cuts `make powerloss` replays, and proof that the harness sees what it is to see."""

from pathlib import Path

import pytest

from tests.powerloss.__main__ import PLANTED
from tests.powerloss.replay import LIVES_IN_SHARES, rehearse, replay_life


@pytest.mark.parametrize("life", LIVES_IN_SHARES)
def test_no_power_cut_loses_what_was_recorded(memory: Path, life: str) -> None:
    tally = replay_life(life, memory / life, states=300)
    assert tally.broken == []
    assert tally.distinct > 100


@pytest.mark.parametrize(("life", "plant"), PLANTED)
def test_a_spool_that_does_not_sync_is_caught(memory: Path, life: str, plant: str) -> None:
    assert rehearse(life, plant, memory / life, states=250).failed > 0
