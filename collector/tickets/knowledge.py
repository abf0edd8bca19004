"""What the district has learned about a kind of fault: which hint has mended it how often, and what else has."""

from dataclasses import dataclass

from collector.db.engine import Connection
from collector.tickets import ended_queries
from collector.tickets.queries import Ticket

_CURES = 3


@dataclass(frozen=True, slots=True)
class Lesson:
    """Of `asked` mended faults of this kind, how many the hints for the operator and for the "1" have mended.

    `cures` are what mended others, newest first.
    """

    asked: int
    plain: int
    backbone: int
    cures: list[Ticket]


async def learn(connection: Connection, ticket: Ticket) -> Lesson:
    """What earlier tickets teach about this one."""
    helped = await ended_queries.count_helped(connection, ticket.district_id, ticket.rule)
    cures = await ended_queries.list_cures(connection, ticket.district_id, ticket.rule, limit=_CURES + 1)
    others = [each for each in cures if each.ticket_id != ticket.ticket_id and each.resolution]
    return Lesson(sum(helped.values()), helped.get("plain", 0), helped.get("backbone", 0), others[:_CURES])
