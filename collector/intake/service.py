"""What the intake does: prove who sent a push, and store many pushes in one transaction."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from collector.db.engine import Connection
from collector.errors import PushRefusedError
from collector.intake import pledge_queries, queries
from collector.intake.admission import Admission, Told, admit, last_told
from collector.intake.booking import Booker
from collector.intake.leases import Entropy, Finding, Holder
from collector.intake.queries import EventRow, Known, LinePlace, StationKey, StreamKey, StreamRow
from collector.intake.signs import read_signs
from collector.intake.structs import dump_heartbeat
from collector.intake.unpacking import Push
from shared import chain
from shared.months import month_of
from shared.wire.v1 import NEW_KEY, Answer, Pledge

_CONFLICT = "this stream's history differs from what is stored here; hold it back and open a new stream"
_REVOKED = "the key of this station is no longer valid; enrol it again with a new code"
_HELD = "two machines have shown themselves as this station; it is held aside until a person at the centre decides"
_RACED = "another copy of the centre was writing this stream; send again"


class Received(NamedTuple):
    """A push whose signature has been checked. `received_ms` by the centre's clock.

    One that was `carried` here on a stick says nothing about how the station is now, nor how late its events come.
    One that is not `is_signed` came with a tag, which proves its sender to this centre but to nobody else.
    """

    station: StationKey
    key_id: str
    push: Push
    received_ms: int
    carried: bool = False
    is_signed: bool = True

    @property
    def stream(self) -> StreamKey:
        return (*self.station, self.push.envelope.stream)


@dataclass(slots=True)
class _Group:
    """What one transaction has decided so far. `begun` is where each moved stream stood at its start."""

    known: dict[StationKey, Known]
    streams: dict[StreamKey, StreamRow]
    holders: dict[StationKey, Holder]
    entropy: Entropy
    begun: dict[StreamKey, int] = field(default_factory=dict)
    taken: list[tuple[Received, Admission]] = field(default_factory=list)
    lines: dict[LinePlace, bytes] = field(default_factory=dict)
    """What is stored where pushes begin below the end of their streams."""
    leases: dict[int, bytes] = field(default_factory=dict)
    void: set[StationKey] = field(default_factory=set)
    """Stations whose state another process was quicker to write."""
    states: dict[StationKey, dict[str, Any]] = field(default_factory=dict)
    boots: dict[tuple[StationKey, str], dict[str, Any]] = field(default_factory=dict)
    told: dict[StreamKey, dict[str, Any]] = field(default_factory=dict)
    evidence: list[tuple[Received, str, str]] = field(default_factory=list)
    pledges: dict[StreamKey, dict[str, Any]] = field(default_factory=dict)
    unproven: set[StreamKey] = field(default_factory=set)
    """Streams that end in lines no signature covers."""


async def store(
    connection: Connection, group: Sequence[Received], *, now_ms: int, entropy: Entropy = os.urandom
) -> list[Answer | PushRefusedError]:
    """Append the new lines of these pushes and their stations' newest state; one result for each, in order."""
    known = await queries.list_known(connection, {each.station for each in group})
    good = [each for each in group if each.station in known and known[each.station].admits(each.key_id, now_ms)]
    streams = await queries.list_streams(connection, {each.stream for each in good})
    work = _Group(known, streams, await _list_holders(connection, good, known), entropy)
    below = [(*each.stream, told.seq) for each in good if (told := _told_below(work, each)) is not None]
    work.lines = await queries.list_lines(connection, set(below)) if below else {}
    admissions = {id(each): _admit(work, each) for each in good}
    lost = await _write_streams(connection, work, now_ms)
    await _write_events(connection, work, lost, known)
    await _write_states(connection, work, now_ms)
    await _write_pledges(connection, work, lost)
    refused = PushRefusedError(401, "key-revoked", _REVOKED)
    return [
        _result(each, admissions[id(each)], work, lost=lost, now_ms=now_ms) if id(each) in admissions else refused
        for each in group
    ]


async def _list_holders(
    connection: Connection, good: Sequence[Received], known: dict[StationKey, Known]
) -> dict[StationKey, Holder]:
    """Where each station stands. Its earlier boots are only looked up when it speaks from another one than before."""
    moved = {each.station for each in good if each.push.envelope.heartbeat.boot != known[each.station].boot}
    past = await queries.list_boots(connection, moved) if moved else {}
    holders = {}
    for station in {each.station for each in good}:
        each = known[station]
        earlier = {boot: mono_ms for boot, mono_ms in past.get(station, {}).items() if boot != each.boot}
        held = each.held_ms is not None
        holders[station] = Holder(each.boot, each.mono_ms, each.lease, each.lease_before, held, earlier)
    return holders


def _admit(work: _Group, received: Received) -> Admission | None:
    """Decide on one push: who sent it, which lines are new, what it says of the present. None: it is held aside."""
    envelope, holder = received.push.envelope, work.holders[received.station]
    heartbeat, shown = envelope.heartbeat, bytes.fromhex(envelope.lease)
    finding = holder.judge(boot=heartbeat.boot, mono_ms=heartbeat.mono, shown=shown)
    if finding is Finding.FORK and not received.carried:
        holder.held = True
        work.evidence.append((received, "cloned", f"boot {heartbeat.boot} and boot {holder.boot} go on from one lease"))
    if holder.held:
        return None
    admission = _take(work, received)
    if admission.conflict is not None:
        detail = f"stream {envelope.stream} differs at {admission.conflict}"
        work.evidence.append((received, "stream-conflict", detail))
    elif finding in {Finding.FRESH, Finding.AHEAD} and not received.carried:
        if finding is Finding.AHEAD:
            work.evidence.append((received, "lease-ahead", "this centre has forgotten a lease it gave: an old backup?"))
        _move(work, received, holder, shown)
    elif finding is Finding.OVERTAKEN and not received.carried:
        _doubt(work, received, holder)
    return admission


def _doubt(work: _Group, received: Received, holder: Holder) -> None:
    """A push of another boot, from before the newest state: remember when that boot was, and try who is behind it."""
    station, heartbeat = received.station, received.push.envelope.heartbeat
    lease = holder.doubt(boot=heartbeat.boot, mono_ms=heartbeat.mono, entropy=work.entropy)
    work.leases[id(received)] = lease
    work.boots[(station, heartbeat.boot)] = _anchor(received) | {"boot": heartbeat.boot, "mono_ms": heartbeat.mono}


def _anchor(received: Received) -> dict[str, Any]:
    """Where the boot of a push lies in true time, as the first push of a boot tells it."""
    offset_ms = received.received_ms - received.push.envelope.heartbeat.mono
    return _name(received.station) | {"offset_ms": offset_ms, "anchored_ms": received.received_ms}


def _move(work: _Group, received: Received, holder: Holder, shown: bytes) -> None:
    """Let a station's newest state be what this push says."""
    envelope = received.push.envelope
    heartbeat, station = envelope.heartbeat, received.station
    key = _name(station)
    if heartbeat.boot != holder.boot:
        anchor = _anchor(received)
        if holder.boot:
            old = work.boots.get((station, holder.boot), anchor)
            work.boots[(station, holder.boot)] = old | {"boot": holder.boot, "mono_ms": holder.mono_ms}
        work.boots[(station, heartbeat.boot)] = anchor | {"boot": heartbeat.boot, "mono_ms": heartbeat.mono}
    lease = holder.move(boot=heartbeat.boot, mono_ms=heartbeat.mono, shown=shown, entropy=work.entropy)
    work.leases[id(received)] = lease
    newest = heartbeat.spool.stream or envelope.stream
    _leave(work, received, newest)
    work.states[station] = key | {
        "stream": bytes.fromhex(envelope.stream),
        "boot": heartbeat.boot,
        "mono_ms": heartbeat.mono,
        "wall_ms": heartbeat.wall,
        "received_ms": received.received_ms,
        "first_received_ms": received.received_ms,
        "spool_stream": bytes.fromhex(newest),
        "spool_last": heartbeat.spool.last,
        "lease": lease,
        "lease_before": holder.before,
        "held_ms": None,
        "heartbeat": dump_heartbeat(heartbeat),
    }


def _leave(work: _Group, received: Received, newest: str) -> None:
    """Remember how far the station had come in the stream it has left for `newest`."""
    known, before = work.known[received.station], work.states.get(received.station)
    left = before["spool_stream"].hex() if before else known.spool_stream
    last = before["spool_last"] if before else known.spool_last
    if left and left != newest:
        key = _name(received.station) | {"stream": left}
        fresh = {"stored": 0, "before": 0, "head": chain.START.hex(), "folded": 0, "opened_ms": received.received_ms}
        work.told[(*received.station, left)] = key | fresh | {"told": last, "left_ms": received.received_ms}


def _name(station: StationKey) -> dict[str, Any]:
    return {"district_id": station[0], "station_id": station[1]}


def _told_below(work: _Group, received: Received) -> Told | None:
    """The last line of a push that is stored already, None when all of it is new.

    Such a push repeats what is stored, or it comes from a disk that went back in time or was copied.
    """
    stands = work.streams.get(received.stream)
    if stands is None or received.push.envelope.first > stands.stored:
        return None
    return last_told(received.push.lines, stands.stored)


def _take(work: _Group, received: Received) -> Admission:
    envelope, lines, stream = received.push.envelope, received.push.lines, received.stream
    stands = work.streams.get(stream) or StreamRow(0, chain.START)
    admission = admit(
        first=envelope.first,
        head=bytes.fromhex(envelope.head),
        lines=lines,
        stored=stands.stored,
        stored_head=stands.head,
    )
    told = _told_below(work, received)
    if told is not None and told.differs(work.lines.get((*stream, told.seq))):
        admission = Admission((), stands.stored, stands.head, conflict=told.seq)
    if admission.rows:
        work.begun.setdefault(stream, stands.stored)
        work.streams[stream] = StreamRow(admission.stored, admission.head)
        work.taken.append((received, admission))
        if received.is_signed:
            work.unproven.discard(stream)
        else:
            work.unproven.add(stream)
    if envelope.pledge is not None and admission.conflict is None:
        _take_pledge(work, received, envelope.pledge)
    return admission


def _take_pledge(work: _Group, received: Received, pledge: Pledge) -> None:
    """Keep the station's word on where its chain stands, if that is where we stand; its signature is checked later."""
    stands = work.streams.get(received.stream)
    if stands is None or stands.stored != pledge.seq:
        return
    head = bytes.fromhex(pledge.head)
    if head != stands.head:
        work.evidence.append(
            (received, "pledge-differs", f"the chain pledged for line {pledge.seq} is not the one here")
        )
        return
    work.unproven.discard(received.stream)
    work.pledges[received.stream] = _name(received.station) | {
        "stream": bytes.fromhex(received.push.envelope.stream),
        "seq": pledge.seq,
        "head": head,
        "key_id": received.key_id,
        "signature": bytes.fromhex(pledge.signature),
        "received_ms": received.received_ms,
        "right": None,
    }


async def _write_streams(connection: Connection, work: _Group, now_ms: int) -> set[StreamKey]:
    """Open and advance streams; returns those that another process was quicker with."""
    rows = []
    for stream, before in work.begun.items():
        stands = work.streams[stream]
        key = _name(stream[:2]) | {"stream": bytes.fromhex(stream[2])}
        place = {"before": before, "stored": stands.stored, "head": stands.head}
        unproven_ms = now_ms if stream in work.unproven else None
        rows.append(key | place | {"folded": 0, "opened_ms": now_ms, "unproven_ms": unproven_ms})
    return set(work.begun) - await queries.move_streams(connection, rows)


async def _write_pledges(connection: Connection, work: _Group, lost: set[StreamKey]) -> None:
    """Where a pledge came with lines, moving the stream has told already that nothing of it is unproven."""
    kept = {stream: row for stream, row in work.pledges.items() if stream not in lost}
    await pledge_queries.put_pledges(connection, list(kept.values()))
    await pledge_queries.end_unproven(connection, [row for stream, row in kept.items() if stream not in work.begun])


async def _write_events(
    connection: Connection, work: _Group, lost: set[StreamKey], known: dict[StationKey, Known]
) -> None:
    """Anchors are only looked up for stations that speak of another boot than their newest state."""
    taken = [pair for pair in work.taken if pair[0].stream not in lost]
    foreign = {each.station for each, admission in taken if _has_other_boot(each, admission, known[each.station])}
    anchors = await queries.list_anchors(connection, foreign) if foreign else {}
    rows: list[EventRow] = []
    for received, admission in taken:
        mine = anchors.get(received.station, {}) | known[received.station].anchors
        fresh = list(_event_rows(received, admission, mine))
        work.evidence += [(received, kind, detail) for kind, detail in read_signs(fresh).items()]
        rows += fresh
    await queries.append_events(connection, rows)


def _has_other_boot(received: Received, admission: Admission, known: Known) -> bool:
    present = received.push.envelope.heartbeat.boot
    return (
        present != known.boot
        or received.carried
        or any(each.fact is not None and each.fact.boot != present for each in admission.rows)
    )


def _event_rows(received: Received, admission: Admission, anchors: dict[str, int]) -> Iterator[EventRow]:
    envelope, received_ms = received.push.envelope, received.received_ms
    heartbeat = None if received.carried else envelope.heartbeat
    booker = Booker(heartbeat=heartbeat, received_ms=received_ms, anchors=anchors)
    key = (*received.station, bytes.fromhex(envelope.stream))
    for seq, _, line, fact, refused, _ in admission.rows:
        if fact is None:
            booked_ms, uncertain, month, kind, at_ms = received_ms, True, 0, "?", 0
        else:
            booked_ms, uncertain = booker.book(fact)
            month, kind, at_ms = month_of(fact.at), fact.kind, fact.at
        place, booked = (*key, seq, month), (booked_ms, month_of(booked_ms), uncertain)
        yield EventRow(*place, kind, at_ms, *booked, received_ms, line, refused)


async def _write_states(connection: Connection, work: _Group, now_ms: int) -> None:
    ours = await queries.put_states(connection, list(work.states.values()))
    for station in set(work.states) - ours:
        # Another replica took the same push at the same moment: its lease is in force, ours would be taken for a copy.
        work.void.add(station)
    await queries.put_anchors(connection, list(work.boots.values()))
    await queries.put_told(connection, list(work.told.values()))
    forked = {received.station for received, kind, _ in work.evidence if kind == "cloned"}
    if forked:
        await queries.hold_stations(connection, forked, now_ms=now_ms)
    for received, kind, detail in work.evidence:
        await queries.add_security_event(
            connection,
            received.station[0],
            station_id=received.station[1],
            kind=kind,
            detail=detail,
            content=b"\n".join(received.push.lines),
            now_ms=now_ms,
        )


def _result(
    received: Received, admission: Admission | None, work: _Group, *, lost: set[StreamKey], now_ms: int
) -> Answer | PushRefusedError:
    if admission is None:
        return PushRefusedError(409, "held", _HELD, retry_after_s=300)
    if admission.conflict is not None:
        return PushRefusedError(409, "stream-conflict", _CONFLICT)
    stream = received.stream
    if stream in lost:
        return PushRefusedError(503, "raced", _RACED, retry_after_s=1)
    row, told = work.streams.get(stream), dict[str, Any]()
    if (lease := work.leases.get(id(received))) is not None and received.station not in work.void:
        told["lease"] = lease.hex()
    rotate_ms = work.known[received.station].rotate_ms
    if rotate_ms is not None and rotate_ms <= now_ms:
        told["want"] = [NEW_KEY]
    return Answer(stored=row.stored if row else 0, time=now_ms, **told)
