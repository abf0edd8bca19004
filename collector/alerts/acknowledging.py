"""What the link in a message does: it shows the ticket, and takes it on at one tap, without signing in.

Opening it changes nothing, for previews of chats and scanners of mail open every link; only the form's POST does. The
token is all there is: no cookie is read, so another site has nothing to borrow. Forgeries are slowed by the address
they come from, and never lock out a link that is good.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from collector.alerts import budgets, links, queries
from collector.alerts.channels.base import Budget
from collector.alerts.links import Claim
from collector.db.engine import Connection
from collector.errors import CentreError, ConflictError
from collector.people import queries as people
from collector.people.queries import Person
from collector.tickets import queries as tickets
from collector.tickets import service
from collector.tickets.queries import Change, Ticket
from collector.tickets.words import Action, TicketState

log = logging.getLogger("yuanjiao.alerts")

_NOBODY = 0
_FORGERIES = Budget(most=30, every_ms=2_000)
_TAPS = Budget(most=10, every_ms=6_000)
_HARMLESS = frozenset({Action.COMMENTED})


class LinkForgedError(CentreError):
    """这个受理链接不完整，或者不是本系统发出的。请从消息里重新点开，或登录后从工单列表进入。"""

    status = 404
    problem = "link-forged"


class LinkExpiredError(CentreError):
    """这个受理链接已经过期。请登录后在工单页面受理，或与区中心联系。"""

    status = 410
    problem = "link-expired"


class LinkUsedError(CentreError):
    """这个受理链接已经用过，您已经受理了这张工单，不用再点。"""

    status = 410
    problem = "link-used"


class LinkOvertakenError(ConflictError):
    """这张工单在消息发出后有了新的变化，不能再用这个链接受理。请看最新的消息，或登录后在工单页面处理。"""

    problem = "link-overtaken"


class LinkOwnerGoneError(CentreError):
    """这个受理链接的主人已不在人员名单里，链接已失效。请与区中心联系。"""

    status = 403
    problem = "link-owner-gone"


class TooManyTapsError(CentreError):
    """请求太频繁。请过一会儿再试。"""

    status = 429
    problem = "too-many-taps"
    retry_after_s = 10


class Standing(StrEnum):
    """Where a good link stands: still of use, used, or overtaken by what happened to the ticket."""

    READY = "ready"
    USED = "used"
    OVERTAKEN = "overtaken"


@dataclass(frozen=True, slots=True)
class Look:
    """What a link shows."""

    ticket: Ticket
    person: Person
    standing: Standing


async def look(connection: Connection, token: str, *, now_ms: int) -> Look:
    """What the link is for, and whether it is still of use. Raises the error that says why it is none."""
    claim = links.read_token(token)
    key = None if claim is None else await queries.get_link_key(connection, claim.district_id)
    if claim is None or key is None or not links.is_signed(token, key):
        raise LinkForgedError
    ticket = await tickets.get_ticket(connection, claim.district_id, claim.ticket_id)
    if ticket is None:
        raise LinkForgedError
    persons = {each.person_id: each for each in await people.list_people(connection, claim.district_id)}
    if claim.person_id not in persons:
        raise LinkOwnerGoneError
    changes = await tickets.list_changes(connection, claim.district_id, claim.ticket_id)
    standing = _judge(ticket, claim, [each for each in changes if each.version > claim.version])
    if standing is Standing.READY and now_ms >= claim.until_ms:
        raise LinkExpiredError
    return Look(ticket, persons[claim.person_id], standing)


async def acknowledge(connection: Connection, token: str, *, promised_ms: int, now_ms: int) -> Ticket:
    """Take the ticket on in the name of the link's owner."""
    seen = await look(connection, token, now_ms=now_ms)
    district_id, number, owner = seen.ticket.district_id, seen.ticket.ticket_id, seen.person.person_id
    if seen.standing is Standing.USED:
        raise LinkUsedError
    if seen.standing is Standing.OVERTAKEN:
        raise LinkOvertakenError
    ticket = await service.acknowledge(
        connection, seen.ticket, person_id=owner, version=seen.ticket.version, promised_ms=promised_ms, now_ms=now_ms
    )
    await people.record(
        connection,
        district_id,
        person_id=owner,
        action="ticket.acknowledged_by_link",
        object_=f"tickets/{number}",
        now_ms=now_ms,
        detail={"version": seen.ticket.version},
    )
    return ticket


async def count_tap(connection: Connection, token: str, *, now_ms: int) -> None:
    """Count a use of a link, in a transaction that stands whatever comes of it. Raises TooManyTapsError."""
    seen = await look(connection, token, now_ms=now_ms)
    name = f"link/{seen.person.person_id}/{seen.ticket.ticket_id}"
    await _spend(connection, seen.ticket.district_id, name, _TAPS, now_ms)


async def note_forgery(connection: Connection, host: str, *, now_ms: int) -> None:
    """Count a link that is none. Raises TooManyTapsError when this address has sent too many."""
    log.warning("link.forged host=%s", host)
    await _spend(connection, _NOBODY, f"forged/{host}"[:600], _FORGERIES, now_ms)


def _judge(ticket: Ticket, claim: Claim, later: Sequence[Change]) -> Standing:
    mine = (each.action is Action.ACKNOWLEDGED and each.person_id == claim.person_id for each in later)
    if any(mine):
        return Standing.USED
    moved = any(each.action not in _HARMLESS for each in later)
    return Standing.OVERTAKEN if moved or ticket.state is not TicketState.OPEN else Standing.READY


async def _spend(connection: Connection, district_id: int, name: str, budget: Budget, now_ms: int) -> None:
    levels = await queries.lock_levels(connection, district_id, {name: budgets.full(budget, now_ms)})
    level = budgets.take(budgets.refill(levels[name], budget, now_ms))
    if level is None:
        raise TooManyTapsError
    await queries.put_levels(connection, district_id, {name: level})
