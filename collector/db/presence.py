"""Which part of the centre is being served by somebody, and since when without a break.

A worker that judges stations silent must know whether anybody was there to hear them (kept in the table of claims).
"""

from sqlalchemy import case, select
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.db.claims import job_runs
from collector.db.dialect import insert


async def attend(connection: AsyncConnection, part: str, *, lease_ms: int, now_ms: int) -> None:
    """Say that `part` is served now and will be for `lease_ms`. A break since the last word starts a new stretch."""
    fresh = insert(connection, job_runs).values(
        job=part, slot_ms=now_ms, holder="", attempt=1, lease_until_ms=now_ms + lease_ms
    )
    unbroken = job_runs.c.lease_until_ms >= now_ms
    statement = fresh.on_conflict_do_update(
        index_elements=[job_runs.c.job],
        set_={
            "slot_ms": case((unbroken, job_runs.c.slot_ms), else_=fresh.excluded.slot_ms),
            "lease_until_ms": fresh.excluded.lease_until_ms,
        },
    )
    await connection.execute(statement)


async def served_since(connection: AsyncConnection, part: str, *, now_ms: int) -> int | None:
    """Since when `part` has been served without a break; None while nobody serves it."""
    statement = select(job_runs.c.slot_ms).where(job_runs.c.job == part, job_runs.c.lease_until_ms >= now_ms)
    return (await connection.execute(statement)).scalar()
