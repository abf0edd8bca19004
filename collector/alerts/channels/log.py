"""Writes every message into the centre's own log, so that there is a trace where no other channel is set up."""

import logging

from collector.alerts.channels.base import Channel, Keys, Message, Send
from collector.people.queries import Person

log = logging.getLogger(__name__)


def address(person: Person) -> str:
    return f"person/{person.person_id}"


def open_log(_keys: Keys) -> Send:
    return _send


async def _send(message: Message, _now_ms: int) -> None:
    fields = {"district": message.district_id, "ticket": message.ticket_id, "person": message.person_id}
    log.info("alert %s: %s", message.address, message.subject, extra=fields)


CHANNEL = Channel(address=address, open=open_log)
