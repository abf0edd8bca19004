"""What becomes of tickets when somebody tells afterwards that the power was cut, or that the line was being mended.

Had it been told beforehand there would have been no ticket. So one that has closed is marked with the outage: it stays
readable, and no figure counts it as a fault. A fault that outlasts the outage by a day is one of its own.
"""

from typing import Any

from collector.db.engine import Connection
from collector.faults import queries as faults
from collector.faults.areas import SILENT
from collector.faults.cards import AREA_SILENT
from collector.faults.outages import list_concerned, list_times
from collector.faults.queries import Outage
from collector.tickets import ended_queries, queries
from collector.tickets.queries import Ticket
from collector.tickets.words import EXCUSED_BY, Action

_DAY_MS = 86_400_000
_ABOUT_MS = 30 * 60_000
"""People tell roughly when a cut began."""
_RULES = (SILENT, AREA_SILENT.name)


async def excuse(connection: Connection, district_id: int, *, now_ms: int) -> list[Ticket]:
    """Mark the closed tickets of outages told of lately. Returns those that changed."""
    changed: list[Ticket] = []
    for outage in await faults.list_told_late(connection, district_id, since_ms=now_ms - _DAY_MS):
        concerned = await list_concerned(connection, district_id, outage)
        numbers = {each.station_id for each in concerned}
        townships = {each.township_id for each in concerned} if outage.area_id is not None else set()
        for begin_ms, end_ms in list_times(outage, now_ms):
            found = await ended_queries.list_closed(
                connection, district_id, _RULES, from_ms=begin_ms - _ABOUT_MS, to_ms=end_ms
            )
            mine = [
                each
                for each in found
                if (each.area_id in townships if each.station_id is None else each.station_id in numbers)
                and EXCUSED_BY not in each.facts
                and (each.recovered_ms or each.closed_ms or 0) <= end_ms + _DAY_MS
            ]
            changed += [each for each in [await _mark(connection, one, outage, now_ms) for one in mine] if each]
    return changed


async def _mark(connection: Connection, ticket: Ticket, outage: Outage, now_ms: int) -> Ticket | None:
    facts: dict[str, Any] = {**ticket.facts, EXCUSED_BY: outage.outage_id}
    changed = await queries.change_ticket(connection, ticket, version=ticket.version, facts=facts)
    if changed is not None:
        data = {"kind": outage.kind.value, "outage_id": outage.outage_id}
        await queries.add_change(connection, changed, Action.EXCUSED, now_ms=now_ms, data=data, told=True)
    return changed
