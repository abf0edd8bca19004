"""Hands each (job, slot) to one process: a leased row. A crashed holder's lease runs out and another takes over."""

from sqlalchemy import Column, String, Table, or_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.db.dialect import insert
from collector.db.types import at, metadata, number

job_runs = Table(
    "job_runs",
    metadata,
    Column("job", String(40), primary_key=True),
    at("slot_ms"),
    Column("holder", String(60), nullable=False),
    number("attempt", primary=False),
    at("lease_until_ms", nullable=True),
    info={"reference": "small and shared: one row a job"},
)


async def claim(
    connection: AsyncConnection, *, job: str, slot_ms: int, holder: str, lease_ms: int, now_ms: int
) -> bool:
    """Whether `holder` may run this slot of the job: nobody has had it, or its lease ran out unfinished."""
    fresh = insert(connection, job_runs).values(
        job=job, slot_ms=slot_ms, holder=holder, attempt=1, lease_until_ms=now_ms + lease_ms
    )
    statement = fresh.on_conflict_do_update(
        index_elements=[job_runs.c.job],
        set_={
            "slot_ms": fresh.excluded.slot_ms,
            "holder": fresh.excluded.holder,
            "attempt": job_runs.c.attempt + 1,
            "lease_until_ms": fresh.excluded.lease_until_ms,
        },
        where=or_(
            (job_runs.c.slot_ms < slot_ms) & job_runs.c.lease_until_ms.is_(None),
            job_runs.c.lease_until_ms < now_ms,
        ),
    ).returning(job_runs.c.attempt)
    return (await connection.execute(statement)).first() is not None


async def finish(connection: AsyncConnection, *, job: str, slot_ms: int, holder: str) -> None:
    """Free the job for its next slot. Does nothing when the lease has meanwhile passed to another holder."""
    mine = (job_runs.c.job == job) & (job_runs.c.slot_ms == slot_ms) & (job_runs.c.holder == holder)
    await connection.execute(update(job_runs).where(mine).values(lease_until_ms=None))
