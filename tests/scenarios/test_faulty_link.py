"""Real agents, a real centre, real sockets and TLS, and between them a link that does its worst by a seed."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from agent.app import Agent, build
from agent.enrolment import enrol, pin
from agent.identity import load_identity, pinned_ca
from agent.probes.base import Fact
from agent.runner import InlineLook
from agent.settings import AgentSettings
from agent.transport import HttpTransport
from shared.clock import wall_ms
from tests.clocks import ManualClock
from tests.scenarios.faulty_link import Kind, draw_fates, faulty_link
from tests.scenarios.harness import Scripted, scripted_probe
from tests.scenarios.stored import Stored, read_stored
from tests.secure import SecureCentre, secure_centre
from tests.simulation.mutants import MUTANTS
from tests.simulation.planting import planted

SEEDS = (1, 2, 3)
ROUNDS = 2
REACH = 4000
"""Bytes below which every fate strikes: a handshake and some pushes."""
IMPATIENT_S = 0.5
"""How long the station waits for an answer while the link is bad: only there a wait is the point."""
TURNS = 500
"""Far more than the seventy turns a seed takes."""


@dataclass(slots=True)
class Village:
    """One station behind the link. `told` are the names of all that it has recorded."""

    agent: Agent
    story: Scripted
    clock: ManualClock
    dice: Random
    told: list[str]

    def turn(self, *, busy: bool) -> None:
        """Six minutes, after which the longest backoff is over and a heartbeat due: the agent pushes once."""
        names = [f"{len(self.told) + each}" for each in range(self.dice.randrange(4))] if busy else []
        self.story.facts += [Fact("note", {"text": name}) for name in names]
        self.told += names
        self.clock.advance(minutes=6)
        self.agent.look(self.clock.now())
        self.agent.push(self.clock.now())

    def turn_until(self, reached: Callable[[], bool], *, busy: bool) -> None:
        turns = 0
        while not reached():
            turns += 1
            assert turns < TURNS, f"the station never comes through: {self.agent.uplink.last_error}"
            self.turn(busy=busy)


@pytest.fixture
def centre(tmp_path: Path, database_url: str, clock: ManualClock) -> Iterator[SecureCentre]:
    clock.set_wall(wall_ms())
    with secure_centre(tmp_path / "centre", database_url, clock) as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path, centre: SecureCentre, clock: ManualClock) -> Path:
    """Of a station that was enrolled while the link was good."""
    made = tmp_path / "station"
    pin(centre.url, made, fingerprint=centre.fingerprint)
    with closing(HttpTransport(centre.url, pinned_ca(made, None))) as link:
        enrol(centre.new_code(now_ms=clock.now().wall_ms), centre=centre.url, transport=link, state_dir=made)
    return made


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the centre holds in the end of what was told, and which fates have struck."""

    stored: Stored
    told: list[str]
    struck: set[Kind]


def live(seed: int, centre: SecureCentre, folder: Path, clock: ManualClock, patch: pytest.MonkeyPatch) -> Outcome:
    """Record and push until every fate has struck, then until nothing waits any more."""
    with ExitStack() as stack:
        link = stack.enter_context(faulty_link(centre.settings.port, draw_fates(seed, rounds=ROUNDS, reach=REACH)))
        url = f"https://127.0.0.1:{link.port}"
        with patch.context() as impatient:
            impatient.setattr("agent.transport.TIMEOUT_S", IMPATIENT_S)
            hasty = stack.enter_context(closing(HttpTransport(url, pinned_ca(folder, None))))
        patient = stack.enter_context(closing(HttpTransport(url, pinned_ca(folder, None))))
        story = Scripted(None)
        settings = AgentSettings(state_dir=folder, heartbeat_s=300, flush_s=30)
        plugins = {"story": scripted_probe(story)}
        agent = build(settings, load_identity(folder), hasty, clock.now(), look=InlineLook, plugins=plugins)
        stack.callback(agent.close)
        village = Village(agent, story, clock, Random(seed), [])  # noqa: S311 - reproducible on purpose
        village.turn_until(lambda: link.is_good, busy=True)
        agent.uplink.transport = patient
        village.turn_until(lambda: agent.spool.depth().waiting == 0, busy=False)
        stored = asyncio.run(read_stored(centre.settings.database))
        return Outcome(stored, village.told, set(link.struck))


def require_all_stored_once(outcome: Outcome) -> None:
    assert outcome.struck == set(Kind)
    outcome.stored.require_once(outcome.told)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_a_link_does_each_line_is_stored_once_and_nobody_is_suspected(
    seed: int, centre: SecureCentre, folder: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_all_stored_once(live(seed, centre, folder, clock, monkeypatch))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("bug", ["no dedupe", "a lost answer is taken for a clone"])
def test_a_bug_that_breaks_this_promise_is_found(
    bug: str, centre: SecureCentre, folder: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    (mutant,) = (each for each in MUTANTS if each.name.startswith(bug))
    with planted(mutant), pytest.raises(AssertionError):
        require_all_stored_once(live(1, centre, folder, clock, monkeypatch))
