"""Checks what stations have pledged: that their records, pushed under a tag, are their own and not the centre's.

Whoever doubts a figure can check the same: the pledge, the station's public key and the lines up to it are all kept.
"""

import asyncio
import logging
from collections.abc import Sequence

from collector.db.engine import Connection, Database
from collector.intake import pledge_queries, queries
from collector.intake.pledge_queries import PledgeRow, Unproven
from shared import tags
from shared.signing import BadSignature

log = logging.getLogger("yuanjiao.intake")

ROUND = 500
ROUNDS = 20
PATIENCE_MS = 7 * 86_400_000


async def check_pledges(database: Database, *, now_ms: int) -> int:
    """Check new pledges, so many at a time and no more than so often; returns how many. Wrong ones are evidence."""
    checked = 0
    for _ in range(ROUNDS):
        async with database.read() as connection:
            rows = await pledge_queries.list_unchecked(connection, limit=ROUND)
        wrong = await asyncio.to_thread(_list_wrong, rows)
        async with database.write() as connection:
            await pledge_queries.mark_checked(connection, set(rows) - set(wrong), right=True)
            await pledge_queries.mark_checked(connection, wrong, right=False)
            for row in wrong:
                detail = f"stream {row.stream}: the pledge for line {row.seq} is not signed by the station"
                await _add_evidence(connection, row, "pledge-forged", detail, now_ms)
        checked += len(rows)
        if len(rows) < ROUND:
            break
    return checked


async def tell_unproven(database: Database, *, now_ms: int) -> int:
    """Note streams that have gone on for a week under tags alone; returns how many. Each is noted once a week."""
    async with database.read() as connection:
        rows = await pledge_queries.list_unproven(connection, patience_ms=PATIENCE_MS)
    for row in rows:
        async with database.write() as connection:
            detail = f"stream {row.stream}: no pledge of the station for a week"
            await _add_evidence(connection, row, "pledge-missing", detail, now_ms)
            await pledge_queries.begin_anew(connection, row, now_ms=now_ms)
    return len(rows)


async def _add_evidence(connection: Connection, row: PledgeRow | Unproven, kind: str, detail: str, now_ms: int) -> None:
    log.error("intake.%s station=%d/%d stream=%s", kind, row.district_id, row.station_id, row.stream)
    await queries.add_security_event(
        connection, row.district_id, station_id=row.station_id, kind=kind, detail=detail, content=None, now_ms=now_ms
    )


def _list_wrong(rows: Sequence[PledgeRow]) -> list[PledgeRow]:
    return [row for row in rows if not _is_right(row)]


def _is_right(row: PledgeRow) -> bool:
    station = f"{row.district_id}/{row.station_id}"
    try:
        tags.check_pledge(
            row.signature, row.public_key, station=station, stream=row.stream, seq=row.seq, head=row.head.hex()
        )
    except BadSignature:
        return False
    return True
