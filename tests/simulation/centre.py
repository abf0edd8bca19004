"""The centre in virtual time: the real door, `store` and writer over plain tables, with deaths and backups."""

import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Literal, cast

from agent.transport import Response
from collector.errors import PushRefusedError
from collector.intake import pledge_queries, queries, routes, service, writer
from collector.intake.service import Received
from collector.seal import Seal
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


class Pause:
    """Lets one who waits for the writer stand still until the group is written."""

    def __await__(self) -> Generator[None, None, None]:
        yield


@dataclass(slots=True)
class Desk:
    """Where the door hands pushes in: they wait here until the writer takes them all."""

    waiting: list[writer._Waiting] = field(default_factory=list)

    async def submit(self, received: Received) -> Answer:
        slot = Slot()
        self.waiting.append(writer._Waiting(received, slot))  # type: ignore[arg-type]
        await Pause()
        if slot.value is None:
            raise CentreDied
        if isinstance(slot.value, PushRefusedError):
            raise slot.value
        return slot.value


class Call:
    """One request at the real door, which runs until the push waits for the writer or is refused."""

    def __init__(self, door: Any, request: Request) -> None:
        self._request = request
        self._sent: list[dict[str, Any]] = []
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in request.headers.items()]
        self._work = door({"method": "POST", "headers": headers}, self._receive, self._send)
        self._is_over = self._run()

    def finish(self) -> Response | None:
        """The response; None when the centre died."""
        try:
            if not self._is_over and not self._run():
                raise CentreBrokenError("a push waits twice")
        except CentreDied:
            return None
        start, content = self._sent
        wait_s = dict(start["headers"]).get(b"retry-after")
        return Response(start["status"], content["body"], None if wait_s is None else float(wait_s))

    def _run(self) -> bool:
        try:
            self._work.send(None)
        except StopIteration:
            return True
        except CentreDied:
            raise
        except Exception as error:
            raise CentreBrokenError(f"{type(error).__name__}: {error}") from error
        return False

    async def _receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": self._request.body}

    async def _send(self, message: dict[str, Any]) -> None:
        self._sent.append(message)


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
    seal: Seal | None = None
    """With it the stations send tags, without it signatures."""
    occurred: Counter[str] = field(default_factory=Counter)
    database: Any = None
    _writer: Any = None
    _desk: Any = None
    _door: Any = None
    _rows: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.database = SimpleNamespace(write=self._write, read=self._read)
        self._start()

    def _start(self) -> None:
        """A new process of the centre: what it held in memory is gone."""
        self._writer = writer.Writer(self)  # type: ignore[arg-type]
        self._desk = Desk()
        self._door = routes.PushDoor(self, self._desk)  # type: ignore[arg-type]

    def answer(self, requests: Sequence[Request], now_ms: int) -> list[Response | None]:
        """Take requests that arrive together. None where the connection broke instead of an answer."""
        self.now_ms = now_ms
        self._rows = []
        calls = [Call(self._door, each) for each in requests]
        waiting, self._desk.waiting = self._desk.waiting, []
        try:
            if waiting:
                drive(self._writer._write(waiting))
        except CentreDied:
            self._start()
        given = [(each.received, cast("Any", each.answer).value) for each in waiting]
        self.stored(self._rows, [(received, value) for received, value in given if isinstance(value, Answer)])
        return [each.finish() for each in calls]

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


def drive(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that never has to wait to its end."""
    try:
        work.send(None)
    except StopIteration as stop:
        return stop.value
    raise RuntimeError("the centre waited for something that the simulation does not simulate")


@contextmanager
def on_plain_tables(entropy: Callable[[int], bytes]) -> Iterator[None]:
    """Let the real intake work on `Tables`, and draw its leases from `entropy`, so that a seed repeats itself."""
    defaults = cast("dict[str, Any]", service.store.__kwdefaults__)
    drawn = defaults["entropy"]
    plain, real_writer = Queries(), cast("Any", writer)
    given = real_writer.direct
    real = {"queries": queries, "pledge_queries": pledge_queries}
    modules = [module for name, module in sorted(sys.modules.items()) if name.startswith("collector.intake.")]
    asking = [(module, name) for module in modules for name in real if vars(module).get(name) is real[name]]
    for module, name in asking:
        setattr(module, name, plain)
    real_writer.direct = give_no_directions
    defaults["entropy"] = entropy
    try:
        yield
    finally:
        for module, name in asking:
            setattr(module, name, real[name])
        real_writer.direct = given
        defaults["entropy"] = drawn


async def give_no_directions(connection: Any, pushes: Any, results: Any, *, now_ms: int) -> Any:
    """Settings and commands are not simulated: the answers go out as `store` gives them."""
    del connection, pushes, now_ms
    return results
