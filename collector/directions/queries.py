"""Every SQL statement of settings documents and commands."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Text, cast, func, insert, literal_column, select, union_all, update
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
    """What waits for these stations; stations for which nothing waits are missing."""
    places = {*wanted, *((district_id, EVERY_STATION) for district_id, _ in wanted)}
    rows = await _WAITING.run(connection, places)
    versions = {(row[0], row[1]): row[2] for row in rows if not row[3]}
    orders = sorted((row for row in rows if row[3] and row[6] > now_ms), key=itemgetter(7, 3))
    return _gather(versions, orders, wanted)


def _gather(
    versions: Mapping[StationKey, int], orders: Collection[Any], wanted: Collection[StationKey]
) -> dict[StationKey, Waiting]:
    found: dict[StationKey, Waiting] = {}
    for station in wanted if versions else ():
        version = max(versions.get(station, 0), versions.get((station[0], EVERY_STATION), 0))
        if version:
            found[station] = Waiting(version)
    for district_id, station_id, _, command_id, verb, arguments, *_ in orders:
        waiting = found.setdefault((district_id, station_id), Waiting())
        if len(waiting.commands) < MAX_AT_ONCE:
            waiting.commands.append({"id": command_id, "verb": verb, "arguments": json.loads(arguments)})
    return found


def _select_waiting(wanted: dialect.Wanted) -> Any:
    """Versions of settings and unanswered commands, in one statement because every push asks."""
    settings, each = settings_documents.c, commands.c
    nothing: ColumnElement[Any] = literal_column("''")
    never: ColumnElement[Any] = literal_column("0")
    versions = select(
        settings.district_id, settings.station_id, settings.version, nothing, nothing, nothing, never, never
    ).where(settings.district_id == wanted["district_id"], settings.station_id == wanted["station_id"])
    order = (each.command_id, each.verb, cast(each.arguments, Text), each.expires_ms, each.created_ms)
    orders = select(each.district_id, each.station_id, never, *order).where(
        each.district_id == wanted["district_id"],
        each.station_id == wanted["station_id"],
        each.answered_ms.is_(None),
    )
    return union_all(versions, orders)


_WAITING = dialect.Find([commands.c.district_id, commands.c.station_id], _select_waiting)


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
    person_id: int | None,
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


async def list_ordered(connection: AsyncConnection, district_id: int, verb: str, *, since_ms: int) -> set[int]:
    """Stations that were given this verb since then."""
    each = commands.c
    statement = select(each.station_id).where(
        each.district_id == district_id, each.verb == verb, each.created_ms > since_ms
    )
    return set((await connection.execute(statement)).scalars())


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
