"""What directing stations means: who may set and order what, what a station is told, and what came of it.

Every order and every answer is in the audit trail. There is no verb that runs a program.
"""

import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from collector.db.engine import Connection
from collector.db.numbers import next_number
from collector.directions import queries
from collector.directions.models import EVERY_STATION
from collector.directions.queries import StationKey, Waiting
from collector.errors import BadInputError, ConflictError, NotAllowedError
from collector.people import queries as people
from collector.people.access import May, Visitor
from collector.stations.queries import Station, require_station
from shared.wire.directions import (
    ARGUMENTS,
    MAX_COMMANDS,
    MAX_SETTINGS_BYTES,
    Directed,
    SettingsAnswer,
    Verb,
    find_unknown,
)
from shared.wire.kinds import CommandAnswered

VALID_MS = 3600 * 1000
"""An order nobody could take for an hour has lost its sense: the room may be empty by then."""


async def order(
    connection: Connection, visitor: Visitor, station_id: int, verb: str, arguments: Mapping[str, Any], *, now_ms: int
) -> str:
    """Queue a command for a station; returns its id.

    Raises NotAllowedError, NotFoundError, BadInputError, ConflictError when too many wait already.
    """
    if not visitor.may(May.COMMAND_STATIONS):
        raise NotAllowedError
    station = await require_station(connection, visitor.district_id, station_id)
    visitor.require_sight(station_id=station_id, township_id=station.township_id)
    known, told = _check_command(verb, arguments)
    if await queries.count_waiting(connection, visitor.district_id, station_id, now_ms=now_ms) >= MAX_COMMANDS:
        raise ConflictError("这个站点还有许多指令没有执行。请等它执行完，再发新的。")
    whose = (visitor.district_id, station_id)
    return await _queue(connection, whose, known, told, person_id=visitor.person.person_id, now_ms=now_ms)


async def order_unasked(connection: Connection, district_id: int, station_id: int, verb: Verb, *, now_ms: int) -> None:
    """Queue a command without arguments that nobody gave: the centre itself needs its answer."""
    await _queue(connection, (district_id, station_id), verb, {}, person_id=None, now_ms=now_ms)


async def change_settings(
    connection: Connection, visitor: Visitor, station_id: int | None, document: Mapping[str, Any], *, now_ms: int
) -> int:
    """Direct the settings of a station, or of all (None); returns their version. An empty document gives none.

    Raises NotAllowedError, NotFoundError, BadInputError.
    """
    if not visitor.may(May.SET_STATIONS):
        raise NotAllowedError
    station = None if station_id is None else await require_station(connection, visitor.district_id, station_id)
    checked = _check_settings(document)
    version = await next_number(connection, visitor.district_id, "settings")
    await queries.put_settings(
        connection,
        visitor.district_id,
        EVERY_STATION if station_id is None else station_id,
        version=version,
        document=checked,
        person_id=visitor.person.person_id,
        now_ms=now_ms,
    )
    detail = {"version": version, "settings": checked}
    await _record(connection, visitor, "settings.changed", station, detail, now_ms=now_ms)
    return version


async def get_settings(connection: Connection, district_id: int, station_id: int) -> SettingsAnswer:
    """What this station is to set: the district's document, and over it, field by field, the station's own."""
    found = await queries.list_settings(connection, district_id, station_id)
    version, whole = 0, dict[str, Any]()
    for key in (EVERY_STATION, station_id):
        number, document = found.get(key, (0, {}))
        version = max(version, number)
        probes = dict(whole.get("probes", {}))
        for name, fields in document.get("probes", {}).items():
            probes[name] = {**probes.get(name, {}), **fields}
        whole = {**whole, **document, **({"probes": probes} if probes else {})}
    return SettingsAnswer(version=version, settings=whole)


async def list_waiting(
    connection: Connection, stations: Collection[StationKey], *, now_ms: int
) -> dict[StationKey, Waiting]:
    """What the answers to these stations' pushes must name."""
    return await queries.list_waiting(connection, stations, now_ms=now_ms)


async def take_answers(
    connection: Connection, answers: Sequence[tuple[StationKey, CommandAnswered]], *, now_ms: int
) -> None:
    """Close the commands that stations have answered. One that was answered before, or never sent, changes nothing."""
    for (district_id, station_id), answer in answers:
        is_news = await queries.answer_command(
            connection,
            district_id,
            station_id,
            command_id=answer.command,
            outcome=answer.outcome,
            reason=answer.reason,
            result=answer.result,
            now_ms=now_ms,
        )
        if is_news:
            await people.record(
                connection,
                district_id,
                person_id=None,
                action="command.answered",
                object_=f"station/{station_id}",
                now_ms=now_ms,
                detail={"command": answer.command, "outcome": answer.outcome, "reason": answer.reason[:300]},
            )


async def _queue(
    connection: Connection,
    station: StationKey,
    verb: Verb,
    arguments: dict[str, Any],
    *,
    person_id: int | None,
    now_ms: int,
) -> str:
    """Write a command down, with its line in the audit trail; returns its id."""
    command_id = secrets.token_hex(8)
    await queries.add_command(
        connection,
        *station,
        command_id=command_id,
        verb=verb,
        arguments=arguments,
        person_id=person_id,
        now_ms=now_ms,
        expires_ms=now_ms + VALID_MS,
    )
    await people.record(
        connection,
        station[0],
        person_id=person_id,
        action="command.sent",
        object_=f"station/{station[1]}",
        now_ms=now_ms,
        detail={"command": command_id, "verb": str(verb), "arguments": arguments},
    )
    return command_id


def _check_command(verb: str, arguments: Mapping[str, Any]) -> tuple[Verb, dict[str, Any]]:
    try:
        known = Verb(verb)
        return known, ARGUMENTS[known].model_validate(dict(arguments)).model_dump()
    except ValidationError as error:
        raise BadInputError("指令的参数有误：音量应在 0 到 1 之间，其他指令没有参数。") from error
    except ValueError as error:
        raise BadInputError("没有这种指令。请从列表中选择。") from error


def _check_settings(document: Mapping[str, Any]) -> dict[str, Any]:
    try:
        directed = Directed.model_validate(dict(document))
    except ValidationError as error:
        raise BadInputError("设置的格式有误：只能包含探头设置、心跳间隔（60 到 3600 秒）和开放时间。") from error
    if find_unknown(directed):
        raise BadInputError("设置里有站点不允许远程修改的项目。文件位置、程序和密码只能在站点上设置。")
    plain = directed.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    if len(json.dumps(plain).encode()) > MAX_SETTINGS_BYTES:
        raise BadInputError("设置太长了。请删去不需要的项目。")
    return plain


async def _record(
    connection: Connection,
    visitor: Visitor,
    action: str,
    station: Station | None,
    detail: dict[str, Any],
    *,
    now_ms: int,
) -> None:
    await people.record(
        connection,
        visitor.district_id,
        person_id=visitor.person.person_id,
        action=action,
        object_="district" if station is None else f"station/{station.station_id}",
        now_ms=now_ms,
        detail=detail,
    )
