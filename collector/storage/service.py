"""What upkeep does with the event log: months made ahead, old events dropped. Both are safe to repeat."""

import logging
from zoneinfo import ZoneInfo

from collector.db.engine import Database
from collector.storage import queries
from shared.months import month_bounds, month_of, next_month, previous_month

log = logging.getLogger("yuanjiao.storage")

AHEAD = 3
BATCH = 2_000


async def make_months(database: Database, *, keep_months: int, now_ms: int, zone: ZoneInfo) -> list[int]:
    """Partitions for this month, the next three, and every past month of which events have come. Returns the new.

    Does nothing on SQLite, which has no partitions.
    """
    this = month_of(now_ms, zone)
    wanted = {this, *_following(this, AHEAD)}
    async with database.read() as connection:
        if not queries.has_partitions(connection):
            return []
        wanted |= await queries.list_stray_months(connection, first=_before(this, keep_months), last=max(wanted))
        missing = sorted(wanted - await queries.list_months(connection))
    for month in missing:
        async with database.write() as connection:
            await queries.lock_events(connection)
            if month not in await queries.list_months(connection):
                moved = await queries.add_month(connection, month)
                log.info("storage.month_made month=%d moved=%d", month, moved)
    return missing


async def drop_old_events(database: Database, *, keep_months: int, now_ms: int, zone: ZoneInfo) -> int:
    """Drop raw events booked more than `keep_months` before this month, once they are folded. Returns how many.

    Whole partitions count as nothing. Figures, sessions and playbacks made of the events stay; so do the events of a
    station held aside, and of a stream whose pledge is wrong, until a person has decided. Of a station that has shown
    another history they stay for `keep_months` after it last did, however old they are.
    """
    before = first_kept_month(now_ms, keep_months, zone)
    since_ms, _ = month_bounds(before, zone)
    await _drop_months(database, before, since_ms)
    async with database.read() as connection:
        streams = await queries.list_streams(connection, before=before, since_ms=since_ms)
    dropped = 0
    for stream in streams:
        while count := await _drop_batch(database, stream, before):
            dropped += count
    if dropped:
        log.info("storage.events_dropped before=%d count=%d", before, dropped)
    return dropped


async def _drop_batch(database: Database, stream: queries.StreamName, before: int) -> int:
    """A small transaction, so that pushes wait for milliseconds only."""
    async with database.write() as connection:
        return await queries.drop_events(connection, stream, before=before, window=BATCH)


async def _drop_months(database: Database, before: int, since_ms: int) -> None:
    """Take a month off the log at once, then see to what of it is still wanted; a crash between is made good here."""
    async with database.read() as connection:
        if not queries.has_partitions(connection):
            return
        old = sorted(month for month in await queries.list_months(connection) if month < before)
    for month in old:
        async with database.write() as connection:
            await queries.lock_events(connection)
            if await queries.has_unfolded(connection, month):
                log.warning("storage.month_kept month=%d reason=unfolded", month)
            else:
                await queries.detach_month(connection, month)
    async with database.read() as connection:
        detached = sorted(await queries.list_detached(connection))
    for month in detached:
        async with database.write() as connection:
            moved = await queries.drop_detached(connection, month, before=before, since_ms=since_ms)
            log.info("storage.month_dropped month=%d moved=%d", month, moved)


def _following(month: int, count: int) -> list[int]:
    found = [month]
    for _ in range(count):
        found.append(next_month(found[-1]))
    return found[1:]


def first_kept_month(now_ms: int, keep_months: int, zone: ZoneInfo) -> int:
    """Events booked before this month may be gone."""
    return _before(month_of(now_ms, zone), keep_months)


def _before(month: int, count: int) -> int:
    for _ in range(count):
        month = previous_month(month)
    return month
