"""Sees by a digest where our stock and a station's disk differ, and orders that station to tell its inventory.

A line lost for good, a restored centre, a disk put into another PC: the stock heals without anybody noticing.
"""

import logging

from collector.directions import queries as directions
from collector.directions import service as directing
from collector.usage import stock_queries
from collector.usage.queries import Connection
from shared.inventory import digest_of
from shared.wire.directions import Verb

log = logging.getLogger("yuanjiao.usage")

_AGAIN_MS = 86_400_000
"""An inventory is a line for every file: asking more often than daily would cost more than a wrong name."""


async def reconcile(connection: Connection, district_id: int, *, now_ms: int) -> int:
    """Order the inventory of every station of a district that holds something else than we believe; how many."""
    told = await stock_queries.list_told(connection, district_id, since_ms=now_ms - directing.VALID_MS)
    held = await stock_queries.list_held(connection, district_id)
    odd = [station_id for station_id, digest in told.items() if digest != digest_of(held.get(station_id, []))]
    if not odd:
        return 0
    asked = await directions.list_ordered(connection, district_id, Verb.SEND_INVENTORY, since_ms=now_ms - _AGAIN_MS)
    missing = sorted(set(odd) - asked)
    for station_id in missing:
        log.info("usage.inventory_asked station=%s/%s", district_id, station_id)
        await directing.order_unasked(connection, district_id, station_id, Verb.SEND_INVENTORY, now_ms=now_ms)
    return len(missing)
