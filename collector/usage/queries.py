"""What pages read of usage: playbacks, sessions, courseware. Writing is in `fold_queries`, stock in `stock_queries`.

`Connection` is the name under which services pass a transaction on, without knowing SQLAlchemy.
"""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Table, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.usage.models import daily, downloads, playbacks, stock, study_sessions, tallies
from collector.usage.records import Playback, SessionState, StudySession

Connection = AsyncConnection


class Common(NamedTuple):
    """Courseware of the common broadcast: its title, when the first station had it, and how many have it."""

    title: str
    first_ms: int
    stations: int


async def list_playbacks(connection: Connection, district_id: int, station_id: int, *, limit: int) -> list[Playback]:
    """Newest first."""
    statement = (
        select(*columns_of(playbacks, Playback))
        .where(playbacks.c.district_id == district_id, playbacks.c.station_id == station_id)
        .order_by(playbacks.c.day.desc(), playbacks.c.begin_ms.desc(), playbacks.c.playback)
        .limit(limit)
    )
    return [Playback(*row) for row in await connection.execute(statement)]


async def list_sessions(connection: Connection, district_id: int, station_id: int, month: int) -> list[StudySession]:
    """Every session of the month in order of time, void and proposed ones too: `state` says which count."""
    statement = (
        select(*columns_of(study_sessions, StudySession))
        .where(
            study_sessions.c.district_id == district_id,
            study_sessions.c.month == month,
            study_sessions.c.station_id == station_id,
        )
        .order_by(study_sessions.c.begin_ms, study_sessions.c.session_id)
    )
    return [session_of(row) for row in await connection.execute(statement)]


async def get_session(
    connection: Connection, district_id: int, station_id: int, session_id: str
) -> StudySession | None:
    statement = select(*columns_of(study_sessions, StudySession)).where(
        study_sessions.c.district_id == district_id,
        study_sessions.c.station_id == station_id,
        study_sessions.c.session_id == session_id,
    )
    row = (await connection.execute(statement)).first()
    return None if row is None else session_of(row)


def columns_of(table: Table, record: type[Any]) -> list[Any]:
    """The columns a record is made of, in its order."""
    return [table.c[name] for name in record.__dataclass_fields__]


def session_of(row: Any) -> StudySession:
    return StudySession(**{**row._mapping, "state": SessionState(row.state)})  # noqa: SLF001 - the row's public mapping


async def list_last_used(connection: Connection, district_id: int, months: Sequence[int]) -> dict[int, int]:
    """The newest day (20260930) of these months on which a station played something or studied, by station."""
    each = daily.c
    used = each.playbacks + each.sessions + each.proposed > 0
    statement = (
        select(each.station_id, func.max(each.day))
        .where(each.district_id == district_id, each.month.in_(months), used)
        .group_by(each.station_id)
    )
    return {row[0]: row[1] for row in await connection.execute(statement)}


async def count_plays(
    connection: Connection, district_id: int, *, months: Sequence[int], since_ms: int
) -> dict[int, tuple[int, int]]:
    """Playbacks begun since then, and how many of them ended by an error, by station. `months` must cover the time."""
    each = playbacks.c
    failed = func.sum(case((each.reason == "error", 1), else_=0))
    statement = (
        select(each.station_id, func.count(), failed)
        .where(each.district_id == district_id, each.month.in_(months), each.begin_ms >= since_ms)
        .group_by(each.station_id)
    )
    return {row[0]: (row[1], int(row[2])) for row in await connection.execute(statement)}


async def count_lost(connection: Connection, district_id: int, months: Sequence[int]) -> dict[int, int]:
    """Facts declared lost in these months, by station; stations that lost nothing are missing."""
    each = tallies.c
    statement = (
        select(each.station_id, func.sum(each.lost))
        .where(each.district_id == district_id, each.month.in_(months), each.lost > 0)
        .group_by(each.station_id)
    )
    return {row[0]: int(row[1]) for row in await connection.execute(statement)}


async def count_receivers(connection: Connection, district_id: int, months: Sequence[int]) -> int:
    """Stations that have received anything in these months."""
    each = downloads.c
    statement = select(func.count(func.distinct(each.station_id))).where(
        each.district_id == district_id, each.month.in_(months)
    )
    return int((await connection.execute(statement)).scalar_one())


async def list_common(
    connection: Connection, district_id: int, months: Sequence[int], *, at_least: int, limit: int
) -> dict[str, Common]:
    """Courseware that so many stations have received in these months, the newest first."""
    each = downloads.c
    first_ms = func.min(each.at_ms)
    statement = (
        select(each.sha256, func.min(each.title), first_ms, func.count(func.distinct(each.station_id)))
        .where(each.district_id == district_id, each.month.in_(months))
        .group_by(each.sha256)
        .having(func.count(func.distinct(each.station_id)) >= at_least)
        .order_by(first_ms.desc())
        .limit(limit)
    )
    return {row[0]: Common(row[1], row[2], row[3]) for row in await connection.execute(statement)}


async def list_complete(
    connection: Connection, district_id: int, months: Sequence[int], wanted: Collection[str]
) -> set[int]:
    """Stations that have received every one of these files in these months."""
    got = downloads.c
    statement = (
        select(got.station_id)
        .where(got.district_id == district_id, got.month.in_(months), got.sha256.in_(wanted))
        .group_by(got.station_id)
        .having(func.count(func.distinct(got.sha256)) == len(wanted))
    )
    return set((await connection.execute(statement)).scalars())


async def list_owned(
    connection: Connection,
    district_id: int,
    months: Sequence[int],
    wanted: Collection[str],
    *,
    stations: Collection[int],
) -> dict[int, set[str]]:
    """Which of these files each of these stations has received in these months, or has on its disk from elsewhere."""
    got, kept = downloads.c, stock.c
    received = select(got.station_id, got.sha256).where(
        got.district_id == district_id,
        got.station_id.in_(stations),
        got.month.in_(months),
        got.sha256.in_(wanted),
    )
    held = select(kept.station_id, kept.sha256).where(
        kept.district_id == district_id,
        kept.station_id.in_(stations),
        kept.sha256.in_(wanted),
        kept.present,
        kept.until_ms.is_(None),
    )
    owned: dict[int, set[str]] = {}
    for statement in (received, held):
        for station_id, sha256 in await connection.execute(statement):
            owned.setdefault(station_id, set()).add(sha256)
    return owned
