"""One seed: some stations, some weeks, some faults; then quiet days, and the sums.

The seed decides everything: who lives where, what happens, which kinds of fault there are and how often. The same
seed gives the same run, byte for byte.
"""

import heapq
import logging
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random

from nacl.signing import SigningKey

from agent.spool import Limits
from agent.transport import Response
from collector.seal import Seal
from collector.tls import Folder
from shared.months import BEIJING
from shared.signing import key_id
from tests.simulation import disk
from tests.simulation.audit import Audit
from tests.simulation.centre import Centre, CentreBrokenError, on_plain_tables
from tests.simulation.disk import Disk
from tests.simulation.faults import AT_ONCE, FAULTS, RARE, power_cut
from tests.simulation.ledger import Ledger
from tests.simulation.life import DAY_MS, Happening, Life, MachineClock
from tests.simulation.machine import DRAIN_MS, RETENTION_DAYS, Machine, folder_of
from tests.simulation.network import Link, Network
from tests.simulation.promises import require
from tests.simulation.tables import Tables

DISTRICT = 510812
DAYS, QUIET_DAYS = 34, 4
STATIONS = (3, 4, 5, 5, 5, 6, 6) * 4 + (24,)
"""How many stations a seed may have."""
ROOMY, TIGHT = 8 << 20, 1 << 20
"""Bytes a spool may have: tight leaves the least there is for the lines."""
BEGIN_MS = int(datetime(2026, 9, 12, tzinfo=BEIJING).timestamp() * 1000)
RAM = Path("/dev/shm")  # noqa: S108 - a folder of its own is made below it


BROKEN = (Exception, CentreBrokenError)
"""Whatever is raised means that something does not hold, also where the auditor cannot read what it finds."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a seed ended. `broken` names the invariant and the day, empty when all held."""

    seed: int
    station_days: int
    broken: str = ""
    story: tuple[str, ...] = ()
    occurred: Counter[str] = field(default_factory=Counter)
    """How often each kind of fault truly happened."""


class Simulation:
    """The district of one seed."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed = seed
        self.dice = Random(seed)
        self.now_ms = BEGIN_MS + self.dice.randrange(DAY_MS)
        self.day = 0
        self.story: list[str] = []
        self.occurred: Counter[str] = Counter()
        self.audit = Audit(Tables())
        seal = Seal(Folder(folder / "centre"), SigningKey(self.dice.randbytes(32))) if seed % 3 else None
        self.centre = Centre(self.audit.commit, self.now_ms, self.audit.tables, seal=seal, occurred=self.occurred)
        self.network = Network(self.centre, self.dice, self.now_ms)
        self._folder = folder
        self._later: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._rates = self._draw_rates()
        self._busy = self.dice.choice((0.7, 1.2, 2.5))
        for number in range(1, self.dice.choice(STATIONS) + 1):
            self._add(f"{DISTRICT}/{number}")

    def run(self) -> int:
        """Live through all days. Returns station-days. Raises what is broken."""
        days = 0
        for self.day in range(1, DAYS + QUIET_DAYS + 1):
            if self.day == DAYS + 1:
                self._calm()
            self._live_a_day(quiet=self.day > DAYS)
            self.audit.day()
            days += len(self.audit.machines)
        self.audit.end()
        return days

    def close(self) -> None:
        for each in self.audit.machines:
            each.disk.full = False
            each.stop()

    def later(self, days: float, what: Callable[[], None]) -> None:
        """Do something some days from now, or when the quiet days begin."""
        self._count += 1
        heapq.heappush(self._later, (self.now_ms + round(days * DAY_MS), self._count, what))

    def enrol(self, machine: Machine) -> None:
        """A new key, the station's only valid one from now on."""
        machine.key = SigningKey(self.dice.randbytes(32))
        self.revoke(machine)
        public = bytes(machine.key.verify_key)
        self.centre.tables.keys[self.numbers(machine)][key_id(public)] = (public, None)
        self.centre.tables.trust_anew(self.numbers(machine))
        self.audit.holders.pop(machine.station, None)

    @staticmethod
    def numbers(machine: Machine) -> tuple[int, int]:
        district_id, station_id = map(int, machine.station.split("/"))
        return district_id, station_id

    def revoke(self, machine: Machine) -> None:
        keys = self.centre.tables.keys.setdefault(self.numbers(machine), {})
        for name, (public, revoked_ms) in keys.items():
            keys[name] = (public, revoked_ms or self.now_ms)

    def disturb(self, machine: Machine, *, clone: bool = False) -> None:
        self.audit.disturbed.add(machine.station)
        if clone:
            self.audit.cloned.add(machine.station)

    def clone(self, machine: Machine) -> None:
        """A second PC with a copy of this disk."""
        files = machine.disk.read()
        twin = self._add(machine.station, machine.ledger.copy(), machine.key)
        twin.disk.put(files)
        twin.life.count = machine.life.count

    def restore(self, backup: Tables) -> None:
        self.centre.tables = backup.copy()
        self.audit.restored(self.centre.tables)
        self.network.held = []
        for machine in self.audit.machines:
            # What was seen on the way before says nothing to a centre that has forgotten it: TLS keeps it secret.
            machine.link.seen, machine.link.behind = [], []

    def expect_conflict(self, machine: Machine, response: Response | None) -> None:
        """A history that differs is refused, and kept as evidence, unless the key is not valid or nobody answers."""
        if response is not None and response.status not in (401, 503):
            detail = f"{machine.station}: other lines under stored numbers got {response.status} {response.body[:80]!r}"
            require(response.status == 409, "another history is evidence", detail)

    def _add(self, station: str, ledger: Ledger | None = None, key: SigningKey | None = None) -> Machine:
        number = len(self.audit.machines)
        own = Random(self.dice.getrandbits(64))
        life = Life(f"{station}:{number}", own, self._tell)
        clock = MachineClock(own.randbytes(16).hex(), self.now_ms - own.randrange(30_000, DAY_MS))
        limits = Limits(self.dice.choice((ROOMY, ROOMY, ROOMY, TIGHT)), RETENTION_DAYS, ballast_bytes=4096)
        machine = Machine(
            station=station,
            key=key or SigningKey(own.randbytes(32)),
            disk=Disk(folder_of(self._folder, number), own, self.occurred),
            clock=clock,
            life=life,
            link=Link(self.network),
            dice=own,
            truths=self.audit.truths,
            limits=limits,
            centre_key=None if self.centre.seal is None else bytes.fromhex(self.centre.seal.public_key),
            ledger=ledger or Ledger(),
        )
        machine.ledger.forgetful |= limits.max_bytes == TIGHT
        self.audit.machines.append(machine)
        if key is None:
            self.enrol(machine)
        return machine

    def _tell(self, happening: Happening) -> None:
        self.audit.truths[happening.name] = happening.true_ms
        self.audit.kinds[happening.name] = happening.fact.kind

    def _draw_rates(self) -> dict[str, float]:
        """Half of the kinds of fault are about in this seed, each as often as it likes."""
        rates = {}
        for name in FAULTS:
            rate = self.dice.choice((0.005, 0.02, 0.05, 0.12))
            rates[name] = 0.0 if self.dice.random() < 0.5 else min(rate, 0.015 if name in RARE else 1.0)
        return rates

    def _live_a_day(self, *, quiet: bool) -> None:
        begin_ms = self.now_ms
        moments: list[tuple[int, int, bool]] = []
        for number, _ in enumerate(self.audit.machines):
            count = 2 if quiet else min(4, 1 + round(self.dice.expovariate(2)))
            moments += [(begin_ms + self.dice.randrange(DAY_MS), number, False) for _ in range(count)]
            if not quiet:
                moments += self._midnights(begin_ms, number)
        for at_ms, number, is_midnight in sorted(moments):
            self._come_to(at_ms)
            if is_midnight and self.dice.random() < 0.3:
                self._cut_off(self.audit.machines[number])
            self.turn(self.audit.machines[number], quiet=quiet)
        self._come_to(begin_ms + DAY_MS)
        self._decide()
        for machine in self.audit.machines:
            machine.tidy(self.now_ms)

    def _decide(self) -> None:
        """Somebody at the office looks at the stations held aside, and enrols one of the machines anew."""
        for station in sorted(self.centre.tables.held):
            machine = self.audit.machines_of(f"{station[0]}/{station[1]}")[0]
            require(machine.station in self.audit.disturbed, "nobody held aside without a cause", machine.station)
            machine.stop()
            self.enrol(machine)

    def _midnights(self, begin_ms: int, number: int) -> list[tuple[int, int, bool]]:
        """Some stations are busy just when a month ends."""
        end_ms = int(datetime(2026, 10, 1, tzinfo=BEIJING).timestamp() * 1000)
        if not begin_ms <= end_ms - 600_000 < begin_ms + DAY_MS - 2_000_000 or self.dice.random() < 0.4:
            return []
        return [(end_ms + self.dice.randrange(-400_000, 900_000), number, True) for _ in range(3)]

    def _cut_off(self, machine: Machine) -> None:
        """A boot whose first word is held up on its way, while a month turns."""
        if machine.powered:
            power_cut(self, machine)
            machine.link.trouble[:0] = ["delay", *["loss"] * len(DRAIN_MS)]

    def turn(self, machine: Machine, *, quiet: bool) -> None:
        """One machine lives for a moment of its day; not `quiet`: something may befall it before."""
        if not machine.powered:
            return
        if not quiet:
            self._strike(machine)
        if not machine.powered:
            return
        for _ in range(min(6, round(self.dice.expovariate(1 / self._busy)))):
            ago_ms = min(self.dice.randrange(300_000), self.now_ms - machine.clock.booted_ms)
            machine.life.happens(machine.clock, self.now_ms - max(0, ago_ms))
        machine.turn(self.now_ms, self._arrive)

    def _strike(self, machine: Machine) -> None:
        for name, rate in self._rates.items():
            if rate and self.dice.random() < rate:
                self.story.append(f"day {self.day} {machine.life.who} {name}")
                self.occurred[name] += name in AT_ONCE
                FAULTS[name](self, machine)

    def _arrive(self, at_ms: int) -> None:
        self.network.arrive(at_ms)

    def _come_to(self, at_ms: int) -> None:
        """Let everything that is due until then happen. Time never runs back, also after a station's drain."""
        while self._later and self._later[0][0] <= at_ms:
            self.now_ms = max(self.now_ms, self._later[0][0])
            heapq.heappop(self._later)[2]()
        self.now_ms = max(self.now_ms, at_ms, self.network.now_ms)
        self._arrive(self.now_ms)

    def _calm(self) -> None:
        """The faults end: links are up, disks have room, keys are valid, everybody is switched on."""
        self._rates = dict.fromkeys(self._rates, 0.0)
        while self._later:
            heapq.heappop(self._later)[2]()
        self._decide()
        self.centre.trouble, self.centre.rival = "", None
        for machine in self.audit.machines:
            machine.link.up, machine.link.trouble, machine.link.on_sent = True, [], None
            machine.disk.full, machine.powered = False, True
            machine.disk.disarm()


def run_seed(seed: int) -> Verdict:
    """One seed from beginning to end, in a folder of its own."""
    logging.disable(logging.CRITICAL)
    with ExitStack() as stack:
        stack.callback(logging.disable, logging.NOTSET)
        where = stack.enter_context(tempfile.TemporaryDirectory(dir=RAM if RAM.is_dir() else None))
        stack.enter_context(disk.installed())
        stack.enter_context(on_plain_tables(Random(seed).randbytes))
        simulation = Simulation(seed, Path(where))
        stack.callback(simulation.close)
        try:
            return Verdict(seed, simulation.run(), occurred=simulation.occurred)
        except BROKEN as error:
            days = simulation.day * len(simulation.audit.machines)
            broken = f"day {simulation.day}: {error}"
            return Verdict(seed, days, broken, tuple(simulation.story), simulation.occurred)
