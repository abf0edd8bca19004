"""Climbs the ladder 1+X: what is due and not acknowledged goes one rung up; who has promised is reminded and asked.

Deadlines are a column of the ticket, so there are no timers to kill: every act is made only at the version it was
decided on, and writes the next deadline. Waits count opening or working time of the district's calendar.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from collector.areas import queries as areas
from collector.areas.calendar import Calendar, make_calendar
from collector.areas.neighbours import Neighbours, read_neighbours
from collector.db.engine import Connection
from collector.people import service as people
from collector.people.queries import Person
from collector.tickets import queries
from collector.tickets.queries import Ticket
from collector.tickets.routing import Route, Step, Where, follow_chain
from collector.tickets.words import Action, TicketState
from shared.months import BEIJING, local

Amount = Annotated[float, Field(gt=0)]


class Waits(BaseModel):
    """How long each rung has to acknowledge; a district changes it under `ladder` in its settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    plain_opening_hours: Amount = 2
    backbone_working_hours: Amount = 8
    township_working_days: Amount = 1
    neighbour_working_days: Amount = 1
    centre_working_days: Amount = 1
    answer_working_days: Amount = 1


@dataclass(frozen=True, slots=True)
class Pace:
    """How a district's ladder goes: how fast, and whose neighbour each township is."""

    calendar: Calendar
    waits: Waits
    neighbours: Neighbours = field(default_factory=dict)

    def where(self, station_id: int | None, township_id: UUID | None) -> Where:
        """A place on the ladder, with its neighbours."""
        near = self.neighbours.get(township_id, frozenset()) if township_id is not None else frozenset()
        return Where(station_id, township_id, near)

    def wait(self, step: int, now_ms: int) -> int:
        """Until when whoever is on this rung from now on has time to acknowledge."""
        match Step(step):
            case Step.PLAIN:
                return self.calendar.add_opening_time(now_ms, self.waits.plain_opening_hours)
            case Step.BACKBONE:
                return self.calendar.add_working_time(now_ms, self.waits.backbone_working_hours)
            case Step.TOWNSHIP:
                days = self.waits.township_working_days
            case Step.NEIGHBOUR:
                days = self.waits.neighbour_working_days
            case Step.CENTRE:
                days = self.waits.centre_working_days
        return self.calendar.add_working_days(now_ms, days)

    def resume(self, ticket: Ticket, now_ms: int) -> int:
        """When the ladder acts next on a ticket that was out of its reach and goes back to where it was."""
        if ticket.promised_ms is None:
            return self.wait(ticket.step, now_ms)
        return self.promise(ticket.promised_ms, now_ms)

    def promise(self, promised_ms: int, now_ms: int) -> int:
        """When the ladder acts next after a promise: on the morning of the day, if that is a working day away or more.

        A promise for tomorrow needs no reminder; at its own moment every promise is asked about.
        """
        day = local(promised_ms, self.calendar.zone).date()
        morning_ms = self.calendar.add_working_time(self.calendar.begin_of(day), 0)
        is_far = self.calendar.add_working_days(now_ms, 1) < morning_ms
        return morning_ms if is_far and morning_ms < promised_ms else promised_ms

    def working_day(self, at_ms: int) -> date:
        """The day people are next at work."""
        return local(self.calendar.add_working_time(at_ms, 0), self.calendar.zone).date()

    def answer(self, now_ms: int) -> int:
        """Until when somebody who is asked now has time to answer."""
        return self.calendar.add_working_days(now_ms, self.waits.answer_working_days)


@dataclass(frozen=True, slots=True)
class _Round:
    pace: Pace
    people: Sequence[Person]
    load: dict[int, int]
    now_ms: int


def make_pace(settings: Mapping[str, object], *, zone: ZoneInfo = BEIJING) -> Pace:
    """What a district's settings say; waits that cannot be read give way to the usual ones."""
    try:
        waits = Waits.model_validate(settings.get("ladder", {}))
    except ValidationError:
        waits = Waits()
    return Pace(make_calendar(settings, zone=zone), waits, read_neighbours(settings))


async def load_pace(connection: Connection, district_id: int, *, zone: ZoneInfo = BEIJING) -> Pace:
    return make_pace(await areas.get_district_settings(connection, district_id), zone=zone)


async def climb(
    connection: Connection, district_id: int, *, pace: Pace, excused: Collection[int] = (), now_ms: int
) -> list[Ticket]:
    """Do what is due, after passing on what lies with people who have gone. Returns the tickets that changed.

    A ticket a person was quicker with is left to that person; tickets of `excused` stations wait until their outage is
    over.
    """
    day = pace.working_day(now_ms)
    stranded = await queries.list_stranded(connection, district_id, day=day.isoformat())
    found = await queries.list_due(connection, district_id, now_ms=now_ms)
    left = [ticket for ticket in stranded if ticket.station_id not in excused]
    gone = {ticket.ticket_id for ticket in left}
    due = [ticket for ticket in found if ticket.station_id not in excused and ticket.ticket_id not in gone]
    if not due and not left:
        return []
    this = _Round(
        pace=pace,
        people=await people.list_reachable(connection, district_id, day=day),
        load=await queries.count_open_by_assignee(connection, district_id),
        now_ms=now_ms,
    )
    changed = [await _pass_on(connection, ticket, this) for ticket in left]
    changed += [await _act(connection, ticket, this) for ticket in due]
    return [each for each in changed if each is not None]


def routed(route: Route) -> dict[str, Any]:
    """What the history keeps of a route: who, which rung, and the rungs on which nobody could be reached."""
    data: dict[str, Any] = {"to_id": route.assignee_id, "step": int(route.step), "copied": list(route.copied)}
    if route.skipped:
        data |= {"skipped": [int(step) for step in route.skipped], "reason": "no_one_available"}
    return data


def given_to(route: Route, pace: Pace, now_ms: int) -> dict[str, Any]:
    """The values of a ticket that waits, from now on, for another person."""
    return {
        "state": TicketState.OPEN,
        "acknowledged_ms": None,
        "promised_ms": None,
        "assignee_id": route.assignee_id,
        "step": int(route.step),
        "due_ms": pace.wait(route.step, now_ms),
    }


async def _act(connection: Connection, ticket: Ticket, this: _Round) -> Ticket | None:
    if ticket.state is TicketState.OPEN:
        return await _go_on(connection, ticket, this)
    promised_ms = ticket.promised_ms or 0
    if ticket.due_ms is not None and ticket.due_ms < promised_ms:
        return await _move(connection, ticket, Action.NUDGED, this, {"due_ms": promised_ms})
    if ticket.due_ms == promised_ms:
        return await _move(connection, ticket, Action.ASKED, this, {"due_ms": this.pace.answer(this.now_ms)})
    values = {"state": TicketState.OPEN, "acknowledged_ms": None, "promised_ms": None}
    free = await _move(connection, ticket, Action.UNACKNOWLEDGED, this, values, told=True)
    return None if free is None else await _go_on(connection, free, this)


async def _pass_on(connection: Connection, ticket: Ticket, this: _Round) -> Ticket | None:
    """Who had it has left or is away: the next one on the same rung, else the next rung, has it from the start."""
    where = this.pace.where(ticket.station_id, ticket.area_id)
    route = follow_chain(ticket.chain, where, ticket.category, this.people, this.load, at_least=ticket.step)
    data = {**routed(route), "copied": [], "from_id": ticket.assignee_id, "left": True}
    values = given_to(route, this.pace, this.now_ms)
    return await _move(connection, ticket, Action.ESCALATED, this, values, data=data)


async def _go_on(connection: Connection, ticket: Ticket, this: _Round) -> Ticket | None:
    """One rung up; on the last one the centre is reminded, day by day."""
    is_last = ticket.step >= Step.CENTRE
    where = this.pace.where(ticket.station_id, ticket.area_id)
    route = follow_chain(ticket.chain, where, ticket.category, this.people, this.load, at_least=ticket.step + 1)
    known = {each.person_id for each in this.people}
    assignee_id = ticket.assignee_id if is_last and ticket.assignee_id in known else route.assignee_id
    if assignee_id is not None and assignee_id != ticket.assignee_id:
        this.load[assignee_id] = this.load.get(assignee_id, 0) + 1
    values = {
        "assignee_id": assignee_id,
        "step": int(route.step),
        "due_ms": this.pace.wait(route.step, this.now_ms),
    }
    data = {**routed(route), "copied": [], "to_id": assignee_id, "from_id": ticket.assignee_id}
    action = Action.REMINDED if is_last else Action.ESCALATED
    return await _move(connection, ticket, action, this, values, data=data)


async def _move(
    connection: Connection,
    ticket: Ticket,
    action: Action,
    this: _Round,
    values: dict[str, Any],
    *,
    data: dict[str, Any] | None = None,
    told: bool = False,
) -> Ticket | None:
    changed = await queries.change_ticket(connection, ticket, version=ticket.version, **values)
    if changed is not None:
        await queries.add_change(connection, changed, action, now_ms=this.now_ms, data=data, told=told)
    return changed
