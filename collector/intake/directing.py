"""Between the pushes and what stations are directed to do: takes their answers in, names in each answer what waits.

One statement for a whole group of pushes, and one more for each command that was answered.
"""

from collections.abc import Sequence

from pydantic import ValidationError

from collector.db.engine import Connection
from collector.directions import service as directions
from collector.directions.queries import StationKey, Waiting
from collector.errors import PushRefusedError
from collector.intake.service import Received
from shared.wire.kinds import CommandAnswered
from shared.wire.v1 import Answer, read_event

_MARK = b'"command.answered"'


async def direct(
    connection: Connection, group: Sequence[Received], results: Sequence[Answer | PushRefusedError], *, now_ms: int
) -> list[Answer | PushRefusedError]:
    """The results, each answer with the settings' version and the commands that wait for its station."""
    taken = [received for received, result in zip(group, results, strict=True) if isinstance(result, Answer)]
    lines = [(each.station, line) for each in taken for line in each.push.lines if _MARK in line]
    answered = [(station, told) for station, line in lines if (told := _read_answer(line))]
    if answered:
        await directions.take_answers(connection, answered, now_ms=now_ms)
    waiting = await directions.list_waiting(connection, {each.station for each in taken}, now_ms=now_ms)
    if not waiting:
        return list(results)
    return [
        _name(result, received.station, waiting) if isinstance(result, Answer) else result
        for received, result in zip(group, results, strict=True)
    ]


def _name(answer: Answer, station: StationKey, waiting: dict[StationKey, Waiting]) -> Answer:
    mine = waiting.get(station)
    if mine is None:
        return answer
    told = {"settings_version": mine.version} if mine.version else {}
    return answer.model_copy(update=told | ({"commands": mine.commands} if mine.commands else {}))


def _read_answer(line: bytes) -> CommandAnswered | None:
    """The answer to a command in this line. One that cannot be read is quarantined like any other, and closes none."""
    try:
        event = read_event(line)
        return CommandAnswered.model_validate(event.data) if event.kind == "command.answered" else None
    except ValidationError:
        return None
