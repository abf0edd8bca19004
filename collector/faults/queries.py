"""Every SQL statement of findings, of courseware arrivals and of reported outages."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.db.dialect import insert
from collector.db.numbers import next_number
from collector.faults.models import arrivals, findings, outages
from collector.faults.rules.base import Category, Severity, Suspicion
from collector.faults.standing import Key, Standing
from collector.intake.models import security_events

_AT_ONCE = 500
_EVIDENCE = 500


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When a station's newest batch of courseware came, and milliseconds between the batches before, oldest first."""

    station_id: int
    last_ms: int
    gaps: tuple[int, ...]


class OutageKind(StrEnum):
    POWER_CUT = "power_cut"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True)
class Outage:
    """A power cut or maintenance somebody has told us of, for one station or for all of an area."""

    outage_id: int
    kind: OutageKind
    station_id: int | None
    area_id: UUID | None
    from_ms: int
    to_ms: int
    every_days: int | None
    note: str
    person_id: int | None


async def list_findings(
    connection: AsyncConnection, district_id: int, *, station_id: int | None = None, open_only: bool = False
) -> dict[Key, Standing]:
    """What stands now, what is still held back included unless `open_only`."""
    each = findings.c
    statement = select(*(each[name] for name in Standing.__slots__)).where(each.district_id == district_id)
    if station_id is not None:
        statement = statement.where(each.station_id == station_id)
    if open_only:
        statement = statement.where(each.open)
    rows = [_standing(row) for row in await connection.execute(statement.order_by(each.since_ms))]
    return {row.key: row for row in rows}


async def put_findings(connection: AsyncConnection, district_id: int, rows: Sequence[Standing]) -> None:
    """Insert or overwrite."""
    for start in range(0, len(rows), _AT_ONCE):
        values = [{"district_id": district_id, **asdict(row)} for row in rows[start : start + _AT_ONCE]]
        statement = insert(connection, findings)
        statement = statement.on_conflict_do_update(
            index_elements=[findings.c.district_id, findings.c.subject, findings.c.rule],
            set_={name: statement.excluded[name] for name in Standing.__slots__ if name not in {"subject", "rule"}},
        )
        await connection.execute(statement, values)


async def end_findings(connection: AsyncConnection, district_id: int, keys: Iterable[Key]) -> None:
    for subject, rule in keys:
        await connection.execute(
            delete(findings).where(
                findings.c.district_id == district_id, findings.c.subject == subject, findings.c.rule == rule
            )
        )


async def list_arrivals(connection: AsyncConnection, district_id: int) -> dict[int, Arrivals]:
    each = arrivals.c
    statement = select(each.station_id, each.last_ms, each.gaps).where(each.district_id == district_id)
    return {row[0]: Arrivals(row[0], row[1], tuple(row[2])) for row in await connection.execute(statement)}


async def put_arrivals(connection: AsyncConnection, district_id: int, rows: Sequence[Arrivals]) -> None:
    """Insert or overwrite."""
    if not rows:
        return
    statement = insert(connection, arrivals)
    statement = statement.on_conflict_do_update(
        index_elements=[arrivals.c.district_id, arrivals.c.station_id],
        set_={"last_ms": statement.excluded.last_ms, "gaps": statement.excluded.gaps},
    )
    await connection.execute(statement, [{"district_id": district_id, **asdict(row)} for row in rows])


async def list_suspicions(connection: AsyncConnection, district_id: int, *, since_ms: int) -> dict[int, Suspicion]:
    """What did not fit since then, by station, among the newest evidence of the district: a flood costs no more."""
    each = security_events.c
    statement = select(each.station_id, each.at_ms, each.kind).where(each.district_id == district_id)
    found: dict[int, Suspicion] = {}
    for station_id, at_ms, kind in await connection.execute(statement.order_by(each.event_id.desc()).limit(_EVIDENCE)):
        if station_id is None or at_ms < since_ms:
            continue
        known = found.get(station_id, Suspicion(0, kind, at_ms))
        found[station_id] = replace(known, count=known.count + 1)
    return found


async def list_outages(connection: AsyncConnection, district_id: int, *, now_ms: int) -> list[Outage]:
    """Those that have begun and are not over for good, one that repeats included between its times."""
    each = outages.c
    statement = (
        select(*(each[name] for name in Outage.__slots__))
        .where(each.district_id == district_id, each.cancelled_ms.is_(None), each.from_ms <= now_ms)
        .where(or_(each.to_ms > now_ms, each.every_days.is_not(None)))
        .order_by(each.outage_id)
    )
    rows = (await connection.execute(statement)).mappings()
    return [Outage(**{**row, "kind": OutageKind(row["kind"])}) for row in rows]


async def add_outage(connection: AsyncConnection, district_id: int, *, now_ms: int, **values: Any) -> int:
    """Keep what was told and return its number in the district."""
    outage_id = await next_number(connection, district_id, "outage")
    statement = insert(connection, outages).values(
        district_id=district_id, outage_id=outage_id, created_ms=now_ms, **values
    )
    await connection.execute(statement)
    return outage_id


async def cancel_outage(connection: AsyncConnection, district_id: int, outage_id: int, *, now_ms: int) -> bool:
    """Whether there was one to cancel."""
    each = outages.c
    mine = (each.district_id == district_id) & (each.outage_id == outage_id) & each.cancelled_ms.is_(None)
    return (await connection.execute(update(outages).where(mine).values(cancelled_ms=now_ms))).rowcount == 1


def _standing(row: Any) -> Standing:
    values = dict(row._mapping)  # noqa: SLF001 - the row's public mapping
    values["category"] = Category(values["category"])
    values["severity"] = Severity(values["severity"])
    return Standing(**values)
