"""What alerts do: turn changes of tickets into messages, and send them. Nothing is sent inside a transaction.

`tell` runs in the transaction that judged and settled, so a message exists exactly when its cause does. `send` leases
messages, sends them side by side, and writes what became of each; a sender that dies loses only its lease.
"""

import asyncio
import logging
from collections.abc import Mapping
from functools import cache
from zoneinfo import ZoneInfo

from collector.alerts import channels as plugins
from collector.alerts import messages, queries
from collector.alerts.channels.base import (
    Channel,
    DeliveryError,
    Keys,
    Message,
    OpenChannel,
    PermanentError,
    deliver,
)
from collector.db.engine import Connection, Database
from collector.people import queries as people
from collector.people.queries import Person
from collector.tickets import queries as tickets
from collector.tickets.queries import Change, Ticket
from collector.tickets.words import Action
from shared.discover import discover
from shared.months import BEIJING

log = logging.getLogger("yuanjiao.alerts")

LEASE_MS = 120_000
_AT_ONCE = 20


@cache
def list_channels() -> Mapping[str, Channel]:
    """Every channel by name. Raises BadPluginError for a file that exports none; call it once at the start."""
    return discover(plugins, "CHANNEL", Channel)


def open_channels(keys: Keys) -> Mapping[str, OpenChannel]:
    """The channels this centre has keys for."""
    senders = {name: (channel, channel.open(keys)) for name, channel in list_channels().items()}
    return {name: OpenChannel(channel, send) for name, (channel, send) in senders.items() if send is not None}


async def tell(
    connection: Connection,
    district_id: int,
    *,
    channels: Mapping[str, OpenChannel],
    public_url: str,
    now_ms: int,
    zone: ZoneInfo = BEIJING,
) -> int:
    """Write messages for every change nobody has been told of. Returns how many messages were written."""
    untold = await tickets.list_untold(connection, district_id)
    if not untold:
        return 0
    persons = {each.person_id: each for each in await people.list_people(connection, district_id)}
    written = 0
    for change in untold:
        ticket = await tickets.get_ticket(connection, district_id, change.ticket_id)
        if ticket is None or not await tickets.mark_told(connection, district_id, change):
            continue
        handler = persons.get(ticket.assignee_id or 0)
        not_before_ms = messages.earliest(ticket, change, zone=zone, now_ms=now_ms)
        for reader in await _list_readers(connection, ticket, change, persons):
            text = messages.write(ticket, change, reader=reader, handler=handler, public_url=public_url)
            for name, opened in channels.items():
                if address := opened.channel.address(reader):
                    await queries.add_message(
                        connection,
                        district_id,
                        ticket_id=ticket.ticket_id,
                        person_id=reader.person_id,
                        channel=name,
                        address=address,
                        subject=text.subject,
                        body=text.body,
                        data=dict(text.data),
                        now_ms=now_ms,
                        not_before_ms=not_before_ms,
                    )
                    written += 1
    return written


async def _list_readers(
    connection: Connection, ticket: Ticket, change: Change, persons: Mapping[int, Person]
) -> list[Person]:
    """Who handles it and who gets a copy; of the end hear all who heard of the beginning."""
    ids = {ticket.assignee_id, *change.data.get("copied", ())}
    if change.action is Action.CLOSED:
        ids |= set(await queries.list_told(connection, ticket.district_id, ticket.ticket_id))
    return [persons[each] for each in sorted(each for each in ids if each is not None) if each in persons]


async def send(database: Database, district_id: int, *, channels: Mapping[str, OpenChannel], now_ms: int) -> int:
    """Send what is due, side by side. Returns how many messages were tried; call again while it is not 0."""
    async with database.write() as connection:
        claimed = await queries.claim(
            connection, district_id, channels=list(channels), limit=_AT_ONCE, lease_ms=LEASE_MS, now_ms=now_ms
        )
    outcomes = await asyncio.gather(*(deliver(channels[each.channel], each, now_ms=now_ms) for each in claimed))
    if claimed:
        async with database.write() as connection:
            for message, problem in zip(claimed, outcomes, strict=True):
                await _note(connection, channels[message.channel].channel, message, problem, now_ms)
    return len(claimed)


async def _note(
    connection: Connection, channel: Channel, message: Message, problem: DeliveryError | None, now_ms: int
) -> None:
    """Write down what became of an attempt."""
    if problem is None:
        await queries.finish(connection, message, now_ms=now_ms)
        return
    known = (message.message_id, message.channel, message.tries, problem)
    if isinstance(problem, PermanentError) or message.tries > len(channel.waits_s):
        log.error("alert.failed message=%s channel=%s tries=%s problem=%s", *known)
        await queries.give_up(connection, message, error=str(problem))
        return
    log.warning("alert.put_off message=%s channel=%s tries=%s problem=%s", *known)
    wait_ms = channel.waits_s[message.tries - 1] * 1000
    await queries.put_off(connection, message, not_before_ms=now_ms + wait_ms, error=str(problem))
