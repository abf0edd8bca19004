"""What the intake does: prove who sent a push, and store many pushes in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from collector.db.engine import Connection
from collector.errors import PushRefusedError
from collector.intake import queries
from collector.intake.admission import Admission, Admitted, admit, differs
from collector.intake.booking import Booked, book
from collector.intake.queries import Known, LinePlace, StationKey, StreamKey, StreamRow
from collector.intake.unpacking import Push
from shared import chain
from shared.months import month_of
from shared.wire.v1 import Answer, Pace

_CONFLICT = "this stream's history differs from what is stored here; hold it back and open a new stream"
_REVOKED = "the key of this station is no longer valid; enrol it again with a new code"
_RACED = "another copy of the centre was writing this stream; send again"


@dataclass(frozen=True, slots=True)
class Received:
    """A push whose signature has been checked. `received_ms` by the centre's clock.

    One that was `carried` here on a stick says nothing about how the station is now, nor how late its events come.
    """

    district_id: int
    station_id: int
    key_id: str
    push: Push
    received_ms: int
    carried: bool = False

    @property
    def station(self) -> StationKey:
        return (self.district_id, self.station_id)

    @property
    def stream(self) -> StreamKey:
        return (self.district_id, self.station_id, self.push.envelope.stream)


@dataclass(slots=True)
class _Group:
    """What one transaction has decided so far. `begun` is where each moved stream stood at its start."""

    known: dict[StationKey, Known]
    streams: dict[StreamKey, StreamRow]
    begun: dict[StreamKey, int] = field(default_factory=dict)
    taken: list[tuple[Received, Admission]] = field(default_factory=list)
    lines: dict[LinePlace, bytes] = field(default_factory=dict)
    """What is stored where those pushes end that bring nothing new."""


async def store(connection: Connection, group: Sequence[Received], *, now_ms: int) -> list[Answer | PushRefusedError]:
    """Append the new lines of these pushes and their stations' newest state; one result for each, in order."""
    known = await queries.list_known(connection, {each.station for each in group})
    good = [each for each in group if each.station in known and known[each.station].key_id == each.key_id]
    work = _Group(known, await queries.list_streams(connection, {each.stream for each in good}))
    below = [place for each in good if (place := _end_below(work, each)) is not None]
    work.lines = await queries.list_lines(connection, set(below)) if below else {}
    admissions = {id(each): _take(work, each) for each in good}
    lost = await _write_streams(connection, work, now_ms)
    await _write_events(connection, [pair for pair in work.taken if pair[0].stream not in lost], known)
    await _write_states(connection, [each for each in good if not each.carried], known)
    for each in good:
        if admissions[id(each)].conflict is not None:
            await _keep_evidence(connection, each, admissions[id(each)], now_ms)
    return [_result(each, admissions.get(id(each)), work, lost=lost, now_ms=now_ms) for each in group]


def _end_below(work: _Group, received: Received) -> LinePlace | None:
    """Where the last line of a push stands when more is stored behind it, None otherwise.

    Such a push repeats what is stored, or it comes from a disk that went back in time or was copied.
    """
    stands, lines = work.streams.get(received.stream), received.push.lines
    last = received.push.envelope.first + len(lines) - 1
    return (*received.stream, last) if stands is not None and lines and last < stands.stored else None


def _take(work: _Group, received: Received) -> Admission:
    envelope = received.push.envelope
    stands = work.streams.get(received.stream) or StreamRow(0, chain.START)
    admission = admit(
        first=envelope.first,
        head=bytes.fromhex(envelope.head),
        lines=received.push.lines,
        stored=stands.stored,
        stored_head=stands.head,
    )
    below = _end_below(work, received)
    if below is not None and differs(received.push.lines, work.lines.get(below)):
        admission = replace(admission, conflict=below[3])
    if admission.rows:
        work.begun.setdefault(received.stream, stands.stored)
        work.streams[received.stream] = StreamRow(admission.stored, admission.head)
        work.taken.append((received, admission))
    return admission


async def _write_streams(connection: Connection, work: _Group, now_ms: int) -> set[StreamKey]:
    """Open and advance streams; returns those that another process was quicker with."""
    rows = []
    for stream, before in work.begun.items():
        district_id, station_id, name = stream
        stands = work.streams[stream]
        key = {"district_id": district_id, "station_id": station_id, "stream": bytes.fromhex(name)}
        place = {"before": before, "stored": stands.stored, "head": stands.head}
        rows.append(key | place | {"folded": 0, "opened_ms": now_ms})
    return set(work.begun) - await queries.move_streams(connection, rows)


async def _write_events(
    connection: Connection, taken: Sequence[tuple[Received, Admission]], known: dict[StationKey, Known]
) -> None:
    """Anchors are only looked up for stations that speak of another boot than their newest state."""
    foreign = {each.station for each, admission in taken if _has_other_boot(each, admission, known[each.station])}
    anchors = await queries.list_anchors(connection, foreign) if foreign else {}
    rows = [
        _event_row(received, admitted, anchors.get(received.station, {}) | known[received.station].anchors)
        for received, admission in taken
        for admitted in admission.rows
    ]
    await queries.append_events(connection, rows)


def _has_other_boot(received: Received, admission: Admission, known: Known) -> bool:
    present = received.push.envelope.heartbeat.boot
    return present != known.boot or received.carried or any(each.event is not None and each.event.boot != present for each in admission.rows)


def _event_row(received: Received, admitted: Admitted, anchors: dict[str, int]) -> dict[str, Any]:
    envelope, event = received.push.envelope, admitted.event
    if event is None:
        booked, month, kind, at_ms = Booked(received.received_ms, uncertain=True), 0, "?", 0
    else:
        heartbeat = None if received.carried else envelope.heartbeat
        booked = book(event, heartbeat=heartbeat, received_ms=received.received_ms, anchors=anchors)
        month, kind, at_ms = month_of(event.at), event.kind, event.at
    return {
        "district_id": received.district_id,
        "station_id": received.station_id,
        "stream": bytes.fromhex(envelope.stream),
        "seq": admitted.seq,
        "month": month,
        "kind": kind,
        "at_ms": at_ms,
        "booked_ms": booked.at_ms,
        "booked_month": month_of(booked.at_ms),
        "uncertain": booked.uncertain,
        "received_ms": received.received_ms,
        "line": admitted.line,
        "refused": admitted.refused,
    }


async def _write_states(connection: Connection, good: Sequence[Received], known: dict[StationKey, Known]) -> None:
    states: dict[StationKey, dict[str, Any]] = {}
    fresh_boots: list[dict[str, Any]] = []
    places = {station: (each.boot, each.mono_ms) for station, each in known.items()}
    moved = {each.station for each in good if each.push.envelope.heartbeat.boot != known[each.station].boot}
    past = await queries.list_anchors(connection, moved) if moved else {}
    for each in good:
        heartbeat = each.push.envelope.heartbeat
        boot, mono_ms = places[each.station]
        if heartbeat.boot == boot and heartbeat.mono <= mono_ms:
            continue
        if heartbeat.boot != boot and heartbeat.boot in past.get(each.station, {}):
            continue  # a push of an earlier boot that was held up on its way; boots do not come back
        places[each.station] = (heartbeat.boot, heartbeat.mono)
        key = {"district_id": each.district_id, "station_id": each.station_id}
        states[each.station] = key | {
            "stream": bytes.fromhex(each.push.envelope.stream),
            "boot": heartbeat.boot,
            "mono_ms": heartbeat.mono,
            "wall_ms": heartbeat.wall,
            "received_ms": each.received_ms,
            "first_received_ms": each.received_ms,
            "heartbeat": heartbeat.model_dump_json(exclude_defaults=True),
        }
        if heartbeat.boot != boot:
            offset_ms = each.received_ms - heartbeat.mono
            anchor = {"boot": heartbeat.boot, "offset_ms": offset_ms, "anchored_ms": each.received_ms}
            fresh_boots.append(key | anchor)
    await queries.put_states(connection, list(states.values()))
    await queries.put_anchors(connection, fresh_boots)


async def _keep_evidence(connection: Connection, received: Received, admission: Admission, now_ms: int) -> None:
    detail = f"stream {received.push.envelope.stream} differs at {admission.conflict}"
    await queries.add_security_event(
        connection,
        received.district_id,
        station_id=received.station_id,
        kind="stream-conflict",
        detail=detail,
        content=b"\n".join(received.push.lines),
        now_ms=now_ms,
    )


def _result(
    received: Received, admission: Admission | None, work: _Group, *, lost: set[StreamKey], now_ms: int
) -> Answer | PushRefusedError:
    if admission is None:
        return PushRefusedError(401, "key-revoked", _REVOKED)
    if admission.conflict is not None:
        return PushRefusedError(409, "stream-conflict", _CONFLICT)
    if received.stream in lost:
        return PushRefusedError(503, "raced", _RACED, retry_after_s=1)
    row = work.streams.get(received.stream)
    return Answer(stored=row.stored if row else 0, time=now_ms, pace=Pace())
