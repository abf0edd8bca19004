"""The centre in virtual time: the real door, `store` and writer over plain tables, with deaths and backups."""

import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Literal, cast

from agent.transport import Response
from collector.errors import PushRefusedError
from collector.intake import queries, routes, writer
from collector.intake.service import Received
from collector.settings import Settings
from shared.wire.v1 import Answer
from tests.simulation.tables import BrokenRuleError, Queries, Tables, Transaction

SETTINGS = Settings(database="sqlite+aiosqlite:///:memory:")


class CentreBrokenError(BaseException):
    """The centre's code raised what no real database would have made it raise."""


class CentreDied(BaseException):
    """The centre's process ended; whoever waits for an answer gets none."""


@dataclass(frozen=True, slots=True)
class Request:
    """A push as it lies on the wire."""

    body: bytes
    headers: Mapping[str, str]


@dataclass(slots=True)
class Slot:
    """Where the writer puts its result, in place of an asyncio future."""

    value: Answer | PushRefusedError | None = None

    def done(self) -> bool:
        return self.value is not None

    def set_result(self, value: Answer | PushRefusedError) -> None:
        self.value = value


Stored = Callable[[Sequence[dict[str, Any]], Sequence[tuple[Received, Answer]]], None]


@dataclass(slots=True)
class Centre:
    """`stored` is told of every commit and of every answer given. `trouble` strikes at the next commit."""

    stored: Stored
    now_ms: int = 0
    tables: Tables = field(default_factory=Tables)
    trouble: Literal["", "collector_dies_before_commit", "collector_dies_after_commit", "collector_disk_full"] = ""
    rival: Callable[[], None] | None = None
    settings: Settings = SETTINGS
    seal: None = None
    occurred: Counter[str] = field(default_factory=Counter)
    database: Any = None
    _writer: Any = None
    _door: Any = None
    _rows: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.database = SimpleNamespace(write=self._write, read=self._read)
        self._start()

    def _start(self) -> None:
        """A new process of the centre: what it held in memory is gone."""
        self._writer = writer.Writer(self)  # type: ignore[arg-type]
        self._door = routes.PushDoor(self, self._writer)  # type: ignore[arg-type]

    def answer(self, requests: Sequence[Request], now_ms: int) -> list[Response | None]:
        """Take requests that arrive together. None where the connection broke instead of an answer."""
        self.now_ms = now_ms
        results: list[Response | Received | None] = [self._check(each) for each in requests]
        group = [each for each in results if isinstance(each, Received)]
        slots = [Slot() for _ in group]
        self._rows = []
        try:
            waiting = [writer._Waiting(each, slot) for each, slot in zip(group, slots, strict=True)]  # type: ignore[arg-type]
            if waiting:
                drive(self._writer._write(waiting))
        except CentreDied:
            self._start()
        given = [(each, slot.value) for each, slot in zip(group, slots, strict=True) if isinstance(slot.value, Answer)]
        self.stored(self._rows, given)
        answers = iter([respond(slot.value) for slot in slots])
        return [next(answers) if isinstance(each, Received) else each for each in results]

    @asynccontextmanager
    async def _read(self) -> AsyncIterator[Transaction]:
        yield Transaction(self.tables)

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[Transaction]:
        transaction = Transaction(self.tables, self.rival)
        self.rival = None
        try:
            yield transaction
        except BrokenRuleError:
            raise
        except Exception as error:
            raise CentreBrokenError(f"{type(error).__name__}: {error}") from error
        trouble, self.trouble = self.trouble, ""
        if trouble:
            self.occurred[trouble] += 1
        if trouble == "collector_disk_full":
            raise OSError("database or disk is full")
        if trouble == "collector_dies_before_commit":
            raise CentreDied
        transaction.commit()
        self._rows += transaction.rows
        if trouble == "collector_dies_after_commit":
            raise CentreDied

    def _check(self, request: Request) -> Response | Received:
        """What the door makes of a request before the writer has it."""
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in request.headers.items()]

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": request.body}

        try:
            _, received = drive(self._door._check({"method": "POST", "headers": headers}, receive))
        except PushRefusedError as error:
            return refuse(error)
        except Exception as error:
            raise CentreBrokenError(f"{type(error).__name__}: {error}") from error
        return cast("Received", received)


def respond(result: Answer | PushRefusedError | None) -> Any:
    """The response to a result; None for none."""
    if isinstance(result, PushRefusedError):
        return refuse(result)
    return None if result is None else Response(200, result.model_dump_json().encode())


def refuse(error: PushRefusedError) -> Response:
    body = json.dumps({"type": f"/problems/{error.problem}"}).encode()
    return Response(error.status, body, error.retry_after_s)


def drive(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that never has to wait to its end."""
    try:
        work.send(None)
    except StopIteration as stop:
        return stop.value
    raise RuntimeError("the centre waited for something that the simulation does not simulate")


@contextmanager
def on_plain_tables() -> Iterator[None]:
    """Let the real intake work on `Tables`."""
    plain, real_writer = Queries(), cast("Any", writer)
    given = real_writer.direct
    modules = [module for name, module in sorted(sys.modules.items()) if name.startswith("collector.intake.")]
    asking = [cast("Any", module) for module in modules if vars(module).get("queries") is queries]
    for module in asking:
        module.queries = plain
    real_writer.direct = give_no_directions
    try:
        yield
    finally:
        for module in asking:
            module.queries = queries
        real_writer.direct = given


async def give_no_directions(connection: Any, pushes: Any, results: Any, *, now_ms: int) -> Any:
    """Settings and commands are not simulated: the answers go out as `store` gives them."""
    del connection, pushes, now_ms
    return results
