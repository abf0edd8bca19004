"""Every SQL statement of findings, of what rules remember, and of reported outages."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import Table, delete, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.db.dialect import Change, Find, Hot, Wanted, insert, read_json, write_json
from collector.db.numbers import next_number
from collector.faults.links import Track
from collector.faults.models import arrivals, findings, outages, pasts, tracks
from collector.faults.rules.base import Category, Past, Severity, Suspicion, Swap
from collector.faults.standing import Key, Standing
from collector.intake.models import security_events
from collector.intake.signs import DEVICE_CHANGED
from shared.wire.kinds import DeviceChanged

_CATEGORIES = {each.value: each for each in Category}
_SEVERITIES = {each.value: each for each in Severity}
_AT_ONCE = 500
_EVIDENCE = 500
_PARTS = ("maker", "vendor", "model", "product", "name", "serial")
_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When a station's newest batch of courseware came, and milliseconds between the batches before, oldest first."""

    station_id: int
    last_ms: int
    gaps: tuple[int, ...]


class OutageKind(StrEnum):
    POWER_CUT = "power_cut"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True)
class Outage:
    """A power cut or maintenance somebody has told us of, for one station or for all of an area."""

    outage_id: int
    kind: OutageKind
    station_id: int | None
    area_id: UUID | None
    from_ms: int
    to_ms: int
    every_days: int | None
    note: str
    person_id: int | None
    created_ms: int = 0
    cancelled_ms: int | None = None


async def list_held(connection: AsyncConnection, district_id: int) -> list[tuple[str, int]]:
    """Rule and first sight of every finding that is held back."""
    statement = select(findings.c.rule, findings.c.found_ms).where(
        findings.c.district_id == district_id, ~findings.c.open
    )
    return [(rule, found_ms) for rule, found_ms in await connection.execute(statement)]


async def list_findings(connection: AsyncConnection, district_id: int) -> dict[Key, Standing]:
    """What stands now, what is still held back included, in the order in which it began."""
    return _by_key(await _ALL.run(connection, [(district_id,)]))


async def list_for_tickets(
    connection: AsyncConnection, district_id: int, subjects: Collection[str]
) -> dict[Key, Standing]:
    """What may want a ticket now, symptoms of something larger left out, and all that stands of these subjects."""
    alone = await _ALONE.run(connection, [(district_id,)])
    theirs = await _OF_SUBJECTS.run(connection, [(district_id, subject) for subject in subjects])
    return _by_key([*alone, *theirs])


async def put_findings(
    connection: AsyncConnection, district_id: int, old: Mapping[Key, Standing], new: Mapping[Key, Standing]
) -> None:
    """Keep what stands `new`. Where what is seen is as it was in `old`, only its course is written."""
    fresh: list[Standing] = []
    moved: list[Standing] = []
    for key, row in new.items():
        before = old.get(key)
        if before is None or before[_SEEN] != row[_SEEN]:
            fresh.append(row)
        elif before != row:
            moved.append(row)
    await _MOVE_FINDING.run(
        connection,
        [(district_id, row.subject, row.rule, row.clear_since_ms, row.open, row.symptom_of) for row in moved],
    )
    await _PUT_FINDING.run(connection, [_values(district_id, row) for row in fresh])


async def end_findings(connection: AsyncConnection, district_id: int, keys: Iterable[Key]) -> None:
    ended = list(keys)
    for start in range(0, len(ended), _AT_ONCE):
        mine = tuple_(findings.c.subject, findings.c.rule).in_(ended[start : start + _AT_ONCE])
        await connection.execute(delete(findings).where(findings.c.district_id == district_id, mine))


async def list_arrivals(
    connection: AsyncConnection, district_id: int, stations: Collection[int]
) -> dict[int, Arrivals]:
    """What is remembered of these stations' courseware."""
    rows = await _ARRIVALS.run(connection, [(district_id,)] if stations else [])
    return {row[0]: Arrivals(row[0], row[1], tuple(read_json(row[2]))) for row in rows if row[0] in stations}


async def put_arrivals(connection: AsyncConnection, district_id: int, rows: Sequence[Arrivals]) -> None:
    """Insert or overwrite."""
    if not rows:
        return
    statement = insert(connection, arrivals)
    statement = statement.on_conflict_do_update(
        index_elements=[arrivals.c.district_id, arrivals.c.station_id],
        set_={"last_ms": statement.excluded.last_ms, "gaps": statement.excluded.gaps},
    )
    await connection.execute(statement, [{"district_id": district_id, **asdict(row)} for row in rows])


async def list_tracks(connection: AsyncConnection, district_id: int) -> dict[int, Track]:
    """Links that have changed lately, by station."""
    rows = await _TRACKS.run(connection, [(district_id,)])
    return {row[0]: Track(row[0], bool(row[1]), *row[2:]) for row in rows}


async def put_tracks(connection: AsyncConnection, district_id: int, rows: Sequence[Track]) -> None:
    """Insert or overwrite."""
    await _PUT_TRACK.run(connection, [(district_id, *row) for row in rows])


async def drop_tracks(connection: AsyncConnection, district_id: int, stations: Sequence[int]) -> None:
    for start in range(0, len(stations), _AT_ONCE):
        mine = tracks.c.station_id.in_(stations[start : start + _AT_ONCE])
        await connection.execute(delete(tracks).where(tracks.c.district_id == district_id, mine))


async def list_pasts(connection: AsyncConnection, district_id: int, stations: Collection[int]) -> dict[int, Past]:
    """What the books said of each of these stations when they were last looked up."""
    rows = await _PASTS.run(connection, [(district_id,)] if stations else [])
    return {row[0]: Past(*row[1:])._replace(missing=tuple(read_json(row[6]))) for row in rows if row[0] in stations}


async def put_pasts(connection: AsyncConnection, district_id: int, rows: Mapping[int, Past]) -> None:
    """Insert or overwrite, by station."""
    if not rows:
        return
    values = [{"district_id": district_id, "station_id": key, **row._asdict()} for key, row in rows.items()]
    statement = insert(connection, pasts)
    changes = {name: statement.excluded[name] for name in Past._fields}
    key = [pasts.c.district_id, pasts.c.station_id]
    await connection.execute(statement.on_conflict_do_update(index_elements=key, set_=changes), values)


async def list_signs(
    connection: AsyncConnection, district_id: int, *, since_ms: int
) -> tuple[dict[int, Suspicion], dict[int, Swap]]:
    """What did not fit since then, and the newest exchange of a device, by station.

    Among the newest evidence of the district only: a flood costs no more.
    """
    each = security_events.c
    statement = select(each.station_id, each.at_ms, each.kind, each.detail).where(each.district_id == district_id)
    found: dict[int, Suspicion] = {}
    swaps: dict[int, Swap] = {}
    rows = await connection.execute(statement.order_by(each.event_id.desc()).limit(_EVIDENCE))
    for station_id, at_ms, kind, detail in rows:
        if station_id is None or at_ms < since_ms:
            continue
        if kind == DEVICE_CHANGED:
            told = DeviceChanged.model_validate_json(detail)
            swaps.setdefault(station_id, Swap(told.device, _name(told.before), _name(told.after), at_ms))
            continue
        known = found.get(station_id, Suspicion(0, kind, at_ms))
        found[station_id] = replace(known, count=known.count + 1)
    return found, swaps


def _name(device: Mapping[str, str]) -> str:
    """A device as people name it: who made it, which model, which one."""
    return " ".join(device[part] for part in _PARTS if device.get(part))[:_LONGEST_NAME]


async def list_outages(
    connection: AsyncConnection, district_id: int, *, now_ms: int, since_ms: int | None = None
) -> list[Outage]:
    """Those that have begun and were not over for good at `since_ms` (or now), one that repeats included."""
    each = outages.c
    over_ms = now_ms if since_ms is None else since_ms
    statement = (
        _outages(district_id)
        .where(each.from_ms <= now_ms, or_(each.cancelled_ms.is_(None), each.cancelled_ms > over_ms))
        .where(or_(each.to_ms > over_ms, each.every_days.is_not(None)))
        .order_by(each.outage_id)
    )
    return [_outage(row) for row in await connection.execute(statement)]


async def list_told_late(connection: AsyncConnection, district_id: int, *, since_ms: int) -> list[Outage]:
    """Outages that somebody told of when they had begun already, told or ended since then."""
    each = outages.c
    statement = _outages(district_id).where(
        each.from_ms < each.created_ms,
        each.cancelled_ms.is_(None),
        or_(each.created_ms > since_ms, each.to_ms > since_ms),
    )
    return [_outage(row) for row in await connection.execute(statement.order_by(each.outage_id))]


async def list_announced(connection: AsyncConnection, district_id: int, *, since_ms: int, limit: int) -> list[Outage]:
    """Outages that are to come, last or were over only after `since_ms`, and all that repeat; the newest first."""
    each = outages.c
    statement = _outages(district_id).where(
        or_(each.cancelled_ms.is_(None), each.cancelled_ms > since_ms),
        or_(each.to_ms > since_ms, each.every_days.is_not(None)),
    )
    rows = await connection.execute(statement.order_by(each.from_ms.desc(), each.outage_id.desc()).limit(limit))
    return [_outage(row) for row in rows]


async def get_outage(connection: AsyncConnection, district_id: int, outage_id: int) -> Outage | None:
    row = (await connection.execute(_outages(district_id).where(outages.c.outage_id == outage_id))).first()
    return None if row is None else _outage(row)


async def add_outage(connection: AsyncConnection, district_id: int, *, now_ms: int, **values: Any) -> int:
    """Keep what was told and return its number in the district."""
    outage_id = await next_number(connection, district_id, "outage")
    statement = insert(connection, outages).values(
        district_id=district_id, outage_id=outage_id, created_ms=now_ms, **values
    )
    await connection.execute(statement)
    return outage_id


async def cancel_outage(connection: AsyncConnection, district_id: int, outage_id: int, *, now_ms: int) -> bool:
    """Whether there was one to cancel."""
    each = outages.c
    mine = (each.district_id == district_id) & (each.outage_id == outage_id) & each.cancelled_ms.is_(None)
    return (await connection.execute(update(outages).where(mine).values(cancelled_ms=now_ms))).rowcount == 1


def _outages(district_id: int) -> Any:
    return select(*(outages.c[name] for name in Outage.__slots__)).where(outages.c.district_id == district_id)


def _outage(row: Any) -> Outage:
    values = dict(row._mapping)  # noqa: SLF001 - the row's public mapping
    return Outage(**{**values, "kind": OutageKind(values["kind"])})


def _put_finding(connection: AsyncConnection) -> Any:
    return _upsert(connection, findings, Standing, ("subject", "rule"))


def _put_track(connection: AsyncConnection) -> Any:
    return _upsert(connection, tracks, Track, ("station_id",))


def _upsert(connection: AsyncConnection, table: Table, record: type[Any], key: Sequence[str]) -> Any:
    statement = insert(connection, table)
    return statement.on_conflict_do_update(
        index_elements=[table.c.district_id, *(table.c[name] for name in key)],
        set_={name: statement.excluded[name] for name in record._fields if name not in key},
    )


def _move_finding(wanted: Wanted) -> Any:
    each = findings.c
    mine = (each[name] == wanted[name] for name in ("district_id", "subject", "rule"))
    return (
        update(findings).where(*mine).values({name: wanted[name] for name in ("clear_since_ms", "open", "symptom_of")})
    )


def _of(wanted: Wanted, table: Table, names: Iterable[str]) -> Any:
    """These columns of all rows of a district."""
    return select(*(table.c[name] for name in names)).where(table.c.district_id == wanted["district_id"])


def _of_subjects(wanted: Wanted) -> Any:
    return _of(wanted, findings, Standing._fields).where(findings.c.subject == wanted["subject"])


def _alone(wanted: Wanted) -> Any:
    return _of(wanted, findings, Standing._fields).where(findings.c.open, findings.c.symptom_of.is_(None))


_KEY = [findings.c.district_id, findings.c.subject, findings.c.rule]
_PUT_FINDING = Hot(_put_finding, ("district_id", *Standing._fields))
_PUT_TRACK = Hot(_put_track, ("district_id", *Track._fields))
_MOVE_FINDING = Change([*_KEY, findings.c.clear_since_ms, findings.c.open, findings.c.symptom_of], _move_finding)
_ALL = Find(_KEY[:1], lambda wanted: _of(wanted, findings, Standing._fields))
_ALONE = Find(_KEY[:1], _alone)
_OF_SUBJECTS = Find(_KEY[:2], _of_subjects)
_TRACKS = Find([tracks.c.district_id], lambda wanted: _of(wanted, tracks, Track._fields))
_ARRIVALS = Find([arrivals.c.district_id], lambda wanted: _of(wanted, arrivals, ("station_id", "last_ms", "gaps")))
_PASTS = Find([pasts.c.district_id], lambda wanted: _of(wanted, pasts, ("station_id", *Past._fields)))
_SEEN = slice(Standing._fields.index("clear_since_ms"))
_FACTS = Standing._fields.index("facts")


def _by_key(rows: Iterable[Any]) -> dict[Key, Standing]:
    """Rows of the columns of Standing, as the driver gives them."""
    stands = sorted(map(_standing, rows), key=attrgetter("since_ms"))
    return {row.key: row for row in stands}


def _standing(row: Any) -> Standing:
    subject, rule, station_id, since_ms, found_ms, category, severity, facts, clear_since_ms, is_open, symptom_of = row
    return Standing(
        subject,
        rule,
        station_id,
        since_ms,
        found_ms,
        _CATEGORIES[category],
        _SEVERITIES[severity],
        read_json(facts),
        clear_since_ms,
        bool(is_open),
        symptom_of,
    )


def _values(district_id: int, row: Standing) -> tuple[Any, ...]:
    """The same the other way round."""
    return (district_id, *row[:_FACTS], write_json(row.facts), *row[_FACTS + 1 :])
