"""Three thousand random damages: the agent starts, sends nothing wrong, sends all that verifies, deletes nothing."""

import logging
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.probes.base import Fact
from agent.spool import Spool
from tests.agent.damage import (
    DAMAGES,
    LIMITS,
    TEXTS,
    Centre,
    History,
    kept_aside,
    lay,
    list_whole,
    make_history,
    remove,
)
from tests.clocks import ManualClock

SEEDS = 215
START_LIMIT_S = 10


@dataclass(frozen=True, slots=True)
class Outcome:
    seconds: float
    wrong: list[str]
    missing: set[tuple[str, int]]
    healed: bool
    kept: bool
    foreign_memo: bool
    newest_reached: bool
    healthy_after: bool


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[History]]:
    """One as a running agent leaves it at a power cut, one as a stopped one does."""
    logging.disable()
    folder = tmp_path_factory.mktemp("history")
    running = make_history(folder / "running", ManualClock(), closed=False)
    stopped = make_history(folder / "stopped", ManualClock(), closed=True)
    yield [running, stopped]
    logging.disable(logging.NOTSET)


def suffer(history: History, damage: str, seed: int, folder: Path) -> Outcome:
    """Damage a copy of the files, start, send everything to a centre, record, start again."""
    files = dict(history.files)
    DAMAGES[damage](files, random.Random(seed))  # noqa: S311 - a repeatable damage
    lay(files, folder)
    now = ManualClock().now()
    begun = time.monotonic()
    spool = Spool(folder, now, limits=LIMITS)
    seconds = time.monotonic() - begun
    centre = Centre(history)
    centre.take(spool)
    healed = spool.stream not in history.stored
    stream, last = history.newest
    foreign = not set(spool.recall("p").values()) <= set(TEXTS)
    spool.append([Fact("note", {})], now, memo={})
    after = spool.stream
    spool.close()
    again = Spool(folder, now, limits=LIMITS)
    outcome = Outcome(
        seconds=seconds,
        wrong=centre.wrong,
        missing=list_whole(history, files) - set(centre.taken),
        healed=healed,
        kept=kept_aside(folder, files),
        foreign_memo=foreign,
        newest_reached=centre.places[stream][0] >= last,
        healthy_after=again.stream == after,
    )
    again.close()
    remove(folder)
    return outcome


@pytest.mark.parametrize("damage", DAMAGES)
def test_no_damage_stops_the_agent_or_makes_it_say_what_is_not_so(
    histories: list[History], tmp_path: Path, damage: str
) -> None:
    usable = [history for history in histories if "WAL" not in damage or "spool.db-wal" in history.files]
    outcomes = {seed: suffer(usable[seed % len(usable)], damage, seed, tmp_path / "s") for seed in range(SEEDS)}
    assert {seed: each.wrong for seed, each in outcomes.items() if each.wrong} == {}
    assert {seed: each.missing for seed, each in outcomes.items() if each.missing} == {}
    assert [seed for seed, each in outcomes.items() if each.seconds > START_LIMIT_S] == []
    assert [seed for seed, each in outcomes.items() if each.healed and not each.kept] == []
    assert [seed for seed, each in outcomes.items() if each.foreign_memo] == []
    assert [seed for seed, each in outcomes.items() if not each.healthy_after] == []
    assert [seed for seed, each in outcomes.items() if each.healed and not each.newest_reached] == []
