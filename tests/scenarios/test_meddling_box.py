"""A real agent, a real centre, real sockets, and between them a box that reads and alters what it likes.

Over plain HTTP nothing proves an answer, so a number that is invented within what the station wrote is believed. It
frees nothing, and the next true answer sets the station right. An old lease, or a number beyond all that was written,
would cost the station its stream: against those there is only TLS (docs/threats.md, T5).
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from agent.app import Agent, build
from agent.enrolment import enrol
from agent.identity import load_identity
from agent.probes.base import Fact
from agent.runner import InlineLook
from agent.settings import AgentSettings
from agent.transport import HttpTransport
from collector.app import create_app
from collector.db.engine import Database
from collector.seal import make_key
from collector.settings import Settings
from collector.stations import service
from tests.clocks import ManualClock
from tests.districts import LIZHOU, plant_district
from tests.scenarios.harness import Scripted, scripted_probe
from tests.scenarios.meddling_box import HARMED, Kind, meddling_box
from tests.scenarios.stored import Stored, read_stored
from tests.serving import serving_thread
from tests.simulation.planting import Mutant, planted

SEEDS = (1, 2, 3)
ROUNDS = 2
TURNS = 150
"""Far more than the sixty turns a seed takes."""
RESTARTS_EVERY = 3
"""Turns. A station whose tag was refused signs until it is started anew: so both are meddled with."""

BUGS = (
    Mutant("the body left out of the tag", "shared.tags:_tag", "text + body", "text"),
    Mutant(
        "the body left out of the signature", "shared.signing:_canonical", "hashlib.sha256(body)", "hashlib.sha256()"
    ),
    Mutant(
        "never goes back",
        "agent.spool:Spool._move_cursor",
        "elif stored != fresh.stored:",
        "elif stored > fresh.stored:",
    ),
)


@dataclass(frozen=True, slots=True)
class Centre:
    """A centre with a key, but without TLS. `folder` is that of its station, enrolled before the box came."""

    database: str
    port: int
    folder: Path


@pytest.fixture
def centre(tmp_path: Path, database_url: str, clock: ManualClock) -> Iterator[Centre]:
    make_key(tmp_path / "tls")
    settings = Settings(database=database_url, tls_dir=tmp_path / "tls")
    app = create_app(settings, clock=clock, with_jobs=False)
    code = asyncio.run(_plant(database_url, clock))
    with serving_thread(app) as port:
        url, folder = f"http://127.0.0.1:{port}", tmp_path / "station"
        with closing(HttpTransport(url)) as link:
            enrol(code, centre=url, transport=link, state_dir=folder)
        yield Centre(database_url, port, folder)


async def _plant(url: str, clock: ManualClock) -> str:
    database = Database(url)
    await plant_district(database, {"宝轮镇": ["爱国社区"]})
    async with database.write() as connection:
        code = await service.new_code(connection, LIZHOU, 1, now_ms=clock.now().wall_ms)
    await database.close()
    return code


@dataclass(slots=True)
class Village:
    """The station behind the box. `told` are the names of all that it has recorded."""

    start: Callable[[], Agent]
    story: Scripted
    clock: ManualClock
    dice: Random
    told: list[str]
    agent: Agent
    turns: int = 0

    def turn(self, *, busy: bool) -> None:
        """Six minutes, after which the longest backoff is over: the agent pushes once."""
        names = [f"{len(self.told) + each}" for each in range(self.dice.randrange(5))] if busy else []
        self.story.facts += [Fact("note", {"text": name}) for name in names]
        self.told += names
        self.clock.advance(minutes=6)
        self.turns += 1
        assert self.turns < TURNS, f"the station never comes through: {self.agent.uplink.last_error}"
        if self.turns % RESTARTS_EVERY == 0:
            self.stop()
            self.agent = self.start()
        self.agent.look(self.clock.now())
        self.agent.push(self.clock.now())

    def stop(self) -> None:
        self.agent.close()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the centre answered, and what it holds in the end."""

    answered: list[tuple[Kind, int]]
    struck: list[Kind]
    told: list[str]
    stored: Stored


def live(seed: int, centre: Centre, clock: ManualClock) -> Outcome:
    """Record and push until every fate has struck, then until two pushes have passed and nothing waits any more."""
    with ExitStack() as stack:
        box, url = stack.enter_context(meddling_box(centre.port, list(Kind) * ROUNDS, seed))
        link = stack.enter_context(closing(HttpTransport(url)))
        story = Scripted(None)
        settings = AgentSettings(state_dir=centre.folder, heartbeat_s=300, flush_s=30)
        plugins = {"story": scripted_probe(story)}

        def start() -> Agent:
            return build(settings, load_identity(centre.folder), link, clock.now(), look=InlineLook, plugins=plugins)

        dice = Random(seed)  # noqa: S311 - reproducible on purpose
        village = Village(start, story, clock, dice, [], start())
        stack.callback(village.stop)
        while not box.is_good:
            village.turn(busy=True)
        village.turn(busy=False)
        village.turn(busy=False)
        while village.agent.spool.depth().waiting:
            village.turn(busy=False)
        stored = asyncio.run(read_stored(centre.database))
        return Outcome(box.told, box.struck, village.told, stored)


def require_nothing_gained(outcome: Outcome) -> None:
    assert sorted(outcome.struck) == sorted(list(Kind) * ROUNDS)
    assert {(kind, status) for kind, status in outcome.answered if kind in HARMED} == {(kind, 401) for kind in HARMED}
    outcome.stored.require_once(outcome.told)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_a_box_alters_is_refused_and_each_line_is_stored_once(
    seed: int, centre: Centre, clock: ManualClock
) -> None:
    require_nothing_gained(live(seed, centre, clock))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_that_opens_a_door_to_the_box_is_found(bug: Mutant, centre: Centre, clock: ManualClock) -> None:
    with planted(bug), pytest.raises(AssertionError):
        require_nothing_gained(live(1, centre, clock))
