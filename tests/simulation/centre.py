"""The centre in virtual time: the real unpacking, `store` and writer over plain tables, with deaths and backups."""

import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Literal, cast

from agent.transport import Response
from collector.errors import PushRefusedError
from collector.intake import service, writer
from collector.intake.service import Received
from collector.intake.unpacking import unpack
from collector.settings import Settings
from shared import signing as real
from shared.wire.v1 import MAX_PACKED_BYTES, PATH, Answer
from tests.simulation import signing
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
    trouble: Literal["", "die before", "die after", "disk full"] = ""
    rival: Callable[[], None] | None = None
    settings: Settings = SETTINGS
    database: Any = None
    _writer: Any = None
    _rows: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.database = SimpleNamespace(write=self._write)
        self._writer = writer.Writer(self)  # type: ignore[arg-type]

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
            self._writer = writer.Writer(self)  # type: ignore[arg-type]
        given = [(each, slot.value) for each, slot in zip(group, slots, strict=True) if isinstance(slot.value, Answer)]
        self.stored(self._rows, given)
        answers = iter([respond(slot.value) for slot in slots])
        return [next(answers) if isinstance(each, Received) else each for each in results]

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
        if trouble == "disk full":
            raise OSError("database or disk is full")
        if trouble == "die before":
            raise CentreDied
        transaction.commit()
        self._rows += transaction.rows
        if trouble == "die after":
            raise CentreDied

    def _check(self, request: Request) -> Response | Received:
        """As `PushDoor` does: the signature first, then the form."""
        try:
            if len(request.body) > MAX_PACKED_BYTES:
                raise PushRefusedError(413, "too-large", "too large")
            claim = real.read_claim(request.headers.get("Authorization"))
            district_id, station_id = map(int, claim.station.split("/"))
            known = self.tables.keys.get((district_id, station_id), {}).get(claim.key_id)
            if known is None:
                raise PushRefusedError(401, "unknown-key", "unknown key")
            signing.verify(claim, known[0], method="POST", path=PATH, body=request.body)
            push = unpack(request.body)
            if push.envelope.station != claim.station:
                raise PushRefusedError(403, "wrong-station", "another station")
            return Received(district_id, station_id, claim.key_id, push, self.now_ms)
        except real.BadSignature:
            return refuse(PushRefusedError(401, "bad-signature", "bad signature"))
        except PushRefusedError as error:
            return refuse(error)


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
    """Let the real `store` work on `Tables`."""
    real_service, real_writer = cast("Any", service), cast("Any", writer)
    kept = (real_service.queries, real_writer.direct)
    real_service.queries, real_writer.direct = Queries(), give_no_directions
    try:
        yield
    finally:
        real_service.queries, real_writer.direct = kept


async def give_no_directions(connection: Any, pushes: Any, results: Any, *, now_ms: int) -> Any:
    """Settings and commands are not simulated: the answers go out as `store` gives them."""
    del connection, pushes, now_ms
    return results
