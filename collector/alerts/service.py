"""What alerts do with tickets: turn their changes into messages. Sending them is in `collector.alerts.sending`.

`tell` runs in the transaction that judged and settled, so a message exists exactly when its cause does. A person gets
one message for a cause, on the first channel that reaches them; the others wait behind it in case it fails for good.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from zoneinfo import ZoneInfo

from collector.alerts import channels as plugins
from collector.alerts import links, messages, queries
from collector.alerts.channels.base import Channel, OpenChannel
from collector.alerts.queries import NewMessage, Rank, Ways
from collector.db.engine import Connection
from collector.keys import Keys
from collector.people import queries as people
from collector.people.queries import Person
from collector.tickets import queries as tickets
from collector.tickets.queries import Change, Ticket
from collector.tickets.words import Action
from shared.discover import discover
from shared.months import BEIJING

LAST_RESORT = "log"
_BEGINS = frozenset({Action.OPENED, Action.REOPENED, Action.ESCALATED, Action.REASSIGNED, Action.UNCONFIRMED})
Reaches = Mapping[int, Mapping[str, tuple[int, str]]]


@cache
def list_channels() -> Mapping[str, Channel]:
    """Every channel by name. Raises BadPluginError for a file that exports none; call it once at the start."""
    return discover(plugins, "CHANNEL", Channel)


def open_channels(keys: Keys) -> Mapping[str, OpenChannel]:
    """The channels this centre has keys for. Open them once: one may keep a token its other side gave it."""
    senders = {name: (channel, channel.open(keys)) for name, channel in list_channels().items()}
    return {name: OpenChannel(channel, send, keys) for name, (channel, send) in senders.items() if send is not None}


def find_ways(person: Person, chosen: Mapping[str, tuple[int, str]], channels: Mapping[str, OpenChannel]) -> Ways:
    """How a person is reached, in turn: the channels they chose in their order, then the others, never a refused one.

    The log is for those whom nothing else reaches.
    """
    ranked = sorted(
        (
            (chosen[name][0] if name in chosen else 1000 + opened.channel.rank, name)
            for name, opened in channels.items()
        ),
    )
    ways: list[tuple[str, str]] = []
    for place, name in ranked:
        address = channels[name].channel.address(person, chosen[name][1] if name in chosen else "")
        if place > 0 and address and (name != LAST_RESORT or not ways):
            ways.append((name, address))
    return ways


@dataclass(frozen=True, slots=True)
class _Post:
    """What every message of a round is written with."""

    persons: Mapping[int, Person]
    reaches: Reaches
    channels: Mapping[str, OpenChannel]
    public_url: str
    key: str
    now_ms: int
    zone: ZoneInfo


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
    post = _Post(
        persons={each.person_id: each for each in await people.list_people(connection, district_id)},
        reaches=await queries.list_reaches(connection, district_id),
        channels=channels,
        public_url=public_url,
        key=await require_link_key(connection, district_id),
        now_ms=now_ms,
        zone=zone,
    )
    written = 0
    for change in untold:
        ticket = await tickets.get_ticket(connection, district_id, change.ticket_id)
        if ticket is None or not await tickets.mark_told(connection, district_id, change):
            continue
        for reader in await _list_readers(connection, ticket, change, post):
            written += await _write(connection, ticket, change, reader, post)
    return written


async def require_link_key(connection: Connection, district_id: int) -> str:
    """The district's key of acknowledge links, made when it is first asked for."""
    key = await queries.get_link_key(connection, district_id)
    if key is None:
        await queries.add_link_key(connection, district_id, secrets.token_hex(32))
        key = await queries.get_link_key(connection, district_id)
    return key or ""


async def _write(connection: Connection, ticket: Ticket, change: Change, reader: Person, post: _Post) -> int:
    ways = find_ways(reader, post.reaches.get(reader.person_id, {}), post.channels)
    if not ways:
        return 0
    token = ""
    if messages.awaits(ticket, reader):
        token = links.make_token(
            post.key,
            district_id=ticket.district_id,
            ticket_id=ticket.ticket_id,
            person_id=reader.person_id,
            version=ticket.version,
            now_ms=post.now_ms,
        )
    handler = post.persons.get(ticket.assignee_id or 0)
    text = messages.write(ticket, change, reader=reader, handler=handler, public_url=post.public_url, token=token)
    new = NewMessage(
        ticket_id=ticket.ticket_id,
        person_id=reader.person_id,
        ways=ways,
        subject=text.subject,
        body=text.body,
        data=text.data,
        rank=Rank.FIRST if change.action in _BEGINS else Rank.REMINDER,
        wakes=messages.wakes(ticket, change),
    )
    not_before_ms = messages.earliest(ticket, change, zone=post.zone, now_ms=post.now_ms)
    await queries.add_message(connection, ticket.district_id, new, now_ms=post.now_ms, not_before_ms=not_before_ms)
    return 1


async def _list_readers(connection: Connection, ticket: Ticket, change: Change, post: _Post) -> list[Person]:
    """Who handles it and who gets a copy; of the end hear all who heard of the beginning, and nobody else.

    What waits for the morning or for another try gives way to this newer news.
    """
    ids: set[int | None] = {ticket.assignee_id, *change.data.get("copied", ())}
    before: set[int] = set()
    if change.action is Action.CLOSED:
        before = set(await queries.list_told(connection, ticket.district_id, ticket.ticket_id))
    for number in sorted(each for each in ids | before if each is not None):
        await queries.supersede(
            connection, ticket.district_id, ticket_id=ticket.ticket_id, person_id=number, now_ms=post.now_ms
        )
    if change.action is Action.CLOSED:
        after = set(await queries.list_told(connection, ticket.district_id, ticket.ticket_id))
        ids = (ids - (before - after)) | after
    return [post.persons[each] for each in sorted(each for each in ids if each is not None) if each in post.persons]
