"""What the machine does with tickets: it brings them into line with the findings that stand.

It compares what stands with what is open, so a round that was lost is made good by the next one. A symptom of an area
finding gets no ticket of its own. A fault that is gone is verified before its ticket closes, and one that comes back
within a day reopens the same number one step higher. At last what is due climbs the ladder.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from collector.areas import queries as areas
from collector.areas.queries import AreaKind
from collector.db.engine import Connection
from collector.faults import queries as faults
from collector.faults.areas import SHAKING, SILENT
from collector.faults.outages import list_excused
from collector.faults.rules.base import Severity
from collector.faults.service import list_cards
from collector.faults.standing import Standing, area_subject, station_subject
from collector.people import queries as people
from collector.people.queries import Person
from collector.people.service import list_reachable
from collector.stations import queries as stations
from collector.tickets import queries
from collector.tickets.excusing import excuse
from collector.tickets.ladder import Pace, climb, load_pace, routed
from collector.tickets.queries import NewTicket, Ticket
from collector.tickets.routing import Route, Step, Where, find_route, make_chain
from collector.tickets.words import REPORTED, Action, TicketState
from shared.months import BEIJING

REOPEN_MS = 24 * 3_600_000
_VERIFY_AT_LEAST_MS = 30 * 60_000
_RANK = (Severity.MINOR, Severity.MAJOR, Severity.CRITICAL)


@dataclass(frozen=True, slots=True)
class _Desk:
    """Who and where: read only when a ticket opens. `places` by subject: where, its township and its name.

    `people` can be reached; the ladder is drawn up from `everybody`.
    """

    people: Sequence[Person]
    everybody: Sequence[Person]
    load: dict[int, int]
    places: Mapping[str, tuple[Where, UUID | None, str]]


@dataclass(frozen=True, slots=True)
class _Round:
    """`verify_ms`: how long a fault must have been gone before its ticket closes."""

    pace: Pace
    verify_ms: int
    now_ms: int


async def settle(
    connection: Connection, district_id: int, *, period_s: int, now_ms: int, zone: ZoneInfo = BEIJING
) -> list[Ticket]:
    """Open, reopen, verify, close and escalate the tickets of a district. Returns those that changed."""
    present = await queries.list_open(connection, district_id)
    subjects = {_subject_of(ticket) for ticket in present.values()}
    standing = await faults.list_for_tickets(connection, district_id, subjects)
    this = _Round(
        pace=await load_pace(connection, district_id, zone=zone),
        verify_ms=max(2 * period_s * 1000, _VERIFY_AT_LEAST_MS),
        now_ms=now_ms,
    )
    found = {key_of(row): row for row in standing.values() if row.open}
    silent = {row.station_id for row in standing.values() if row.rule == SILENT}
    changed: list[Ticket | None] = []

    excused = await list_excused(connection, district_id, now_ms=now_ms)
    due = [row for key, row in found.items() if key not in present and row.symptom_of is None]
    missing = [row for row in due if row.station_id not in excused]
    if missing:
        desk = await _load_desk(connection, district_id, missing, this)
        changed += [await _open(connection, district_id, row, desk, this) for row in missing]
    open_ids = {ticket.ticket_id for ticket in present.values()}
    for key, ticket in present.items():
        if ticket.merged_into is not None and (ticket.rule == REPORTED or key in found):
            changed.append(await _follow(connection, ticket, open_ids, this))
        elif ticket.rule == REPORTED:
            continue
        elif key in found:
            changed.append(await _keep(connection, ticket, found[key], this))
        elif ticket.rule in {SILENT, SHAKING} or ticket.station_id not in silent:
            changed.append(await _fade(connection, ticket, this))
    changed += await excuse(connection, district_id, now_ms=now_ms)
    changed += await climb(connection, district_id, pace=this.pace, excused=excused, now_ms=now_ms)
    return [each for each in changed if each is not None]


def key_of(row: Standing) -> str:
    """The key under which at most one ticket is open."""
    return f"{row.rule}:{row.subject}"


def _subject_of(ticket: Ticket) -> str:
    return ticket.dedup_key.partition(":")[2]


async def _open(connection: Connection, district_id: int, row: Standing, desk: _Desk, this: _Round) -> Ticket | None:
    now_ms = this.now_ms
    where, area_id, place = desk.places.get(row.subject, desk.places[""])
    last = await queries.get_latest(connection, district_id, key_of(row))
    if last is not None and _is_answered(row, last):
        return None
    again = last is not None and last.closed_ms is not None and now_ms - last.closed_ms < REOPEN_MS
    at_least = max(last.step + 1 if last is not None and again else 0, _lowest_step(row.severity))
    route = find_route(where, row.category, desk.people, desk.load, at_least=at_least)
    due_ms = this.pace.wait(route.step, now_ms)
    chain = make_chain(where, row.category, desk.everybody)
    if last is not None and again:
        ticket = await _reopen(connection, last, row, route, due_ms=due_ms, chain=chain)
    else:
        new = NewTicket(
            dedup_key=key_of(row),
            rule=row.rule,
            category=row.category,
            severity=row.severity,
            station_id=row.station_id,
            area_id=area_id,
            place=place,
            facts=dict(row.facts),
            since_ms=row.since_ms,
            assignee_id=route.assignee_id,
            step=route.step,
            previous_id=None if last is None else last.ticket_id,
            due_ms=due_ms,
            chain=chain,
        )
        ticket = await queries.add_ticket(connection, district_id, new, now_ms=now_ms)
    if ticket is None:
        return None
    if route.assignee_id is not None:
        desk.load[route.assignee_id] = desk.load.get(route.assignee_id, 0) + 1
    action = Action.REOPENED if again else Action.OPENED
    await queries.add_change(connection, ticket, action, now_ms=now_ms, data=routed(route), told=False)
    return ticket


def _is_answered(row: Standing, last: Ticket) -> bool:
    """Whether a person's word has ended what has happened: only a newer sign of it opens a ticket again."""
    card = list_cards().get(row.rule)
    return card is not None and card.by_word and (last.closed_ms or 0) >= row.facts.get("last_ms", 0)


def _lowest_step(severity: Severity) -> Step:
    """What is severe is not left to a plain operator."""
    return Step.BACKBONE if severity is Severity.CRITICAL else Step.PLAIN


async def _reopen(connection: Connection, last: Ticket, row: Standing, route: Route, **ladder: Any) -> Ticket | None:
    return await queries.change_ticket(
        connection,
        last,
        version=last.version,
        open=True,
        state=TicketState.OPEN,
        step=route.step,
        assignee_id=route.assignee_id,
        category=row.category,
        severity=row.severity,
        facts=dict(row.facts),
        since_ms=row.since_ms,
        acknowledged_ms=None,
        promised_ms=None,
        recovered_ms=None,
        closed_ms=None,
        resolution=None,
        helped=None,
        merged_into=None,
        **ladder,
    )


async def _keep(connection: Connection, ticket: Ticket, row: Standing, this: _Round) -> Ticket | None:
    """The fault is there and so is its ticket: see whether anything is new. Under an area's ticket its ladder rests."""
    now_ms = this.now_ms
    if ticket.state is TicketState.VERIFYING:
        return await _doubt(connection, ticket, row, this)
    if ticket.part_of != row.symptom_of:
        action = Action.JOINED if row.symptom_of else Action.LEFT
        data = {"area": row.symptom_of or ticket.part_of}
        due_ms = None if row.symptom_of else this.pace.resume(ticket, now_ms)
        values: dict[str, Any] = {"part_of": row.symptom_of, "due_ms": due_ms}
        return await _move(connection, ticket, action, now_ms, data=data, values=values)
    if _RANK.index(row.severity) > _RANK.index(ticket.severity):
        values = {"severity": row.severity, "category": row.category, "facts": dict(row.facts)}
        if ticket.step < _lowest_step(row.severity) and ticket.state is TicketState.OPEN and not ticket.part_of:
            values["due_ms"] = now_ms + 1  # the next round climbs, so that each of the two hears of their own news
        return await _move(connection, ticket, Action.WORSENED, now_ms, values=values, told=False)
    if ticket.rule == SHAKING and ticket.facts != row.facts:
        await queries.put_facts(connection, ticket, row.facts)
    return None


async def _follow(connection: Connection, ticket: Ticket, open_ids: Collection[int], this: _Round) -> Ticket | None:
    """A ticket under another rests; when that one is closed a report ends with it, a fault that stands goes its way."""
    now_ms = this.now_ms
    if ticket.merged_into in open_ids:
        if ticket.state is not TicketState.VERIFYING:
            return None
        back: dict[str, Any] = {"state": TicketState.OPEN, "recovered_ms": None}
        return await _move(connection, ticket, Action.RELAPSED, now_ms, values=back)
    data = {"into_id": ticket.merged_into}
    if ticket.rule == REPORTED:
        head = await queries.get_ticket(connection, ticket.district_id, ticket.merged_into or 0)
        resolution = None if head is None else head.resolution
        ended = {"state": TicketState.CLOSED, "open": False, "closed_ms": now_ms, "resolution": resolution}
        return await _move(connection, ticket, Action.CLOSED, now_ms, data=data, values=ended, told=False)
    alone = {"merged_into": None, "due_ms": this.pace.resume(ticket, now_ms)}
    return await _move(connection, ticket, Action.SPLIT, now_ms, data=data, values=alone, told=False)


async def _doubt(connection: Connection, ticket: Ticket, row: Standing, this: _Round) -> Ticket | None:
    """The fault is there while its end was being verified. A person's word is given time, the machine's is not."""
    now_ms, recovered_ms = this.now_ms, ticket.recovered_ms or 0
    if ticket.resolution is None:
        state = TicketState.OPEN if ticket.acknowledged_ms is None else TicketState.ACKNOWLEDGED
        values = {"state": state, "recovered_ms": None, "due_ms": this.pace.resume(ticket, now_ms)}
        return await _move(connection, ticket, Action.RELAPSED, now_ms, values=values)
    if row.found_ms <= recovered_ms and now_ms - recovered_ms < this.verify_ms:
        return None
    values = {
        "state": TicketState.OPEN,
        "due_ms": this.pace.wait(ticket.step, now_ms),
        "recovered_ms": None,
        "acknowledged_ms": None,
        "promised_ms": None,
        "resolution": None,
        "helped": None,
    }
    data = {"resolution": ticket.resolution}
    return await _move(connection, ticket, Action.UNCONFIRMED, now_ms, data=data, values=values, told=False)


async def _fade(connection: Connection, ticket: Ticket, this: _Round) -> Ticket | None:
    """The fault is gone: verify, then close."""
    now_ms = this.now_ms
    if ticket.state is not TicketState.VERIFYING:
        values: dict[str, Any] = {"state": TicketState.VERIFYING, "recovered_ms": now_ms, "part_of": None}
        values["due_ms"] = None
        return await _move(connection, ticket, Action.RECOVERED, now_ms, values=values)
    if now_ms - (ticket.recovered_ms or 0) < this.verify_ms:
        return None
    resolution = ticket.resolution or {"cause": "self_recovered"}
    values = {"state": TicketState.CLOSED, "open": False, "closed_ms": now_ms, "resolution": resolution}
    how = "self_recovered" if ticket.resolution is None else "confirmed"
    told = ticket.merged_into is not None
    return await _move(connection, ticket, Action.CLOSED, now_ms, data={"how": how}, values=values, told=told)


async def _move(
    connection: Connection,
    ticket: Ticket,
    action: Action,
    now_ms: int,
    *,
    values: dict[str, Any],
    data: dict[str, Any] | None = None,
    told: bool = True,
) -> Ticket | None:
    """Change the ticket and write history; None when a person was quicker, and the next round looks again."""
    changed = await queries.change_ticket(connection, ticket, version=ticket.version, **values)
    if changed is not None:
        await queries.add_change(connection, changed, action, now_ms=now_ms, data=data, told=told)
    return changed


async def _load_desk(connection: Connection, district_id: int, missing: Sequence[Standing], this: _Round) -> _Desk:
    places: dict[str, tuple[Where, UUID | None, str]] = {"": (Where(None, None), None, "")}
    for area in await areas.list_areas(connection, district_id, kind=AreaKind.DISTRICT):
        places[""] = places[area_subject(area.area_id)] = (Where(None, None), area.area_id, area.name)
    if any(row.station_id is None and row.subject not in places for row in missing):
        for area in await areas.list_areas(connection, district_id, kind=AreaKind.TOWNSHIP):
            places[area_subject(area.area_id)] = (this.pace.where(None, area.area_id), area.area_id, area.name)
    numbers = {row.station_id for row in missing if row.station_id is not None}
    for each in await stations.list_some(connection, district_id, numbers):
        where = this.pace.where(each.station_id, each.township_id)
        places[station_subject(each.station_id)] = (where, each.township_id, each.title)
    return _Desk(
        people=await list_reachable(connection, district_id, day=this.pace.working_day(this.now_ms)),
        everybody=await people.list_people(connection, district_id),
        load=await queries.count_open_by_assignee(connection, district_id),
        places=places,
    )
