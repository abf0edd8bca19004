"""What every part of a running centre is handed: its settings, its database, its clock."""

from dataclasses import dataclass

from collector.db.engine import Database
from collector.settings import Settings
from shared.clock import Clock


@dataclass(frozen=True, slots=True)
class Centre:
    settings: Settings
    database: Database
    clock: Clock

    @property
    def now_ms(self) -> int:
        """The centre's time, epoch milliseconds."""
        return self.clock.now().wall_ms
