"""A clock that a test moves by hand."""

from datetime import datetime

from shared.clock import Instant
from shared.months import BEIJING


class ManualClock:
    """Starts on 10 September 2026, 09:00 in Beijing, ten minutes after boot."""

    def __init__(self, wall_ms: int | None = None) -> None:
        start = datetime(2026, 9, 10, 9, tzinfo=BEIJING)
        self._now = Instant(wall_ms or int(start.timestamp() * 1000), 600_000, "b" * 32)

    def now(self) -> Instant:
        return self._now

    def advance(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        """Let real time pass: wall and monotonic clock together."""
        passed = round(((days * 24 + hours) * 60 + minutes) * 60_000 + seconds * 1000)
        self._now = Instant(self._now.wall_ms + passed, self._now.mono_ms + passed, self._now.boot)

    def set_wall(self, wall_ms: int) -> None:
        """Change only what the machine believes."""
        self._now = Instant(wall_ms, self._now.mono_ms, self._now.boot)

    def reboot(self, boot: str, *, mono_ms: int = 30_000) -> None:
        self._now = Instant(self._now.wall_ms, mono_ms, boot)
