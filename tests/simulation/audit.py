"""The invariants. Written from what the product promises, not from how it keeps it.

Every committed row and every answer is checked as it comes; every promise still open is checked after each day.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from collector.intake.service import Received
from shared.months import month_of
from shared.signing import key_id
from shared.wire.v1 import Answer
from tests.simulation.ledger import Entry
from tests.simulation.life import DAY_MS
from tests.simulation.machine import RETENTION_DAYS, Machine
from tests.simulation.promises import require
from tests.simulation.tables import Tables, stream_of

BOOKED_WITHIN_MS = 15 * 60_000
MOST_TURNS = 6
HELD_UP_MS = 30 * 60_000
MANY_DAYS = 3


@dataclass(slots=True)
class StreamBook:
    """One stream at the centre: how far its rows reach, what stands where, what is declared missing."""

    upto: int = 0
    names: dict[int, str] = field(default_factory=dict)
    gaps: list[tuple[int, int, dict[str, int], int]] = field(default_factory=list)

    def gap_at(self, seq: int) -> tuple[int, int, dict[str, int], int] | None:
        return next((gap for gap in self.gaps if gap[0] <= seq <= gap[1]), None)


@dataclass(slots=True)
class Audit:
    """The auditor sees every machine's ledger and every row of the centre. It never tells either."""

    tables: Tables
    machines: list[Machine] = field(default_factory=list)
    truths: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    poisoned: set[str] = field(default_factory=set)
    disturbed: set[str] = field(default_factory=set)
    """Stations whose streams may be disputed: a clone, an old disk image or an impostor with their key is about."""
    cloned: set[str] = field(default_factory=set)
    books: dict[str, StreamBook] = field(default_factory=dict)
    places: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    tails: dict[str, int] = field(default_factory=dict)
    heard: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    """Of the newest heartbeat that the centre has committed: when it was made in true time, its boot, its lease."""
    anchored: dict[str, set[str]] = field(default_factory=dict)
    """Boots of each station from which the centre has heard."""
    holders: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    """Of cloned stations, since the last enrolment: whose turn it was, and how many answers that machine had heard."""
    rows: int = 0
    restores: int = 0

    def machines_of(self, station: str) -> list[Machine]:
        return [each for each in self.machines if each.station == station]

    def commit(self, rows: Sequence[dict[str, Any]], answers: Sequence[tuple[Received, Answer]]) -> None:
        """Rows just committed, answers just given."""
        for row in rows:
            self._row(row)
        for received, answer in answers:
            committed = self.tables.streams.get(received.stream)
            stored = 0 if committed is None else committed.stored
            detail = f"{received.push.envelope.station} was told {answer.stored}, committed are {stored}"
            require(answer.stored <= stored, "ack after commit only", detail)
            self._state(received)

    def restored(self, tables: Tables) -> None:
        """The centre is back at an old backup: read its books anew, and reopen every promise it no longer holds."""
        self.tables = tables
        self.restores += 1
        self.holders = {}
        self.books, self.places, self.tails, self.heard, self.anchored = {}, {}, {}, {}, {}
        for key in sorted(tables.events, key=lambda each: (each[2], each[3])):
            self._row(tables.events[key])
        for machine in self.machines:
            ledger = machine.ledger
            ledger.pending = [each for each in ledger.entries if each.fate not in ("gone", "tail")]

    def _row(self, row: dict[str, Any]) -> None:
        self.rows += 1
        station, stream = f"{row['district_id']}/{row['station_id']}", stream_of(row)[2]
        book = self.books.setdefault(stream, StreamBook())
        require(row["seq"] == book.upto + 1, "numbered without holes", f"{stream[:6]} {book.upto} then {row['seq']}")
        event = read(row["line"])
        upto = int(event["data"]["last"]) if event.get("kind") == "spool.gap" and not row["refused"] else row["seq"]
        book.upto = upto
        name = event.get("data", {}).get("id")
        if event.get("kind") == "stream.opened" and event["data"]["previous"]:
            told = event["data"]["previous"]
            self.tails[told] = max(self.tails.get(told, 0), event["data"]["previous_last"])
        if event.get("kind") == "spool.gap":
            self._gap(station, stream, event, upto)
            book.gaps.append((row["seq"], upto, event["data"]["counts"], row["received_ms"]))
        if name is not None:
            book.names[row["seq"]] = name
            self._event(station, stream, row, name)

    def _gap(self, station: str, stream: str, event: Mapping[str, Any], upto: int) -> None:
        """A gap stands for lines that were written, and counts every one of them."""
        where = f"{station} {stream[:6]}/{event['seq']} to {upto}"
        told = sum(event["data"]["counts"].values())
        require(told == upto - event["seq"] + 1, "a gap counts what it stands for", f"{where}: {told}")
        written = max(each.ledger.written.get(stream, 1) for each in self.machines_of(station))
        require(upto <= written, "no gap wider than what was lost", f"{where}, written are {written}")

    def _event(self, station: str, stream: str, row: dict[str, Any], name: str) -> None:
        where = f"{station} {name} at {stream[:6]}/{row['seq']}"
        require(name in self.truths and name.startswith(f"{station}:"), "nothing forged", where)
        mine = self.machines_of(station)
        known = any((stream, row["seq"], name) in each.ledger.promised for each in mine)
        if not known:  # its recording never returned: killed, or reported as failed, with the bytes on the disk
            taken = any(each.ledger.recorded.get(name, 0) for each in mine)
            require(not taken or self._may_repeat(mine), "nothing stored that was not recorded", where)
        places = self.places.setdefault(name, [])
        places.append((stream, row["seq"]))
        require(len(places) == 1 or self._may_repeat(mine), "0 doubled", f"{where}, also {places[:-1]}")
        is_poison = name in self.poisoned
        require(
            (row["refused"] is not None) == is_poison, "poison set aside, nothing else", f"{where} {row['refused']}"
        )
        if row["uncertain"]:
            self._doubt(row, station, self.truths[name], where)
        else:
            self._booking(row, self.truths[name], where)

    def _doubt(self, row: dict[str, Any], station: str, true_ms: int, where: str) -> None:
        """Times are only flagged where the centre has nothing to go by, or beside the turn of a month."""
        known = read(row["line"])["boot"] in self.anchored.get(station, ()) and station not in self.disturbed
        near = (
            month_of(true_ms + HELD_UP_MS) != month_of(true_ms - HELD_UP_MS)
            or row["received_ms"] - true_ms < HELD_UP_MS
        )
        require(not known or near, "no needless doubt", f"{where} is flagged although its boot has spoken")

    def _booking(self, row: dict[str, Any], true_ms: int, where: str) -> None:
        off = row["booked_ms"] - true_ms
        require(abs(off) <= BOOKED_WITHIN_MS, "booked when it happened", f"{where} is {off / 1000:.0f} s off")
        months = (row["booked_month"], month_of(true_ms))
        require(months[0] == months[1], "0 unflagged misbooked", f"{where} booked in {months[0]}, was {months[1]}")

    def _state(self, received: Received) -> None:
        """The station's state is the newest that has come, whatever came after it."""
        heartbeat = received.push.envelope.heartbeat
        station = received.push.envelope.station
        self.anchored.setdefault(station, set()).add(heartbeat.boot)
        boots = {boot: ms for each in self.machines_of(station) for boot, ms in each.boots.items()}
        fresh = (boots[heartbeat.boot] + heartbeat.mono, heartbeat.boot, received.push.envelope.lease)
        newest = self.heard[station] = max(self.heard.get(station, fresh), fresh)
        state = self.tables.states[received.station]
        shown = boots[state["boot"]] + state["mono_ms"]
        if station in self.cloned:
            self._holder(station, heartbeat.boot)
        elif station not in self.disturbed:
            off = (newest[0] - shown) / 1000
            # Of two boots that came in the wrong order, and had no answer between them, the next push tells the newer.
            untold = state["boot"] != newest[1] and state["lease_before"].hex() == newest[2]
            detail = f"{station} shows a state {off:.0f} s older than the newest heard"
            require(off <= 0 or untold, "newest state wins", detail)

    def _holder(self, station: str, boot: str) -> None:
        """Two machines that both go on under one name are found by the lease.

        One that hears no answer is not told from letters that come late, so however many come they are one turn.
        """
        machine = next(each for each in self.machines_of(station) if boot in each.boots)
        turn = (machine.life.who, len(machine.link.answered))
        turns = self.holders.setdefault(station, [])
        if turn not in turns and (not turns or turns[-1][0] != turn[0]):
            turns.append(turn)
        require(len(turns) <= MOST_TURNS, "a clone is found", f"{station}: {len(turns)} turns of two machines taken")

    def _may_repeat(self, machines: Sequence[Machine]) -> bool:
        """What a sensor remembered may be lost with a spoilt disk, so that it tells something again."""
        return any(each.ledger.spoilt for each in machines)

    def day(self) -> None:
        """Every promise that is still open: where is it?"""
        for machine in self.machines:
            if machine.spool is not None:
                self._promises(machine)
                self._conservation(machine, {stream: book.names for stream, book in self.books.items()})

    def end(self) -> None:
        """After quiet days nothing may be open any more; and the sums are counted anew from the tables."""
        names: dict[str, dict[int, str]] = {}
        for key, row in self.tables.events.items():
            name = read(row["line"]).get("data", {}).get("id")
            if name is not None:
                names.setdefault(key[2], {})[key[3]] = name
        for station, kind in self.tables.evidence:
            known = station in self.disturbed or kind == "lease-ahead"
            require(known, "nobody suspected without a cause", f"{station}: {kind}")
        for machine in self.machines:
            require(machine.spool is not None, "agents run", f"{machine.station} is down after quiet days")
            self._promises(machine)
            self._forgotten(machine)
            if not self._is_valid(machine):
                continue  # a copy of the disk whose key was replaced: cut off, as it should be
            waiting = [each for each in machine.ledger.pending if each.fate == "waiting"]
            require(not waiting, "0 lost", f"{machine.station}: {len(waiting)} not delivered, first {waiting[:1]}")
            self._conservation(machine, names)

    def _forgotten(self, machine: Machine) -> None:
        """What the centre has had for the retention, and has confirmed time and again, is no longer kept here."""
        if machine.ledger.spoilt or machine.station in self.disturbed:
            return
        shelf = read_spool(machine)
        until_ms = machine.link.network.now_ms - (RETENTION_DAYS + 2) * DAY_MS
        for entry in machine.ledger.entries:
            told = {ms // DAY_MS for ms in machine.link.answered if entry.seen_ms < ms < until_ms}
            if entry.fate == "stored" and len(told) >= MANY_DAYS:
                where = f"{machine.station} {entry.name}"
                require(not shelf.keeps(*entry.place, entry.name), "forgotten after the retention", where)

    def _is_valid(self, machine: Machine) -> bool:
        district_id, station_id = map(int, machine.station.split("/"))
        keys = self.tables.keys[(district_id, station_id)]
        return keys[key_id(bytes(machine.key.verify_key))][1] is None

    def _promises(self, machine: Machine) -> None:
        if not machine.ledger.pending:
            return
        shelf = read_spool(machine)
        for entry in machine.ledger.pending:
            entry.fate = self._fate(machine, entry, shelf)
            entry.seen_ms = machine.link.network.now_ms
        keep = ("waiting", "held")
        machine.ledger.pending = [each for each in machine.ledger.pending if each.fate in keep]

    def _fate(self, machine: Machine, entry: Entry, shelf: "Shelf") -> str:
        stream, seq = entry.place
        where = f"{machine.station} {entry.name} at {stream[:6]}/{seq}"
        book = self.books.get(stream, StreamBook())
        if book.names.get(seq) == entry.name:
            return "stored"
        gap = book.gap_at(seq)
        theirs = machine.station in self.cloned and shelf.stored(stream) >= seq
        if gap is not None and (theirs or not shelf.keeps(stream, seq, entry.name)):
            self._may_be_missing(machine, entry, gap, where)
            return "declared"
        if shelf.has(stream, seq, entry.name):
            if shelf.held(stream):
                require(machine.station in self.disturbed, "no dispute without a cause", where)
                return "held"
            mixed = book.upto >= seq and shelf.stored(stream) >= seq
            if mixed and self._is_fork_in_backup(machine):
                return "held"  # what was stored is now disputed
            unread = entry.damaged > 0 and not shelf.keeps(stream, seq, entry.name)
            there = book.names.get(seq)
            require(not mixed or unread, "0 mixed", f"{where}: the centre has {there} there and both are content")
            if not mixed:
                return "waiting"
        if shelf.floor(stream) >= seq > book.upto and not shelf.held(stream):
            return "waiting"  # forgotten here; the gap is declared when the station learns that it is wanted
        if shelf.floor(stream) >= seq and self._is_fork_in_backup(machine):
            return (
                "held"  # it was stored and forgotten here, in its time or for want of room; then the centre went back
            )
        require(entry.damaged > 0, "0 lost", f"{where} is neither at the centre nor in the spool")
        declared = max(self.tails.get(stream, 0), shelf.tails.get(stream, 0)) >= seq
        twice = entry.damaged > 1  # the telling of the first loss was itself lost
        require(declared or twice or machine.ledger.replaced, "every loss is told", where)
        return "tail" if declared else "gone"

    def _is_fork_in_backup(self, machine: Machine) -> bool:
        """Two machines have written one history, and the centre has gone back and may have taken the other's."""
        return self.restores > 0 and machine.station in self.disturbed

    def _may_be_missing(
        self, machine: Machine, entry: Entry, gap: tuple[int, int, dict[str, int], int], where: str
    ) -> None:
        """A declared gap is honest; it still needs a cause."""
        _, _, counts, received_ms = gap
        twins = self.machines_of(machine.station)
        if entry.damaged or (len(twins) > 1 and any(each.ledger.spoilt for each in twins)):
            return
        forgetful = any(each.ledger.forgetful for each in twins)
        if "forgotten" in counts:
            old = received_ms - entry.true_ms > (RETENTION_DAYS - 1) * DAY_MS
            require(old or forgetful, "kept for the retention", f"{where} was forgotten early")
            return
        may_go = self.kinds[entry.name].endswith(".sampled") and forgetful
        require(may_go, "nothing given up without need", f"{where} declared missing: {counts}")

    def _conservation(self, machine: Machine, names: Mapping[str, Mapping[int, str]]) -> None:
        """Produced is what is stored, declared missing, or still on its way: for this station and every month."""
        produced: Counter[int] = Counter()
        found: Counter[int] = Counter()
        for entry in machine.ledger.entries:
            stream, seq = entry.place
            produced[entry.month] += 1
            there = names.get(stream, {}).get(seq) == entry.name
            found[entry.month] += there or entry.fate in ("waiting", "declared", "held", "tail", "gone")
        require(produced == found, "conservation", f"{machine.station}: produced {produced}, accounted for {found}")


@dataclass(slots=True)
class Shelf:
    """What is in a machine's spool, read from its file."""

    lines: dict[str, list[tuple[int, int, str | None]]]
    streams: dict[str, tuple[int, int, int]]
    tails: dict[str, int]

    def has(self, stream: str, seq: int, name: str) -> bool:
        """Whether this happening, or a gap that stands for it, is there."""
        rows = self.lines.get(stream, ())
        return any(first <= seq <= upto and there in (name, None) for first, upto, there in rows)

    def keeps(self, stream: str, seq: int, name: str) -> bool:
        """Whether the happening itself is there."""
        return (seq, seq, name) in self.lines.get(stream, ())

    def held(self, stream: str) -> bool:
        return stream in self.streams and bool(self.streams[stream][1])

    def stored(self, stream: str) -> int:
        return self.streams[stream][0] if stream in self.streams else 0

    def floor(self, stream: str) -> int:
        return self.streams[stream][2] if stream in self.streams else 0


def read_spool(machine: Machine) -> Shelf:
    """The present rows of the spool; an empty shelf when it is not running (a full disk, no disk)."""
    shelf = Shelf({}, {}, {})
    if machine.spool is None or machine.disk.connection is None:
        return shelf
    db = machine.disk.connection
    for stream, *row in db.execute("SELECT stream, stored, held, floor FROM streams"):
        shelf.streams[stream] = (row[0], row[1], row[2])
    query = "SELECT stream, seq, upto, line FROM lines JOIN streams USING (no)"
    for stream, seq, upto, line in db.execute(query):
        shelf.lines.setdefault(stream, []).append((seq, upto, read(line).get("data", {}).get("id")))
        if seq == 1 and b'"stream.opened"' in line:
            data = read(line)["data"]
            shelf.tails[data["previous"]] = data["previous_last"]
    return shelf


def read(line: bytes) -> dict[str, Any]:
    """A line as JSON; empty when it is none."""
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
