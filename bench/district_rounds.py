"""When the centre of the invented year looks: on a grid of five minutes, and only where something can change.

A real centre looks every fifteen seconds. What comes of it is the same if a round follows whatever happens and whatever
the engine itself waits for: the end of a hold, a verification that is over, the next rung of the ladder. Between them
time passes unseen, but for a look every three hours while stations are open. `--every-round` has them all, to compare.
"""

import heapq
import math
from collections.abc import Iterable

from bench.district_model import DAY_MS, HOUR_MS, MINUTE_MS
from collector.areas.calendar import Calendar
from collector.faults.holding import list_waits
from collector.faults.service import list_rules
from collector.faults.standing import Standing, hold_of
from collector.tickets.queries import Ticket
from collector.tickets.words import TicketState
from shared.months import local

PERIOD_S = 300
ROUND_MS = 5 * MINUTE_MS
FILM_BEGINS_MS = 19 * HOUR_MS
FILM_ENDS_MS = FILM_BEGINS_MS + 40 * MINUTE_MS
NIGHT_MS = 3 * HOUR_MS
SILENCE_SHOWS_MS = (10 * MINUTE_MS, 15 * MINUTE_MS)
"""How long after the last heartbeat a silence shows, whenever in its period that came."""
_LOOK_MS = range(9 * HOUR_MS, 22 * HOUR_MS, 3 * HOUR_MS)
_VERIFY_MS = 30 * MINUTE_MS
_AREA_CLOSES_MS = 10 * MINUTE_MS


class Rounds:
    """The rounds to come. `taken` counts those that were."""

    def __init__(self, begin_ms: int, days: int, calendar: Calendar, *, every: bool) -> None:
        self.taken = 0
        self._queue: list[int] = []
        self._known: set[int] = set()
        self._due_ms: float = math.inf
        self._opens = list_waits(period_s=PERIOD_S, patience=1)
        self._closes = {
            name: hold_of(rule, period_s=PERIOD_S, patience=1).close_ms for name, rule in list_rules().items()
        }
        for day_ms in range(begin_ms, begin_ms + days * DAY_MS, DAY_MS):
            self._plan_day(day_ms, calendar)
        for moment_ms in range(begin_ms, begin_ms + days * DAY_MS, ROUND_MS) if every else ():
            self.at(moment_ms)

    def at(self, moment_ms: float) -> None:
        """Have a round at the next five minutes after this moment."""
        slot = _slot(moment_ms)
        if slot not in self._known:
            self._known.add(slot)
            heapq.heappush(self._queue, slot)

    def take(self) -> float:
        """When the next round is; never, when the year is over."""
        if self._due_ms < math.inf:
            self.at(self._due_ms)
        if not self._queue:
            return math.inf
        self.taken += 1
        return heapq.heappop(self._queue)

    def expect(self, findings: Iterable[Standing], tickets: Iterable[Ticket], now_ms: int) -> None:
        """See what the engine waits for."""
        moments = [*map(self._turns_at, findings), *map(_acts_at, tickets)]
        self._due_ms = min((each for each in moments if each > now_ms), default=math.inf)

    def _turns_at(self, row: Standing) -> float:
        if not row.open:
            return row.found_ms + self._opens.get(row.rule, 0)
        if row.clear_since_ms is not None:
            return row.clear_since_ms + self._closes.get(row.rule, _AREA_CLOSES_MS)
        return math.inf

    def _plan_day(self, day_ms: int, calendar: Calendar) -> None:
        for late_ms in (NIGHT_MS, *_LOOK_MS, FILM_BEGINS_MS, FILM_ENDS_MS):
            self.at(day_ms + late_ms)
        for begin_ms, end_ms in calendar.list_opening(local(day_ms, calendar.zone).date()):
            for late_ms in SILENCE_SHOWS_MS:
                self.at(begin_ms + late_ms)
            self.at(end_ms)


def _acts_at(ticket: Ticket) -> float:
    if ticket.state is TicketState.VERIFYING:
        return (ticket.recovered_ms or 0) + _VERIFY_MS
    return math.inf if ticket.due_ms is None else ticket.due_ms


def _slot(moment_ms: float) -> int:
    return int(-(-moment_ms // ROUND_MS) * ROUND_MS)
