"""A year of Lizhou District: the real register, the real engine, invented faults and people, virtual time.

The model and what in it is assumed stand in `bench/district_model.py`, when the centre looks in `district_rounds.py`.
Both modes live through the same faults. Usage:
`python -m bench.district_year [--days 365] [--seed 1] [--mode both|together|alone] [--every-round]`.
"""

import argparse
import asyncio
import heapq
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import aiosqlite
from sqlalchemy import select

from bench.district_life import OFF, Fleet, Machine
from bench.district_model import DAY_MS, FILM_EVERY_DAYS, HABITS, HOUR_MS, LACKING, Trouble, invent_year, spread
from bench.district_office import LIZHOU, plant
from bench.district_rounds import FILM_BEGINS_MS, FILM_ENDS_MS, NIGHT_MS, ROUND_MS, SILENCE_SHOWS_MS, Rounds
from bench.district_truth import Truth
from bench.report import emit
from collector import jobs
from collector.alerts import service as alerts
from collector.alerts.channels.base import OpenChannel
from collector.alerts.models import outbox
from collector.centre import Centre
from collector.db.engine import Connection, Database
from collector.errors import ConflictError
from collector.faults import queries as faults
from collector.people import queries as people
from collector.people.queries import Person, Role
from collector.settings import Settings
from collector.stations import queries as stations
from collector.tickets import queries as tickets
from collector.tickets import service as decide
from collector.tickets.ladder import Pace, load_pace
from collector.tickets.queries import Ticket
from collector.tickets.routing import Step
from collector.tickets.words import TicketState
from shared.months import BEIJING
from tests.clocks import ManualClock

BEGIN_MS = int(datetime(2026, 1, 1, tzinfo=BEIJING).timestamp() * 1000)
PROGRESS_DAYS = 30
MODES = ("together", "alone")


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of one mode. `worst` are messages a day to one "1" (or, alone, to one person) in the worst week."""

    mode: str
    faults: int
    tickets: int
    at_centre: int
    false: int
    missed: int
    worst: float
    weekly: float
    notes: dict[str, Any]


@dataclass(slots=True)
class Year:
    """One mode's year. `plans` are what people will do: when, and what."""

    mode: str
    centre: Centre
    clock: ManualClock
    fleet: Fleet
    truth: Truth
    staff: dict[int, Person]
    pace: Pace
    seed: int
    dice: random.Random
    rounds: Rounds
    channels: Mapping[str, OpenChannel]
    plans: list[tuple[int, int, str, int, int]] = field(default_factory=list)
    seen: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    origin: dict[int, Trouble] = field(default_factory=dict)
    false: dict[int, Ticket] = field(default_factory=dict)
    going_on: list[Trouble] = field(default_factory=list)
    now_ms: int = BEGIN_MS
    looked_ms: int = 0
    has_news: bool = False
    """Whether somebody has brought what the books of usage do not know yet."""

    async def live(self, days: int) -> None:
        end_ms = BEGIN_MS + days * DAY_MS
        so_far = PROGRESS_DAYS
        pending = list(reversed(self.truth.troubles))
        for trouble in self.truth.troubles:
            for late_ms in SILENCE_SHOWS_MS if trouble.kind.silent else (0,):
                self.rounds.at(trouble.begin_ms + late_ms)
        while (next_ms := self.rounds.take()) < end_ms:
            if next_ms >= BEGIN_MS + so_far * DAY_MS:
                await self._tell_progress(so_far)
                so_far += PROGRESS_DAYS
            self._advance(int(next_ms))
            while pending and pending[-1].begin_ms <= self.now_ms:
                self._strike(pending.pop())
            self._heal()
            await self._pass_day()
            await self.fleet.beat(self.now_ms)
            if self.has_news:
                await jobs.fold_usage(self.centre)
            if self.has_news or self.now_ms >= self.looked_ms + HOUR_MS:
                await jobs.look_back(self.centre)
                self.looked_ms, self.has_news = self.now_ms, False
            await jobs.judge_district(self.centre, LIZHOU, BEGIN_MS - DAY_MS, self.channels)
            await jobs.pump_alerts(self.centre, self.channels)
            await self._look()
            await self._act()

    async def _tell_progress(self, days: int) -> None:
        """The figures so far, and all that is false or missed, so that a year cut short still says something."""
        tally = await self.add_up(days)
        figures = {name: getattr(tally, name) for name in ("faults", "tickets", "at_centre", "false", "missed")}
        emit("district_year.so_far", days, "days", mode=self.mode, **figures, worst=tally.worst, **tally.notes)

    def _advance(self, to_ms: int) -> None:
        self.clock.advance(seconds=(to_ms - self.now_ms) / 1000)
        self.now_ms = to_ms

    async def _pass_day(self) -> None:
        """At three the satellite sends a film; at seven in the evening every third station shows the newest."""
        day, moment_ms = divmod(self.now_ms - BEGIN_MS, DAY_MS)
        if moment_ms == NIGHT_MS:
            self.fleet.receive(day + 1, self.dice, self.now_ms)
            await self.fleet.beat(self.now_ms)
            if day % FILM_EVERY_DAYS == 0:
                await jobs.fold_usage(self.centre)
        for each in self.fleet.machines.values():
            if each.is_off:
                each.playing = ""
            elif moment_ms == FILM_BEGINS_MS and each.station_id % FILM_EVERY_DAYS == day % FILM_EVERY_DAYS:
                each.begin_film(day + 1)
            elif moment_ms == FILM_ENDS_MS and each.playing:
                each.end_film(day + 1, self.now_ms)

    def _strike(self, trouble: Trouble) -> None:
        self.going_on.append(trouble)
        for machine in self._machines_at(trouble.place, trouble.kind.scope):
            machine.suffers(trouble)
        if trouble.end_ms < float("inf"):
            self.rounds.at(trouble.end_ms)

    def _machines_at(self, place: int | None, scope: str) -> Iterable[Machine]:
        machines = self.fleet.machines.values()
        if scope == "district":
            return machines
        if scope == "township":
            return [each for each in machines if each.township == place]
        return [each for each in machines if each.station_id == place]

    def _heal(self) -> None:
        """End what is over. A station whose line was cut brings what it has recorded meanwhile: that is booked at once.

        A real centre books every few seconds. (Until November 2026 this one then waited up to three days, and called
        films missing that had come.)
        """
        self.going_on = [each for each in self.going_on if each.is_on(self.now_ms)]
        for machine in self.fleet.machines.values():
            left = [each for each in machine.troubles if each.is_on(self.now_ms)]
            if len(left) < len(machine.troubles):
                off_since_ms = min((each.begin_ms for each in machine.troubles if each.kind.name in OFF), default=0)
                machine.troubles, machine.changed = left, True
                self.has_news |= bool(machine.lines) and not machine.is_silent
                if off_since_ms and not machine.is_off:
                    machine.starts_again(self.now_ms, off_since_ms=off_since_ms)

    async def _look(self) -> None:
        """See which tickets are new or in new hands, find what each is about, and let its person plan."""
        async with self.centre.database.read() as connection:
            present = await tickets.list_open(connection, LIZHOU)
            findings = await faults.list_findings(connection, LIZHOU)
        for ticket in present.values():
            is_new = self._recognize(ticket)
            cause = self._name_cause(ticket)
            if is_new or cause is not self.origin.get(ticket.ticket_id):
                if cause is not None:
                    self.origin[ticket.ticket_id] = cause
                self._plan(ticket, cause)
        self.rounds.expect(findings.values(), present.values(), self.now_ms)

    def _recognize(self, ticket: Ticket) -> bool:
        """Whether a ticket is new, open again or in new hands. What it is about is found; without cause it is false."""
        mark = (ticket.since_ms, ticket.step, ticket.assignee_id or 0)
        if self.seen.get(ticket.ticket_id) == mark:
            return False
        self.seen[ticket.ticket_id] = mark
        causes = self.truth.find_causes(ticket, self.now_ms)
        for each in causes:
            each.found |= self.truth.is_about(each, ticket)
        if causes and self.origin.get(ticket.ticket_id) not in causes:
            self.origin[ticket.ticket_id] = causes[0]
        elif ticket.ticket_id not in self.origin:
            self.false.setdefault(ticket.ticket_id, ticket)
        return True

    def _name_cause(self, ticket: Ticket) -> Trouble | None:
        """What its person works on: as long as that lasts, the same; then what else goes on under this ticket.

        A trouble that begins where an open ticket already stands for one like it is found by that ticket: a line that
        is cut during a power cut opens no second one.
        """
        before = self.origin.get(ticket.ticket_id)
        if ticket.state is TicketState.VERIFYING:
            return before
        under = self.truth.list_under(ticket, self.going_on)
        for each in under:
            each.found |= self.truth.is_about(each, ticket)
        return before if before in under or not under else under[0]

    def _plan(self, ticket: Ticket, cause: Trouble | None) -> None:
        person = self.staff.get(ticket.assignee_id or 0)
        if person is None:
            return
        habit = HABITS[person.role]
        dice = self._dice_for(ticket, cause)
        if dice.random() >= habit.answers:
            return
        wait_h = spread(dice, habit.answer_h)
        calendar = self.pace.calendar
        count = calendar.add_opening_time if person.role is Role.PLAIN else calendar.add_working_time
        answer_ms = count(self.now_ms, wait_h)
        category = ticket.category if cause is None or ticket.rule == LACKING else cause.kind.category
        ends_itself = cause is None or (cause.kind.ends_h is not None and cause.kind.scope != "station")
        ends_itself = ends_itself and ticket.rule != LACKING
        able = ends_itself or dice.random() < habit.skill(category)
        if not able:
            return
        mend_ms = count(answer_ms, spread(dice, habit.mend_h))
        self._schedule(answer_ms, ticket, "acknowledge", mend_ms)
        if not ends_itself:
            self._schedule(mend_ms, ticket, "mend", 0)

    def _dice_for(self, ticket: Ticket, cause: Trouble | None) -> random.Random:
        """What a person does about a fault is drawn for it alone, whatever else happens and whenever it is seen."""
        began_ms = 0 if cause is None else cause.begin_ms
        return _dice(f"{self.seed}/{ticket.rule}/{ticket.place}/{began_ms}/{ticket.step}")

    def _schedule(self, at_ms: int, ticket: Ticket, act: str, until_ms: int) -> None:
        heapq.heappush(self.plans, (at_ms, ticket.ticket_id, act, ticket.assignee_id or 0, until_ms))
        self.rounds.at(at_ms)

    async def _act(self) -> None:
        while self.plans and self.plans[0][0] <= self.now_ms:
            _, ticket_id, act, person_id, until_ms = heapq.heappop(self.plans)
            async with self.centre.database.write() as connection:
                ticket = await tickets.get_ticket(connection, LIZHOU, ticket_id)
                if ticket is None or not ticket.open or ticket.assignee_id != person_id:
                    continue
                if act == "acknowledge":
                    await self._acknowledge(connection, ticket, person_id, until_ms)
                elif ticket.rule == LACKING:
                    self.fleet.machines[ticket.station_id or 0].catches_up(self.now_ms)
                    self.has_news = True
                    self.rounds.at(self.now_ms + ROUND_MS)
                elif (cause := self.origin.get(ticket_id)) is not None:
                    cause.end_ms = min(cause.end_ms, self.now_ms)
                    self.rounds.at(self.now_ms + ROUND_MS)

    async def _acknowledge(self, connection: Connection, ticket: Ticket, person_id: int, until_ms: int) -> None:
        promised_ms = max(until_ms, self.now_ms) + DAY_MS
        try:
            await decide.acknowledge(
                connection,
                ticket,
                person_id=person_id,
                version=ticket.version,
                promised_ms=promised_ms,
                now_ms=self.now_ms,
            )
        except ConflictError:  # it recovered by itself meanwhile
            return

    async def add_up(self, days: int) -> Tally:
        async with self.centre.database.read() as connection:
            made = await tickets.list_tickets(connection, LIZHOU, open_only=False, limit=10**6)
            sent = (await connection.execute(select(outbox.c.person_id, outbox.c.created_ms))).all()
        role = Role.BACKBONE if self.mode == "together" else Role.CENTRE
        weeks = Counter((person, (at_ms - BEGIN_MS) // (7 * DAY_MS)) for person, at_ms in sent)
        watched = {number for number, person in self.staff.items() if person.role is role}
        worst = max((count for (person, _), count in weeks.items() if person in watched), default=0)
        missed = self.truth.list_missed(BEGIN_MS + days * DAY_MS)
        centre = [each for each in made if each.step >= Step.CENTRE]
        notes = {
            "false_by": dict(Counter(each.rule for each in self.false.values())),
            "missed_by": dict(Counter(each.kind.name for each in missed)),
            "at_centre_by": dict(Counter(each.rule for each in centre)),
            "false_at": [f"{each.rule} {each.station_id} {_day(each.since_ms)}" for each in self.false.values()],
            "missed_at": [f"{each.kind.name} {each.place} {_day(each.begin_ms)}" for each in missed],
            "rounds": self.rounds.taken,
        }
        return Tally(
            self.mode,
            faults=sum(each.begin_ms <= self.now_ms for each in self.truth.troubles),
            tickets=len(made),
            at_centre=len(centre),
            false=len(self.false),
            missed=len(missed),
            worst=worst / 7,
            weekly=len(sent) / max(1, len(self.staff)) / (days / 7),
            notes=notes,
        )


def _dice(seed: int | str) -> random.Random:
    return random.Random(seed)  # noqa: S311 - an invented year, not a secret


def _day(at_ms: float) -> float:
    return round((at_ms - BEGIN_MS) / DAY_MS, 2)


async def _at_once(_: object, act: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """In place of the driver's own thread: nobody else waits, and two turns of threads cost more than the statement."""
    return act(*args, **kwargs)


@patch.object(aiosqlite.Connection, "_execute", _at_once)
async def live_through(mode: str, seed: int, days: int, *, every: bool = False) -> Tally:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{Path(folder)}/centre.db"
        database, clock = Database(url), ManualClock(BEGIN_MS)
        centre = Centre(Settings(database=url, public_url="http://centre.test"), database, clock)
        areas = await plant(database, mode, BEGIN_MS)
        async with database.read() as connection:
            register = await stations.list_stations(connection, LIZHOU)
            staff = {each.person_id: each for each in await people.list_people(connection, LIZHOU)}
            pace = await load_pace(connection, LIZHOU)
        dice = _dice(seed)
        township_of = {each.station_id: areas[each.township_id] for each in register}
        machines = [
            Machine(
                LIZHOU,
                number,
                township,
                f"{number:016x}",
                phase_ms=dice.randrange(ROUND_MS),
                born_ms=BEGIN_MS - DAY_MS,
                last_file_ms=BEGIN_MS - 5 * HOUR_MS,
            )
            for number, township in township_of.items()
        ]
        troubles = invent_year(_dice(seed), township_of, begin_ms=BEGIN_MS + DAY_MS, days=days - 1)
        fleet = Fleet(database, machines)
        truth = Truth(troubles, township_of, areas, pace.calendar)
        rounds = Rounds(BEGIN_MS, days, pace.calendar, every=every)
        channels = alerts.open_channels(centre.settings.keys)
        year = Year(mode, centre, clock, fleet, truth, staff, pace, seed, _dice(seed + 1), rounds, channels)
        await year.live(days)
        tally = await year.add_up(days)
        await database.close()
    return tally


def _live(order: tuple[str, int, int, bool]) -> Tally:
    mode, seed, days, every = order
    return asyncio.run(live_through(mode, seed, days, every=every))


def report(tallies: Sequence[Tally]) -> None:
    for each in tallies:
        notes = {"mode": each.mode, "faults": each.faults, "tickets": each.tickets, **each.notes}
        emit("district_year.centre_share", 100 * each.at_centre / max(1, each.tickets), "% of tickets", **notes)
        emit("district_year.false", 100 * each.false / max(1, each.tickets), "% of tickets", mode=each.mode)
        emit("district_year.missed", each.missed, "faults", mode=each.mode)
        emit("district_year.messages_worst", each.worst, "messages a day", mode=each.mode)
        emit("district_year.messages", each.weekly, "messages a person and week", mode=each.mode)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mode", choices=("both", *MODES), default="both")
    parser.add_argument("--every-round", action="store_true")
    options = parser.parse_args()
    modes = MODES if options.mode == "both" else (options.mode,)
    with ProcessPoolExecutor(max_workers=2) as pool:
        report(list(pool.map(_live, [(mode, options.seed, options.days, options.every_round) for mode in modes])))


if __name__ == "__main__":
    main()
