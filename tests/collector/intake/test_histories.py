"""Any history of pushes on the real intake and both databases, held against a model: a Hypothesis state machine."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import func, select

from collector.db.engine import Connection, Database
from collector.errors import PushRefusedError
from collector.intake import admission
from collector.intake.models import events, security_events, streams
from collector.intake.service import Received, store
from collector.intake.unpacking import Push
from collector.stations import queries as stations
from collector.stations import service as station_service
from collector.storage.service import drop_old_events, make_months
from shared.months import BEIJING
from shared.wire.v1 import Answer, Envelope
from tests.collector.intake.histories import Log, Pc
from tests.collector.intake.pushes import envelope, event
from tests.collector.usage.events import fold
from tests.districts import LIZHOU, NOW_MS, plant_district

PERIOD_MS = 300_000
TWO_YEARS_MS = 2 * 366 * 86_400_000
VILLAGES = 60
Result = Answer | PushRefusedError
PLACE = st.floats(0, 1)
"""Somewhere in what there is to choose from."""
KINDS = st.sampled_from(("note", "later.kind", "playback.ended", "junk"))
"""A fact, a kind of a later version, a known kind without its fields, and what is no JSON."""


class Rollback(Exception):  # noqa: N818 - an event, not an error
    """The centre's process ends in the middle of a transaction."""


class Histories(RuleBasedStateMachine):
    """One station and whatever a bad link makes of it, at a centre that is restarted, killed and loses its past."""

    def __init__(self, url: str, run: Callable[[Any], Any], numbers: "count[int]") -> None:
        super().__init__()
        self.url, self.run = url, run
        self.database = Database(url)
        number = next(numbers)
        self.who = (LIZHOU, number % VILLAGES + 1)
        self.stream = f"{number:032x}"
        self.pc, self.log = Pc(f"{number:032x}"), Log()
        self.sent: list[Received] = []
        self.conflicts = 0
        self.now_ms = NOW_MS
        self.serial = count(number << 20)
        self.enrol()

    def teardown(self) -> None:
        self.run(self.database.close())

    # --- the station

    @rule(kinds=st.lists(KINDS, min_size=1, max_size=5))
    def record(self, kinds: list[str]) -> None:
        for kind in kinds:
            number = next(self.serial)
            self.pc.record(lambda seq: b"junk" if kind == "junk" else event(seq, kind, n=number))  # noqa: B023 - at once

    @precondition(lambda self: self.pc.lines)
    @rule(place=PLACE, length=st.integers(1, 4))
    def evict(self, place: float, length: int) -> None:
        self.pc.evict(choose(place, self.pc.lines), length)

    @rule(hears=st.booleans(), length=st.integers(0, 8))
    def push(self, hears: bool, length: int) -> None:
        """The next lines; the answer may be lost."""
        (answer,) = self.take([self.next_push(length)])
        if hears and answer.lease:
            self.pc.lease = answer.lease

    @precondition(lambda self: self.pc.lines)
    @rule(place=PLACE, length=st.integers(1, 6))
    def push_from_anywhere(self, place: float, length: int) -> None:
        """Lines from far back, or from behind a hole: repeated, or not taken."""
        self.take([self.send(self.pc, choose(place, self.pc.lines), length)])

    @precondition(lambda self: self.sent)
    @rule(places=st.lists(PLACE, min_size=1, max_size=4))
    def send_again(self, places: list[float]) -> None:
        """What was sent once comes again, in another order and several in one group."""
        self.take([self.sent[choose(each, self.sent)] for each in places])

    @rule()
    def restart(self) -> None:
        self.pc.boot, self.pc.mono = f"b{next(self.serial)}", 0

    # --- others

    @precondition(lambda self: self.log.facts)
    @rule(place=PLACE)
    def rewrite(self, place: float) -> None:
        """Another line under a number that is stored: refused, kept as evidence, stored over nothing."""
        seq = self.log.facts[choose(place, self.log.facts)]
        forged = self.make(self.pc, seq, bytes(32), (event(seq, "note", forged=True),))
        assert problem(self.arrive([forged])[0]) == "stream-conflict"
        self.conflicts += 1

    @rule()
    def copy_the_disk(self) -> None:
        """Two computers go on from one disk: when both have pushed twice they are held, until a person decides."""
        twin, problems = self.pc.copy(f"c{next(self.serial)}"), []
        for pc in (self.pc, twin, self.pc, twin):
            (result,) = self.arrive([self.heartbeat(pc)])
            problems.append(problem(result))
            pc.lease = result.lease if isinstance(result, Answer) and result.lease else pc.lease
        assert problems == ["", "", "", "held"]
        assert problem(self.arrive([self.next_push(3)])[0]) == "held"
        self.write(lambda connection: station_service.release(connection, *self.who, now_ms=self.now_ms))

    @rule()
    def revoke(self) -> None:
        """A revoked key opens nothing from the next push on; a new one does."""
        self.write(lambda connection: stations.revoke_key(connection, *self.who, now_ms=self.now_ms))
        assert problem(self.arrive([self.next_push(5)])[0]) == "key-revoked"
        self.enrol()

    # --- the centre

    @rule()
    def restart_the_centre(self) -> None:
        self.run(self.database.close())
        self.database = Database(self.url)

    @rule(length=st.integers(1, 5))
    def die_before_the_commit(self, length: int) -> None:
        push = self.next_push(length)

        async def die(connection: Connection) -> None:
            await store(connection, [push], now_ms=self.now_ms)
            raise Rollback

        with pytest.raises(Rollback):
            self.write(die)

    @rule()
    def drop_the_past(self) -> None:
        """The retention drops old events; their numbers stay taken."""

        async def drop() -> None:
            await make_months(self.database, keep_months=13, now_ms=self.now_ms, zone=BEIJING)
            await fold(self.database, now_ms=self.now_ms)
            later_ms = self.now_ms + TWO_YEARS_MS
            await drop_old_events(self.database, keep_months=13, now_ms=later_ms, zone=BEIJING)

        self.run(drop())
        self.log.forget()

    # --- the promises

    @invariant()
    def every_line_is_stored_once_and_no_other(self) -> None:
        assert self.run(self._read_rows()) == self.log.rows

    @invariant()
    def the_stream_stands_where_its_lines_end(self) -> None:
        stored, head, evidence = self.run(self._read_place())
        ends = {each.upto: each.head.hex() for each in self.pc.lines}
        assert (stored, evidence) == (self.log.stored, self.conflicts)
        assert head == ends.get(stored, head)

    # --- how it is done

    def enrol(self) -> None:
        self.key_id = f"{next(self.serial):016x}"
        self.write(
            lambda connection: stations.add_key(
                connection, *self.who, key_id=self.key_id, public_key=bytes(32), now_ms=self.now_ms
            )
        )
        self.sent = []

    def next_push(self, length: int) -> Received:
        place = sum(each.upto <= self.log.stored for each in self.pc.lines)
        return self.send(self.pc, place, length)

    def send(self, pc: Pc, place: int, length: int) -> Received:
        """The lines of a computer from this place on."""
        lines = tuple(each.line for each in pc.lines[place : place + length])
        first = pc.lines[place].seq if place < len(pc.lines) else self.log.stored + 1
        self.sent.append(self.make(pc, first, pc.head_before(place), lines))
        return self.sent[-1]

    def heartbeat(self, pc: Pc) -> Received:
        return self.make(pc, self.log.stored + 1, bytes(32), ())

    def make(self, pc: Pc, first: int, head: bytes, lines: tuple[bytes, ...]) -> Received:
        pc.mono += PERIOD_MS
        says = {"stream": self.stream, "heartbeat": {"boot": pc.boot, "mono": pc.mono}, "lease": pc.lease}
        text = envelope(f"{self.who[0]}/{self.who[1]}", first=first, head=head, **says)
        return Received(self.who, self.key_id, Push(Envelope.model_validate_json(text), lines), self.now_ms)

    def take(self, group: Sequence[Received]) -> list[Answer]:
        """Let honest pushes arrive: all are taken, and the answer is how far the centre has the stream."""
        for each in group:
            self.log.take(each.push.envelope.first, each.push.lines)
        results = self.arrive(group)
        answers = [each for each in results if isinstance(each, Answer)]
        assert [problem(each) for each in results] == [""] * len(group)
        assert answers[-1].stored == self.log.stored
        return answers

    def arrive(self, group: Sequence[Received]) -> list[Result]:
        self.now_ms += PERIOD_MS
        found: list[Result] = self.write(lambda connection: store(connection, group, now_ms=self.now_ms))
        return found

    def write(self, work: Callable[[Connection], Awaitable[Any]]) -> Any:
        async def commit() -> Any:
            async with self.database.write() as connection:
                return await work(connection)

        return self.run(commit())

    async def _read_rows(self) -> dict[int, bytes]:
        async with self.database.read() as connection:
            rows = await connection.execute(select(events.c.seq, events.c.line).where(events.c.stream == self.stream))
            return {row.seq: bytes(row.line) for row in rows}

    async def _read_place(self) -> tuple[int, str, int]:
        each, told = streams.c, security_events.c
        mine = (told.kind == "stream-conflict", told.detail.contains(self.stream))
        async with self.database.read() as connection:
            row = (await connection.execute(select(each.stored, each.head).where(each.stream == self.stream))).first()
            evidence = (await connection.execute(select(func.count()).where(*mine))).scalar_one()
            return (0, "", evidence) if row is None else (row.stored, row.head, evidence)


def problem(result: Result) -> str:
    return result.problem if isinstance(result, PushRefusedError) else ""


def choose(place: float, among: Sequence[Any]) -> int:
    return min(int(place * len(among)), len(among) - 1)


def live_through(url: str, *, phases: Collection[Phase] = tuple(Phase)) -> None:
    """Draw histories until one breaks a promise."""
    with asyncio.Runner() as runner:

        async def plant() -> None:
            database = Database(url)
            await plant_district(database, {"宝轮镇": [f"第{number}村" for number in range(VILLAGES)]})
            await database.close()

        runner.run(plant())
        numbers = count()
        run_state_machine_as_test(
            lambda: Histories(url, runner.run, numbers),  # type: ignore[arg-type]
            settings=settings(
                max_examples=20,
                stateful_step_count=30,
                phases=phases,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )


def test_whatever_arrives_is_stored_once_in_order_or_refused(database_url: str) -> None:
    live_through(database_url)


def test_lines_stored_over_others_would_be_found(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that this machine is known to find something."""
    monkeypatch.setattr(admission.Told, "differs", lambda _told, _stored: False)
    with pytest.raises(AssertionError):
        live_through(sqlite_url, phases=[Phase.generate])
