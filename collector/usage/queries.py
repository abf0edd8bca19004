"""What pages read of usage: playbacks, study sessions, stock. Writing is in `fold_queries`, months in `report_queries`.

`Connection` is the name under which services pass a transaction on, without knowing SQLAlchemy.
"""

from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.usage.models import playbacks, stock, study_sessions
from collector.usage.records import Playback, SessionState, StockItem, StudySession

Connection = AsyncConnection


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


async def list_stock(connection: Connection, district_id: int, station_id: int, limit: int) -> list[StockItem]:
    """Courseware on the disk now, newest first."""
    statement = (
        select(stock.c.sha256, stock.c.title, stock.c.name, stock.c.at_ms)
        .where(
            stock.c.district_id == district_id,
            stock.c.station_id == station_id,
            stock.c.present,
            stock.c.until_ms.is_(None),
        )
        .order_by(stock.c.at_ms.desc(), stock.c.title)
        .limit(limit)
    )
    return [StockItem(*row) for row in await connection.execute(statement)]


def columns_of(table: Table, record: type[Any]) -> list[Any]:
    """The columns a record is made of, in its order."""
    return [table.c[name] for name in record.__dataclass_fields__]


def session_of(row: Any) -> StudySession:
    return StudySession(**{**row._mapping, "state": SessionState(row.state)})  # noqa: SLF001 - the row's public mapping
