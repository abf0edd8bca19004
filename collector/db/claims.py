"""Hands each slot of a job to one process at a time: one leased row a job.

A holder keeps its row by renewing the lease; one that dies stops renewing, and whoever asks next takes the slot over.
A lease cannot stop a paused holder from finishing late, so jobs are safe to repeat.
"""

from dataclasses import dataclass

from sqlalchemy import Column, String, Table, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.db.dialect import insert
from collector.db.types import at, metadata, number

_HOUR_MS = 3_600_000

# `lease_until_ms` is null once the slot is done. `attempt` counts the tries of this slot.
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


@dataclass(frozen=True, slots=True)
class Turn:
    """One try of one slot by one holder: the fence that keeps late holders out."""

    job: str
    slot_ms: int
    holder: str
    attempt: int


@dataclass(frozen=True, slots=True)
class _Row:
    slot_ms: int
    holder: str
    attempt: int
    lease_until_ms: int | None


async def claim(
    connection: AsyncConnection,
    job: str,
    *,
    every_ms: int,
    holder: str,
    lease_ms: int,
    now_ms: int,
    catch_up: bool = False,
) -> Turn | None:
    """The slot `holder` may run now: one whose lease ran out, else the present one, else (`catch_up`) the next missed.

    None when nothing is due or somebody else has it.
    """
    row = await _get(connection, job)
    due = _due(row, every_ms=every_ms, now_ms=now_ms, catch_up=catch_up)
    if due is None:
        return None
    turn = Turn(job, due[0], holder, due[1])
    return turn if await _take(connection, turn, row, lease_until_ms=now_ms + lease_ms) else None


async def renew(connection: AsyncConnection, turn: Turn, *, lease_ms: int, now_ms: int) -> bool:
    """Hold on to a slot; False when it has passed to another holder."""
    return await _set_lease(connection, turn, now_ms + lease_ms)


async def finish(connection: AsyncConnection, turn: Turn) -> bool:
    """The slot is done. False, and nothing changed, when it has meanwhile passed to another holder."""
    return await _set_lease(connection, turn, None)


async def give_back(connection: AsyncConnection, turn: Turn, *, not_before_ms: int) -> bool:
    """Leave the slot undone: whoever asks after `not_before_ms` tries it again."""
    return await _set_lease(connection, turn, not_before_ms)


def _due(row: _Row | None, *, every_ms: int, now_ms: int, catch_up: bool) -> tuple[int, int] | None:
    """Slot and attempt that are due, if any."""
    present = now_ms - now_ms % every_ms
    if row is None or _is_from_a_wrong_clock(row, now_ms):
        return present, 1
    if row.lease_until_ms is None:
        slot_ms = row.slot_ms - row.slot_ms % every_ms + every_ms if catch_up else present
        return (slot_ms, 1) if row.slot_ms < slot_ms <= present else None
    if row.lease_until_ms >= now_ms:
        return None
    slot_ms = row.slot_ms if catch_up else max(present, row.slot_ms)
    return slot_ms, row.attempt + 1 if slot_ms == row.slot_ms else 1


def _is_from_a_wrong_clock(row: _Row, now_ms: int) -> bool:
    """A row far ahead of us was written before somebody put a clock right; waiting for it could take years."""
    return max(row.slot_ms, row.lease_until_ms or 0) > now_ms + _HOUR_MS


async def _get(connection: AsyncConnection, job: str) -> _Row | None:
    columns = (job_runs.c.slot_ms, job_runs.c.holder, job_runs.c.attempt, job_runs.c.lease_until_ms)
    found = (await connection.execute(select(*columns).where(job_runs.c.job == job))).first()
    return None if found is None else _Row(*found)


async def _take(connection: AsyncConnection, turn: Turn, row: _Row | None, *, lease_until_ms: int) -> bool:
    """Compare-and-set: the row must still be as it was read."""
    values = {"slot_ms": turn.slot_ms, "holder": turn.holder, "attempt": turn.attempt, "lease_until_ms": lease_until_ms}
    if row is None:
        fresh = insert(connection, job_runs).values(job=turn.job, **values).on_conflict_do_nothing()
        return (await connection.execute(fresh.returning(job_runs.c.job))).first() is not None
    unchanged = (
        (job_runs.c.job == turn.job)
        & (job_runs.c.slot_ms == row.slot_ms)
        & (job_runs.c.holder == row.holder)
        & (job_runs.c.attempt == row.attempt)
        & job_runs.c.lease_until_ms.is_not_distinct_from(row.lease_until_ms)
    )
    return (await connection.execute(update(job_runs).where(unchanged).values(**values))).rowcount == 1


async def _set_lease(connection: AsyncConnection, turn: Turn, lease_until_ms: int | None) -> bool:
    mine = (
        (job_runs.c.job == turn.job)
        & (job_runs.c.slot_ms == turn.slot_ms)
        & (job_runs.c.holder == turn.holder)
        & (job_runs.c.attempt == turn.attempt)
        & job_runs.c.lease_until_ms.is_not(None)
    )
    statement = update(job_runs).where(mine).values(lease_until_ms=lease_until_ms)
    return (await connection.execute(statement)).rowcount == 1
