"""What the intake does: prove who sent a push, and store many pushes in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from collector.db.engine import Connection
from collector.errors import PushRefusedError
from collector.intake import queries
from collector.intake.admission import Admission, admit
from collector.intake.booking import book
from collector.intake.queries import StationKey, StreamKey, StreamRow
from collector.intake.unpacking import Push
from shared import chain
from shared.months import month_of
from shared.wire.v1 import Answer, Pace

_CONFLICT = "this stream's history differs from what is stored here; hold it back and open a new stream"
_REVOKED = "the key of this station is no longer valid; enrol it again with a new code"
_RACED = "another copy of the centre was writing this stream; send again"


@dataclass(frozen=True, slots=True)
class Received:
    """A push whose signature has been checked. `received_ms` by the centre's clock."""

    district_id: int
    station_id: int
    key_id: str
    push: Push
    received_ms: int

    @property
    def station(self) -> StationKey:
        return (self.district_id, self.station_id)

    @property
    def stream(self) -> StreamKey:
        return (self.district_id, self.station_id, self.push.envelope.stream)


@dataclass(slots=True)
class _Group:
    """What one transaction has decided so far."""

    streams: dict[StreamKey, StreamRow]
    begun: dict[StreamKey, int | None] = field(default_factory=dict)
    moved: dict[StreamKey, StreamRow] = field(default_factory=dict)
    events: dict[StreamKey, list[dict[str, Any]]] = field(default_factory=dict)


async def store(connection: Connection, group: Sequence[Received], *, now_ms: int) -> list[Answer | PushRefusedError]:
    """Append the new lines of these pushes and their stations' newest state; one result for each, in order."""
    valid = await queries.list_valid_keys(connection, {(*each.station, each.key_id) for each in group})
    good = [each for each in group if (*each.station, each.key_id) in valid]
    stations = {each.station for each in good}
    work = _Group(await queries.list_streams(connection, {each.stream for each in good}))
    places = await queries.list_places(connection, stations)
    anchors = await _anchors(connection, good)
    admissions = {id(each): _take(work, each, anchors.get(each.station, {})) for each in good}
    lost = await _write_streams(connection, work, now_ms)
    await queries.append_events(
        connection, [row for stream, rows in work.events.items() if stream not in lost for row in rows]
    )
    await _write_states(connection, good, places)
    for each in good:
        if admissions[id(each)].conflict is not None:
            await _keep_evidence(connection, each, admissions[id(each)], now_ms)
    return [_result(each, admissions.get(id(each)), work, lost=lost, now_ms=now_ms) for each in group]


def _take(work: _Group, received: Received, anchors: dict[str, int]) -> Admission:
    envelope = received.push.envelope
    row = work.streams.get(received.stream)
    known = row or StreamRow(0, chain.START)
    admission = admit(
        first=envelope.first,
        head=bytes.fromhex(envelope.head),
        lines=received.push.lines,
        stored=known.stored,
        stored_head=known.head,
    )
    if admission.rows:
        work.begun.setdefault(received.stream, None if row is None else row.stored)
        work.streams[received.stream] = work.moved[received.stream] = StreamRow(admission.stored, admission.head)
        rows = [_event_row(received, each, anchors) for each in admission.rows]
        work.events.setdefault(received.stream, []).extend(rows)
    return admission


def _event_row(received: Received, admitted: Any, anchors: dict[str, int]) -> dict[str, Any]:
    event = admitted.event
    base = {
        "district_id": received.district_id,
        "station_id": received.station_id,
        "stream": received.push.envelope.stream,
        "seq": admitted.seq,
        "received_ms": received.received_ms,
        "line": admitted.line,
        "refused": admitted.refused,
    }
    if event is None:
        month = month_of(received.received_ms)
        unknown = {"month": 0, "kind": "?", "at_ms": 0, "booked_month": month, "uncertain": True}
        return base | unknown | {"booked_ms": received.received_ms}
    heartbeat = received.push.envelope.heartbeat
    booked = book(event, heartbeat=heartbeat, received_ms=received.received_ms, anchors=anchors)
    return base | {
        "month": month_of(event.at),
        "kind": event.kind,
        "at_ms": event.at,
        "booked_ms": booked.at_ms,
        "booked_month": month_of(booked.at_ms),
        "uncertain": booked.uncertain,
    }


async def _anchors(connection: Connection, good: Sequence[Received]) -> dict[StationKey, dict[str, int]]:
    """Anchors are only looked up for stations that bring lines: a bare heartbeat needs none."""
    wanted = {each.station for each in good if each.push.lines}
    return await queries.list_anchors(connection, wanted) if wanted else {}


async def _write_streams(connection: Connection, work: _Group, now_ms: int) -> set[StreamKey]:
    """Open and advance streams; returns those that another process was quicker with."""
    opened, advanced = [], []
    for stream, row in work.moved.items():
        district_id, station_id, name = stream
        values = {"district_id": district_id, "station_id": station_id, "stream": name}
        values |= {"stored": row.stored, "head": row.head.hex()}
        old = work.begun[stream]
        if old is None:
            opened.append(values | {"folded": 0, "opened_ms": now_ms})
        else:
            advanced.append(values | {"old": old})
    won = await queries.open_streams(connection, opened)
    won |= await queries.advance_streams(connection, advanced)
    return set(work.moved) - won


async def _write_states(
    connection: Connection, good: Sequence[Received], places: dict[StationKey, tuple[str, int, int]]
) -> None:
    states: dict[StationKey, dict[str, Any]] = {}
    fresh_boots: dict[tuple[StationKey, str], dict[str, Any]] = {}
    for each in good:
        heartbeat = each.push.envelope.heartbeat
        boot, mono_ms, _ = places.get(each.station, ("", -1, 0))
        if heartbeat.boot == boot and heartbeat.mono <= mono_ms:
            continue
        places[each.station] = (heartbeat.boot, heartbeat.mono, each.received_ms)
        key = {"district_id": each.district_id, "station_id": each.station_id}
        states[each.station] = key | {
            "stream": each.push.envelope.stream,
            "boot": heartbeat.boot,
            "mono_ms": heartbeat.mono,
            "wall_ms": heartbeat.wall,
            "received_ms": each.received_ms,
            "first_received_ms": each.received_ms,
            "heartbeat": heartbeat.model_dump_json(),
        }
        if heartbeat.boot != boot:
            offset = each.received_ms - heartbeat.mono
            anchor = key | {"boot": heartbeat.boot, "offset_ms": offset, "anchored_ms": each.received_ms}
            fresh_boots[(each.station, heartbeat.boot)] = anchor
    await queries.put_states(connection, list(states.values()))
    await queries.put_anchors(connection, list(fresh_boots.values()))


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
