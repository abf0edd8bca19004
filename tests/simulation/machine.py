"""One station's PC: the real spool, runner and uplink on a simulated disk, with a life to record."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from nacl.signing import SigningKey

from agent.errors import SpoolError
from agent.identity import Identity, Keeping
from agent.probes.base import ProbeSettings
from agent.runner import InlineLook, Runner
from agent.spool import Limits
from agent.uplink import Uplink
from tests.simulation.disk import Disk, Killed, Strike, use
from tests.simulation.ledger import Ledger, WatchedSpool
from tests.simulation.life import Life, MachineClock, probe_of
from tests.simulation.network import Link

RETENTION_DAYS = 12
DRAIN_MS = (400, 3_000, 45_000, 350_000, 700_000)


class AgentFailedError(Exception):
    """The agent raised where it must not."""


@dataclass(slots=True)
class Machine:
    """`station` as on the wire. `start_troubled` strikes while the agent starts."""

    station: str
    key: SigningKey
    disk: Disk
    clock: MachineClock
    life: Life
    link: Link
    dice: Random
    truths: dict[str, int]
    limits: Limits
    centre_key: bytes | None = None
    ledger: Ledger = field(default_factory=Ledger)
    version: int = 1
    spool: WatchedSpool | None = None
    runner: Runner | None = None
    uplink: Uplink | None = None
    boots: dict[str, int] = field(default_factory=dict)
    powered: bool = True
    battery_dead: bool = False

    def start(self, true_ms: int) -> None:
        """Power on if it was off, and start the agent."""
        use(self.disk)
        self.boots[self.clock.boot] = self.clock.booted_ms
        now = self.clock.at(true_ms)
        try:
            self.spool = WatchedSpool(self.disk.folder, now, limits=self.limits, entropy=self.dice.randbytes)
        except (sqlite3.Error, SpoolError, OSError, ValueError) as error:
            if self.disk.full or self.disk.was_struck:  # the service manager starts it again later
                self.disk.close()
                return
            raise AgentFailedError(f"{self.station} does not start: {type(error).__name__}: {error}") from error
        self.disk.mark_is_old = False
        self.spool.ledger, self.spool.truths = self.ledger, self.truths
        self.runner = Runner(self.spool, InlineLook)
        self.runner.add("journal", probe_of(self.life), ProbeSettings())
        identity = Identity(self.station, "", "", self.key, self.centre_key)
        self.uplink = Uplink(identity, self.link, self.spool, self.runner.reports, 300, 30)
        self.uplink.keeping = Keeping(self.disk.folder)
        self.uplink.dice = Random(self.dice.getrandbits(32))

    def turn(self, true_ms: int, arrive: Callable[[int], None]) -> None:
        """Half an hour in the life of the agent at a moment of its day: look, push, drain."""
        if self.spool is None:
            self._guarded(lambda: self.start(true_ms), true_ms)
        use(self.disk)
        self._guarded(lambda: self._look(true_ms), true_ms)
        for delay in (0, *DRAIN_MS):
            if self.spool is None or (delay and self.spool.depth().waiting <= 0):
                break
            arrive(true_ms + delay)
            use(self.disk)
            self._guarded(lambda delay=delay: self._push(true_ms + delay), true_ms + delay)  # type: ignore[misc]
        self.disk.settle()

    def _look(self, true_ms: int) -> None:
        if self.runner is not None:
            self.runner.tick(self.clock.at(true_ms))

    def _push(self, true_ms: int) -> None:
        if self.uplink is not None:
            self.uplink.version = f"0.{self.version}"
            self.uplink.tick(self.clock.at(true_ms))

    def tidy(self, true_ms: int) -> None:
        if self.spool is not None:
            use(self.disk)
            spool = self.spool
            self._guarded(lambda: spool.tidy(self.clock.at(true_ms)), true_ms)

    def _guarded(self, work: Callable[[], None], true_ms: int) -> None:
        try:
            work()
        except Killed as end:
            self.crash(true_ms, power=end.power)
        except (sqlite3.Error, SpoolError) as error:
            # In `agent/app.py` a crank that raises is turned again; the spool must have kept itself whole.
            if not (self.disk.full or self.disk.was_struck):
                raise AgentFailedError(f"{self.station}: {type(error).__name__}: {error}") from error
            self.disk.was_struck = False
        except (AgentFailedError, AssertionError):
            raise
        except Exception as error:
            raise AgentFailedError(f"{self.station}: {type(error).__name__}: {error}") from error

    def crash(self, true_ms: int, *, power: bool) -> None:
        """The process ends; with the power, the boot ends too."""
        self.disk.crash(power=power)
        self._forget_process()
        if power:
            self.reboot(true_ms)

    def stop(self) -> None:
        """A clean stop."""
        if self.spool is not None:
            use(self.disk)
            self.disk.disarm()
            self.spool.close()
            self.disk.close()
        self._forget_process()

    def reboot(self, true_ms: int) -> None:
        self.clock.boot = self.dice.randbytes(16).hex()
        self.clock.booted_ms = true_ms - 30_000
        self.clock.frozen_ms = None
        if self.battery_dead:
            self.clock.error_ms = 946_684_800_000 - true_ms
        self.boots[self.clock.boot] = self.clock.booted_ms

    def strike(self, strike: Strike) -> None:
        self.disk.arm(strike, self.dice.randint(1, 8))

    def wipe(self) -> None:
        """A new disk: nothing of the old one is left."""
        self.stop()
        self.disk.put({})
        self.ledger.spoil()
        self.ledger.replaced = True

    def _forget_process(self) -> None:
        self.link.not_before_ms = 0
        self.spool = self.runner = self.uplink = None


def folder_of(root: Path, number: int) -> Path:
    folder = root / f"pc-{number}"
    folder.mkdir()
    return folder
