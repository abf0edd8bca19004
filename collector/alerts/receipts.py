"""What a gateway tells afterwards of messages it has taken: that one has arrived, or that it never will.

    POST /api/v1/receipts/sms, `Authorization: Bearer <the gateway's token>`
    {"receipts": [{"id": "510802-7", "delivered": false, "code": "UNDELIV"}]}

200: each is noted, or of no use (unknown, told before); none need be told again. 503: some message is still being
handed over, the same receipts are welcome once more a little later. What failed goes out on its person's next channel
while it is news.
"""

import re
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from collector.alerts import allotting
from collector.alerts import receipt_queries as queries
from collector.alerts.channels.base import OpenChannel, Problem
from collector.alerts.queries import State
from collector.alerts.receipt_queries import Posted
from collector.db.engine import Connection

PATH = "/api/v1/receipts/sms"
CHANNEL = "sms"
NEWS_MS = 86_400_000
"""Older than this a message is not told again: its ticket has gone on."""

_ID = re.compile(r"(?P<district>[0-9]{1,12})-(?P<message>[0-9]{1,15})")
_CODE = re.compile(r"[^0-9A-Za-z:_.-]")


class Told(BaseModel):
    """What became of one message, by the `id` it was handed over with. `code` is the network's own."""

    model_config = ConfigDict(extra="ignore")

    id: str = Field(max_length=40)
    delivered: bool
    code: str = Field(default="", max_length=100)


class Receipts(BaseModel):
    """What is told at once."""

    model_config = ConfigDict(extra="ignore")

    receipts: list[Told] = Field(max_length=500)


class Noted(BaseModel):
    """How many receipts were news."""

    noted: int


async def take(
    connection: Connection, told: Sequence[Told], *, channels: Mapping[str, OpenChannel], now_ms: int
) -> tuple[int, int]:
    """Note what was told. Returns how many receipts were news, and how many came before their message was noted."""
    noted = early = 0
    for each in told:
        found = _ID.fullmatch(each.id)
        if found is None:
            continue
        posted = await queries.get_posted(connection, int(found["district"]), int(found["message"]), channel=CHANNEL)
        if posted is None or posted.delivered_ms is not None:
            continue
        if posted.state is State.PENDING:
            early += posted.due.message.tries > 0
        elif posted.state is State.SENT:
            noted += await _note(connection, posted, each, channels, now_ms)
    return noted, early


async def _note(
    connection: Connection, posted: Posted, told: Told, channels: Mapping[str, OpenChannel], now_ms: int
) -> bool:
    message = posted.due.message
    if told.delivered:
        return await queries.mark_delivered(connection, message, now_ms=now_ms)
    is_news = now_ms - posted.sent_ms < NEWS_MS
    ways = [way for way in posted.due.rest if way[0] in channels and is_news]
    error = f"{Problem.NOT_DELIVERED} {_CODE.sub('', told.code)}".strip()
    if not await queries.take_back(connection, message, error=error, state=State.MOVED if ways else State.FAILED):
        return False
    if ways:
        await allotting.follow(connection, posted.due, ways, now_ms)
    return True
