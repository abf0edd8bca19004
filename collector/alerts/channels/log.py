"""Writes a message into the centre's own log: a trace of what nobody could be told in any other way."""

import logging

from collector.alerts.channels.base import Channel, Message, Receipt, Send
from collector.keys import Keys
from collector.people.queries import Person
from collector.web.i18n import msgid

log = logging.getLogger("yuanjiao.alerts")


def address(person: Person, _own: str) -> str:
    return f"person/{person.person_id}"


def open_log(_keys: Keys) -> Send:
    return _send


async def _send(message: Message, _now_ms: int) -> Receipt:
    log.info("alert.told ticket=%s person=%s %s", message.ticket_id, message.person_id, message.subject)
    return Receipt()


CHANNEL = Channel(title=msgid("仅记入日志"), rank=99, address=address, open=open_log, for_people=False)
