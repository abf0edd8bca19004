"""Every SQL statement of settings documents and commands."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BindParameter, bindparam, func, insert, literal, null, select, type_coerce, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.db import dialect
from collector.directions.models import EVERY_STATION, commands, settings_documents

StationKey = tuple[int, int]
MAX_AT_ONCE = 10


@dataclass(slots=True)
class Waiting:
    """What a station must be told of: the version of its settings (0: none), and commands not answered yet."""

    version: int = 0
    commands: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CommandRow:
    """One command as it stands. `answered_ms` None: the station has not said anything yet."""

    station_id: int
    command_id: str
    verb: str
    arguments: dict[str, Any]
    person_id: int | None
    created_ms: int
    expires_ms: int
    answered_ms: int | None
    outcome: str
    reason: str
    result: dict[str, Any]


async def list_waiting(
    connection: AsyncConnection, wanted: Collection[StationKey], *, now_ms: int
) -> dict[StationKey, Waiting]:
    """What waits for these stations, in one statement; stations for which nothing waits are missing."""
    places = {
        "districts": sorted({district_id for district_id, _ in wanted}),
        "stations": [EVERY_STATION, *sorted({station_id for _, station_id in wanted})],
        "now_ms": now_ms,
    }
    districts: BindParameter[int] = bindparam("districts", expanding=True)
    stations: BindParameter[int] = bindparam("stations", expanding=True)
    settings, each = settings_documents.c, commands.c
    versions = select(
        settings.district_id,
        settings.station_id,
        settings.version,
        literal("").label("command_id"),
        literal("").label("verb"),
        type_coerce(null(), each.arguments.type).label("arguments"),
        literal(0).label("created_ms"),
    ).where(settings.district_id.in_(districts), settings.station_id.in_(stations))
    orders = select(
        each.district_id, each.station_id, literal(0), each.command_id, each.verb, each.arguments, each.created_ms
    ).where(
        each.district_id.in_(districts),
        each.station_id.in_(stations),
        each.answered_ms.is_(None),
        each.expires_ms > bindparam("now_ms"),
    )
    rows = (await connection.execute(union_all(versions, orders), places)).all()
    return _gather(sorted(rows, key=lambda row: row.created_ms), wanted)


def _gather(rows: Collection[Any], wanted: Collection[StationKey]) -> dict[StationKey, Waiting]:
    common = {row.district_id: row.version for row in rows if row.station_id == EVERY_STATION}
    found: dict[StationKey, Waiting] = {
        station: Waiting(common[station[0]]) for station in wanted if common.get(station[0])
    }
    for row in rows:
        station = (row.district_id, row.station_id)
        if station not in wanted:
            continue
        waiting = found.setdefault(station, Waiting())
        waiting.version = max(waiting.version, row.version)
        if row.command_id and len(waiting.commands) < MAX_AT_ONCE:
            waiting.commands.append({"id": row.command_id, "verb": row.verb, "arguments": row.arguments})
    return found


async def put_settings(
    connection: AsyncConnection,
    district_id: int,
    station_id: int,
    *,
    version: int,
    document: Mapping[str, Any],
    person_id: int | None,
    now_ms: int,
) -> None:
    """Put a document in place of the one before. `station_id` EVERY_STATION is for the whole district."""
    values = {"version": version, "document": dict(document), "person_id": person_id, "changed_ms": now_ms}
    statement = dialect.insert(connection, settings_documents)
    statement = statement.values(district_id=district_id, station_id=station_id, **values)
    keys = [settings_documents.c.district_id, settings_documents.c.station_id]
    await connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values))


async def list_settings(
    connection: AsyncConnection, district_id: int, station_id: int
) -> dict[int, tuple[int, dict[str, Any]]]:
    """Version and document of the district (EVERY_STATION) and of the station, as far as there are any."""
    each = settings_documents.c
    statement = select(each.station_id, each.version, each.document).where(
        each.district_id == district_id, each.station_id.in_([EVERY_STATION, station_id])
    )
    return {row.station_id: (row.version, row.document) for row in await connection.execute(statement)}


async def add_command(
    connection: AsyncConnection,
    district_id: int,
    station_id: int,
    *,
    command_id: str,
    verb: str,
    arguments: Mapping[str, Any],
    person_id: int,
    now_ms: int,
    expires_ms: int,
) -> None:
    await connection.execute(
        insert(commands).values(
            district_id=district_id,
            station_id=station_id,
            command_id=command_id,
            verb=verb,
            arguments=dict(arguments),
            person_id=person_id,
            created_ms=now_ms,
            expires_ms=expires_ms,
            result={},
        )
    )


async def count_waiting(connection: AsyncConnection, district_id: int, station_id: int, *, now_ms: int) -> int:
    each = commands.c
    statement = select(func.count()).where(
        each.district_id == district_id,
        each.station_id == station_id,
        each.answered_ms.is_(None),
        each.expires_ms > now_ms,
    )
    return int((await connection.execute(statement)).scalar_one())


async def answer_command(
    connection: AsyncConnection,
    district_id: int,
    station_id: int,
    *,
    command_id: str,
    outcome: str,
    reason: str,
    result: Mapping[str, Any],
    now_ms: int,
) -> bool:
    """Write down what became of a command. False for one that is unknown here or has been answered before."""
    each = commands.c
    statement = (
        update(commands)
        .where(
            each.district_id == district_id,
            each.station_id == station_id,
            each.command_id == command_id,
            each.answered_ms.is_(None),
        )
        .values(answered_ms=now_ms, outcome=outcome, reason=reason[:300], result=dict(result))
    )
    return (await connection.execute(statement)).rowcount == 1


async def list_commands(
    connection: AsyncConnection, district_id: int, station_id: int, *, limit: int = 20
) -> list[CommandRow]:
    """The station's newest commands, newest first."""
    each = commands.c
    columns = (
        each.station_id,
        each.command_id,
        each.verb,
        each.arguments,
        each.person_id,
        each.created_ms,
        each.expires_ms,
        each.answered_ms,
        each.outcome,
        each.reason,
        each.result,
    )
    statement = select(*columns).where(each.district_id == district_id, each.station_id == station_id)
    rows = await connection.execute(statement.order_by(each.created_ms.desc(), each.command_id).limit(limit))
    return [CommandRow(*row) for row in rows]
