"""Sends what the outbox holds. Nothing is sent inside a transaction.

take (lease, quiet hours, budgets, digests) ─▶ hand over, side by side ─▶ note what became of each

A sender that dies loses only its leases. A channel, or one receiver that drips, holds up nothing but its own share of
hands: `pump` goes on taking what else is due while they wait.
"""

import asyncio
import logging
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from zoneinfo import ZoneInfo

from collector.alerts import allotting, queries
from collector.alerts.channels.base import (
    DeliveryError,
    Message,
    OpenChannel,
    PermanentError,
    Problem,
    Receipt,
    deliver,
)
from collector.alerts.queries import Due
from collector.db.engine import Connection, Database
from shared.months import BEIJING

log = logging.getLogger("yuanjiao.alerts")

LEASE_MS = 120_000
HANDS = 20
"""So many messages of one channel are on their way at once."""
_AT_ONCE = 60
_LOOK_AGAIN_S = 1.0


async def send(
    database: Database,
    district_id: int,
    *,
    channels: Mapping[str, OpenChannel],
    now_ms: int,
    zone: ZoneInfo = BEIJING,
) -> int:
    """Send what is due, side by side. Returns how many messages were tried; call again while it is not 0."""
    taken = await _take(database, district_id, channels, now_ms=now_ms, zone=zone)
    await asyncio.gather(*(_hand_over(database, each, channels, lambda: now_ms) for each in taken))
    return len(taken)


async def pump(
    database: Database,
    district_id: int,
    *,
    channels: Mapping[str, OpenChannel],
    clock: Callable[[], int],
    zone: ZoneInfo = BEIJING,
) -> int:
    """Send until nothing is due and nothing on its way. Returns how many messages were tried."""
    flying: dict[asyncio.Task[None], str] = {}
    tried = 0
    try:
        while True:
            busy = {name for name, count in Counter(flying.values()).items() if count >= HANDS}
            taken = await _take(database, district_id, channels, now_ms=clock(), zone=zone, busy=busy)
            for each in taken:
                flying[asyncio.create_task(_hand_over(database, each, channels, clock))] = each.message.channel
            tried += len(taken)
            if not flying:
                return tried
            pause = 0 if taken else _LOOK_AGAIN_S
            done, _ = await asyncio.wait(flying, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                del flying[task]
                task.result()
    finally:
        for task in flying:
            task.cancel()
        await asyncio.gather(*flying, return_exceptions=True)


async def _take(
    database: Database,
    district_id: int,
    channels: Mapping[str, OpenChannel],
    *,
    now_ms: int,
    zone: ZoneInfo,
    busy: Collection[str] = (),
) -> list[Due]:
    """Lease what may go out now."""
    async with database.write() as connection:
        due = await queries.claim(connection, district_id, lease_ms=LEASE_MS, now_ms=now_ms, limit=_AT_ONCE, busy=busy)
        fit = [each for each in due if await _is_deliverable(connection, each, channels, now_ms)]
        return await allotting.allot(
            connection, district_id, fit, channels=channels, lease_ms=LEASE_MS, now_ms=now_ms, zone=zone
        )


async def _is_deliverable(connection: Connection, due: Due, channels: Mapping[str, OpenChannel], now_ms: int) -> bool:
    """Whether there is still a person to tell and a channel to tell them by; else it fails, or moves on, here."""
    if due.gone:
        await queries.give_up(connection, due.message, error=Problem.PERSON_GONE)
        return False
    if due.message.channel not in channels:
        await allotting.fail(connection, due, PermanentError(Problem.CHANNEL_SHUT), channels, now_ms)
        return False
    return True


async def _hand_over(
    database: Database, due: Due, channels: Mapping[str, OpenChannel], clock: Callable[[], int]
) -> None:
    """One attempt, and what became of it."""
    outcome = await deliver(channels[due.message.channel], due.message, now_ms=clock())
    async with database.write() as connection:
        await _note(connection, due, outcome, channels, clock())


async def _note(
    connection: Connection,
    due: Due,
    outcome: Receipt | DeliveryError,
    channels: Mapping[str, OpenChannel],
    now_ms: int,
) -> None:
    message = due.message
    if isinstance(outcome, Receipt):
        await queries.finish(
            connection, message, now_ms=now_ms, delivered=outcome.delivered, reference=outcome.reference
        )
        return
    channel = channels[message.channel].channel
    known = (message.message_id, message.channel, message.tries, outcome)
    if isinstance(outcome, PermanentError) or message.tries > len(channel.waits_s):
        log.error("alert.failed message=%s channel=%s tries=%s problem=%s", *known)
        await allotting.fail(connection, due, outcome, channels, now_ms)
        return
    log.warning("alert.put_off message=%s channel=%s tries=%s problem=%s", *known)
    if outcome.problem is Problem.BUSY:
        await allotting.leave_alone(connection, message, channel, wait_s=outcome.wait_s, now_ms=now_ms)
    wait_ms = max(jitter(channel.waits_s[message.tries - 1] * 1000, message), outcome.wait_s * 1000)
    await queries.put_off(connection, message, not_before_ms=now_ms + wait_ms, now_ms=now_ms, error=str(outcome))


def jitter(wait_ms: int, message: Message) -> int:
    """The wait, a quarter shorter to a quarter longer, so that what failed together does not come back together.

    Drawn from the message's number and tries: the same in every process and in every run.
    """
    drawn = zlib.crc32(f"{message.key}/{message.tries}".encode()) / 2**32
    return round(wait_ms * (0.75 + drawn / 2))
