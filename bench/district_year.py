"""A year of Lizhou District: the real register, the real engine, invented faults and people, virtual time.

The model and what in it is assumed stand in `bench/district_model.py`. The centre's rounds run every five minutes
around whatever happens, every hour otherwise. Both modes live through the same faults. Usage:
`python -m bench.district_year [--days 365] [--seed 1] [--mode both|together|alone]`.
"""

import argparse
import asyncio
import heapq
import random
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from bench.district_life import OFF, Fleet, Machine
from bench.district_model import (
    DAY_MS,
    FILM_EVERY_DAYS,
    HABITS,
    HOUR_MS,
    MINUTE_MS,
    Trouble,
    invent_year,
    spread,
)
from bench.district_office import LIZHOU, plant
from bench.report import emit
from collector import jobs
from collector.alerts.models import outbox
from collector.centre import Centre
from collector.db.engine import Connection, Database
from collector.errors import ConflictError
from collector.people import queries as people
from collector.people.queries import Person, Role
from collector.settings import Settings
from collector.stations import queries as stations
from collector.tickets import queries as tickets
from collector.tickets import service as decide
from collector.tickets.ladder import Pace, load_pace
from collector.tickets.queries import Ticket
from collector.tickets.routing import Step
from shared.months import BEIJING
from tests.clocks import ManualClock

BEGIN_MS = int(datetime(2026, 1, 1, tzinfo=BEIJING).timestamp() * 1000)
ROUND_MS = 5 * MINUTE_MS
IDLE_MS = 60 * MINUTE_MS
BUSY_MS = 45 * MINUTE_MS
NIGHT_MS = 3 * HOUR_MS
FILM_BEGINS_MS = 19 * HOUR_MS
FILM_ENDS_MS = FILM_BEGINS_MS + 40 * MINUTE_MS
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

    centre: Centre
    clock: ManualClock
    fleet: Fleet
    troubles: list[Trouble]
    staff: dict[int, Person]
    pace: Pace
    township_of: dict[int, int]
    areas: dict[Any, int]
    dice: random.Random
    rounds: set[int] = field(default_factory=set)
    queue: list[int] = field(default_factory=list)
    plans: list[tuple[int, int, str, int, int]] = field(default_factory=list)
    seen: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    origin: dict[int, Trouble] = field(default_factory=dict)
    false: Counter[str] = field(default_factory=Counter)
    now_ms: int = BEGIN_MS

    def at(self, moment_ms: float) -> None:
        """Have a round at the next five minutes after this moment."""
        slot = int(-(-moment_ms // ROUND_MS) * ROUND_MS)
        if slot not in self.rounds:
            self.rounds.add(slot)
            heapq.heappush(self.queue, slot)

    def busy(self, from_ms: float) -> None:
        for late in range(0, BUSY_MS, ROUND_MS):
            self.at(from_ms + late)

    async def live(self, days: float) -> None:
        end_ms = BEGIN_MS + int(days * DAY_MS)
        for moment_ms in range(BEGIN_MS, end_ms, IDLE_MS):
            self.at(moment_ms)
        pending = list(reversed(self.troubles))
        for trouble in self.troubles:
            self.busy(trouble.begin_ms)
        for day in range(int(days)):
            self.busy(BEGIN_MS + day * DAY_MS + FILM_BEGINS_MS)
        while self.queue and self.queue[0] < end_ms:
            self._advance(heapq.heappop(self.queue))
            while pending and pending[-1].begin_ms <= self.now_ms:
                self._strike(pending.pop())
            self._heal()
            await self._pass_day()
            await self.fleet.beat(self.now_ms)
            if self.now_ms % HOUR_MS == 0:
                await jobs.look_back(self.centre)
            await jobs.judge_faults(self.centre, _always)
            await jobs.send_alerts(self.centre)
            await self._look()
            await self._act()

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
        for machine in self._machines_at(trouble.place, trouble.kind.scope):
            machine.troubles.append(trouble)
            machine.changed = True
        if trouble.end_ms < float("inf"):
            self.busy(trouble.end_ms)

    def _machines_at(self, place: int | None, scope: str) -> Iterable[Machine]:
        machines = self.fleet.machines.values()
        if scope == "district":
            return machines
        if scope == "township":
            return [each for each in machines if each.township == place]
        return [each for each in machines if each.station_id == place]

    def _heal(self) -> None:
        for machine in self.fleet.machines.values():
            left = [each for each in machine.troubles if each.is_on(self.now_ms)]
            if len(left) < len(machine.troubles):
                off_since_ms = min((each.begin_ms for each in machine.troubles if each.kind.name in OFF), default=0)
                machine.troubles, machine.changed = left, True
                if off_since_ms and not machine.is_off:
                    machine.starts_again(self.now_ms, off_since_ms=off_since_ms)

    async def _look(self) -> None:
        """See which tickets are new or in new hands, find what each is about, and let its person plan."""
        async with self.centre.database.read() as connection:
            present = await tickets.list_open(connection, LIZHOU)
        for ticket in present.values():
            mark = (ticket.opened_ms, ticket.step, ticket.assignee_id or 0)
            if self.seen.get(ticket.ticket_id) == mark:
                continue
            self.seen[ticket.ticket_id] = mark
            causes = self._find_causes(ticket)
            for each in causes:
                each.found = True
            if causes:
                self.origin[ticket.ticket_id] = causes[0]
            else:
                self.false[ticket.rule] += ticket.ticket_id not in self.origin
            self._plan(ticket, self.origin.get(ticket.ticket_id))

    def _find_causes(self, ticket: Ticket) -> list[Trouble]:
        """What is truly wrong, or was until an hour ago, where this ticket points; the newest first."""
        return [
            trouble
            for trouble in reversed(self.troubles)
            if trouble.begin_ms <= self.now_ms
            and trouble.end_ms > ticket.since_ms - HOUR_MS
            and ticket.rule in trouble.kind.rules
            and self._is_there(trouble, ticket)
        ]

    def _is_there(self, trouble: Trouble, ticket: Ticket) -> bool:
        if trouble.kind.scope == "district" or (ticket.station_id is None and ticket.area_id not in self.areas):
            return True
        if ticket.station_id is None:
            return trouble.kind.silent and self._township(trouble) == self.areas[ticket.area_id]
        if trouble.kind.scope == "township":
            return trouble.place == self.township_of[ticket.station_id]
        return trouble.place == ticket.station_id

    def _township(self, trouble: Trouble) -> int | None:
        is_station = trouble.kind.scope == "station"
        return self.township_of[trouble.place or 0] if is_station else trouble.place

    def _plan(self, ticket: Ticket, cause: Trouble | None) -> None:
        person = self.staff.get(ticket.assignee_id or 0)
        if person is None:
            return
        habit = HABITS[person.role]
        if self.dice.random() >= habit.answers:
            return
        wait_h = spread(self.dice, habit.answer_h)
        calendar = self.pace.calendar
        count = calendar.add_opening_time if person.role is Role.PLAIN else calendar.add_working_time
        answer_ms = count(self.now_ms, wait_h)
        ends_itself = cause is None or (cause.kind.ends_h is not None and cause.kind.scope != "station")
        able = ends_itself or (cause is not None and self.dice.random() < habit.skill(cause.kind.category))
        if not able:
            return
        mend_ms = count(answer_ms, spread(self.dice, habit.mend_h))
        self._schedule(answer_ms, ticket, "acknowledge", mend_ms)
        if not ends_itself:
            self._schedule(mend_ms, ticket, "mend", 0)

    def _schedule(self, at_ms: int, ticket: Ticket, act: str, until_ms: int) -> None:
        heapq.heappush(self.plans, (at_ms, ticket.ticket_id, act, ticket.assignee_id or 0, until_ms))
        self.at(at_ms)

    async def _act(self) -> None:
        while self.plans and self.plans[0][0] <= self.now_ms:
            _, ticket_id, act, person_id, until_ms = heapq.heappop(self.plans)
            async with self.centre.database.write() as connection:
                ticket = await tickets.get_ticket(connection, LIZHOU, ticket_id)
                if ticket is None or not ticket.open or ticket.assignee_id != person_id:
                    continue
                if act == "acknowledge":
                    await self._acknowledge(connection, ticket, person_id, until_ms)
                elif (cause := self.origin.get(ticket_id)) is not None:
                    cause.end_ms = min(cause.end_ms, self.now_ms)
                    self.busy(self.now_ms)

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

    async def add_up(self, mode: str, days: float) -> Tally:
        async with self.centre.database.read() as connection:
            made = await tickets.list_tickets(connection, LIZHOU, open_only=False, limit=10**6)
            sent = (await connection.execute(select(outbox.c.person_id, outbox.c.created_ms))).all()
        role = Role.BACKBONE if mode == "together" else Role.CENTRE
        weeks = Counter((person, (at_ms - BEGIN_MS) // (7 * DAY_MS)) for person, at_ms in sent)
        watched = {number for number, person in self.staff.items() if person.role is role}
        worst = max((count for (person, _), count in weeks.items() if person in watched), default=0)
        shown = [each for each in self.troubles if self._shows_at(each) < min(each.end_ms, BEGIN_MS + days * DAY_MS)]
        missed = [each for each in shown if not each.found]
        missed = [each for each in missed if not self._is_hidden(each)]
        centre = [each for each in made if each.step >= Step.CENTRE]
        notes = {
            "false_by": dict(self.false),
            "missed_by": dict(Counter(each.kind.name for each in missed)),
            "at_centre_by": dict(Counter(each.rule for each in centre)),
            "rounds": len(self.rounds),
        }
        return Tally(
            mode,
            faults=len(self.troubles),
            tickets=len(made),
            at_centre=len(centre),
            false=sum(self.false.values()),
            missed=len(missed),
            worst=worst / 7,
            weekly=len(sent) / max(1, len(self.staff)) / (days / 7),
            notes=notes,
        )

    def _shows_at(self, trouble: Trouble) -> float:
        """When it must have been found. Silence only counts while stations are expected on."""
        hours = trouble.kind.shows_h
        if trouble.kind.silent:
            return self.pace.calendar.add_opening_time(trouble.begin_ms, hours)
        return trouble.begin_ms + hours * HOUR_MS

    def _is_hidden(self, trouble: Trouble) -> bool:
        """Whether something larger covered it all the while it could have shown, as a dark township does."""
        end_ms = trouble.end_ms
        covers = (
            each
            for each in self.troubles
            if each is not trouble and each.kind.silent and self._covers(each, trouble) and each.begin_ms < end_ms
        )
        hidden_ms = sum(
            min(end_ms, each.end_ms) - max(trouble.begin_ms, each.begin_ms)
            for each in covers
            if each.end_ms > trouble.begin_ms
        )
        return end_ms - trouble.begin_ms - hidden_ms < trouble.kind.shows_h * HOUR_MS

    def _covers(self, larger: Trouble, trouble: Trouble) -> bool:
        if larger.kind.scope == "district":
            return True
        if trouble.kind.scope == "district":
            return False
        if larger.kind.scope == "station":
            return trouble.kind.scope == "station" and larger.place == trouble.place
        return self._township(trouble) == larger.place


def _dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - an invented year, not a secret


async def _always() -> int:
    return BEGIN_MS - DAY_MS


async def live_through(mode: str, seed: int, days: float) -> Tally:
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
        year = Year(centre, clock, fleet, troubles, staff, pace, township_of, areas, _dice(seed + 1))
        await year.live(days)
        tally = await year.add_up(mode, days)
        await database.close()
    return tally


def _live(order: tuple[str, int, float]) -> Tally:
    return asyncio.run(live_through(*order))


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
    parser.add_argument("--days", type=float, default=365)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mode", choices=("both", *MODES), default="both")
    options = parser.parse_args()
    modes = MODES if options.mode == "both" else (options.mode,)
    with ProcessPoolExecutor(max_workers=2) as pool:
        report(list(pool.map(_live, [(mode, options.seed, options.days) for mode in modes])))


if __name__ == "__main__":
    main()
