"""What every part of a running centre is handed: its settings, its database, its clock, its seal."""

from dataclasses import dataclass

from collector.db.engine import Database
from collector.seal import Seal
from collector.settings import Settings
from shared.clock import Clock


@dataclass(frozen=True, slots=True)
class Centre:
    settings: Settings
    database: Database
    clock: Clock
    seal: Seal | None = None
    """None where `init` has made no key: then nothing the centre says is signed."""

    @property
    def now_ms(self) -> int:
        """The centre's time, epoch milliseconds."""
        return self.clock.now().wall_ms
