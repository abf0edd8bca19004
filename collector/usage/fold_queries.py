"""SQL of the fold: what is still to be read of the event log, and the tables its facts are merged into.

Every statement serves a whole batch of one station.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, case, delete, func, or_, select, update

from collector.db.dialect import built_once, insert
from collector.intake.models import events, streams
from collector.stations.models import stations
from collector.usage.facts import Download, StoredEvent, Work
from collector.usage.models import courseware, daily, downloads, playbacks, study_sessions, tallies
from collector.usage.playing import IMPOSSIBLE
from collector.usage.queries import Connection, columns_of, session_of
from collector.usage.records import Playback, SessionState, StudySession

_KEYS = {"district_id", "station_id", "day", "month", "folded_ms"}
SUMS = tuple(each.name for each in daily.c if each.name not in _KEYS)
"""Names of the sums of a daily roll-up."""
_PROPOSED = study_sessions.c.state == SessionState.PROPOSED


@dataclass(frozen=True, slots=True)
class Unfolded:
    """A stream with events behind `folded`, up to `stored`."""

    district_id: int
    station_id: int
    stream: str
    stored: int
    folded: int


@dataclass(frozen=True, slots=True)
class Tally:
    """Facts `stored` and declared `lost` of one stream in one month, counted up to seq `through`."""

    stream: str
    month: int
    stored: int
    lost: int
    through: int
    last_ms: int | None


async def list_unfolded(connection: Connection) -> list[Unfolded]:
    """Streams of every district with something to fold, station by station."""
    statement = (
        select(*columns_of(streams, Unfolded))
        .where(streams.c.stored > streams.c.folded)
        .order_by(streams.c.district_id, streams.c.station_id, streams.c.stream)
    )
    return [Unfolded(*row) for row in await connection.execute(statement)]


async def lock_station(connection: Connection, district_id: int, station_id: int) -> None:
    """Hold the station until the transaction ends, so that folding and a person's entry take turns."""
    statement = select(stations.c.station_id).where(
        stations.c.district_id == district_id, stations.c.station_id == station_id
    )
    await connection.execute(statement.with_for_update(key_share=True))


async def list_events(connection: Connection, stream: Unfolded, *, limit: int) -> list[StoredEvent]:
    """The next events of a stream in order of seq."""
    statement = (
        select(*columns_of(events, StoredEvent))
        .where(
            events.c.district_id == stream.district_id,
            events.c.station_id == stream.station_id,
            events.c.stream == stream.stream,
            events.c.seq > stream.folded,
            events.c.seq <= stream.stored,
        )
        .order_by(events.c.seq)
        .limit(limit)
    )
    return [StoredEvent(*row) for row in await connection.execute(statement)]


async def move_folded(connection: Connection, stream: Unfolded, *, folded: int) -> bool:
    """Compare-and-set; False when another folder has moved this stream meanwhile."""
    statement = (
        update(streams)
        .where(
            streams.c.district_id == stream.district_id,
            streams.c.station_id == stream.station_id,
            streams.c.stream == stream.stream,
            streams.c.folded == stream.folded,
        )
        .values(folded=folded)
    )
    return (await connection.execute(statement)).rowcount == 1


async def list_known_playbacks(
    connection: Connection, district_id: int, station_id: int, ids: Collection[str]
) -> list[Playback]:
    if not ids:
        return []
    statement = _mine(playbacks, Playback, district_id, station_id).where(playbacks.c.playback.in_(ids))
    return [Playback(*row) for row in await connection.execute(statement)]


async def list_known_sessions(
    connection: Connection, district_id: int, station_id: int, ids: Collection[str]
) -> list[StudySession]:
    if not ids:
        return []
    statement = _mine(study_sessions, StudySession, district_id, station_id).where(study_sessions.c.session_id.in_(ids))
    return [session_of(row) for row in await connection.execute(statement)]


async def list_day_playbacks(
    connection: Connection, district_id: int, station_id: int, days: Collection[int]
) -> list[Playback]:
    statement = _mine(playbacks, Playback, district_id, station_id).where(playbacks.c.day.in_(days))
    return [Playback(*row) for row in await connection.execute(statement)]


async def list_sessions_between(
    connection: Connection, district_id: int, station_id: int, *, first_day: int, last_day: int
) -> list[StudySession]:
    """Sessions whose day lies in this range, both ends included."""
    statement = _mine(study_sessions, StudySession, district_id, station_id).where(
        study_sessions.c.day.between(first_day, last_day)
    )
    return [session_of(row) for row in await connection.execute(statement)]


async def count_downloads(
    connection: Connection, district_id: int, station_id: int, days: Collection[int]
) -> dict[int, int]:
    """Courseware first downloaded in its month on each of these days."""
    statement = (
        select(downloads.c.day, func.count())
        .where(
            downloads.c.district_id == district_id,
            downloads.c.station_id == station_id,
            downloads.c.month.in_({day // 100 for day in days}),
            downloads.c.day.in_(days),
        )
        .group_by(downloads.c.day)
    )
    return {row[0]: row[1] for row in await connection.execute(statement)}


async def list_daily(
    connection: Connection, district_id: int, station_id: int, days: Collection[int]
) -> dict[int, dict[str, int]]:
    """Sums of the roll-ups these days already have."""
    columns = [each for each in daily.c if each.name in SUMS]
    statement = select(daily.c.day, *columns).where(
        daily.c.district_id == district_id, daily.c.station_id == station_id, daily.c.day.in_(days)
    )
    return {row[0]: dict(zip(SUMS, row[1:], strict=True)) for row in await connection.execute(statement)}


async def put_playbacks(connection: Connection, district_id: int, rows: Iterable[Playback]) -> None:
    """`impossible` repeats the flag of this name as a column, for no database looks into JSON here."""
    whose = {"district_id": district_id}
    await _put(
        connection, playbacks, [{**whose, **row_of(each), "impossible": IMPOSSIBLE in each.flags} for each in rows]
    )


async def put_sessions(connection: Connection, district_id: int, rows: Iterable[StudySession]) -> None:
    """A proposal never takes the place of what a person or a station entered."""
    values = [{"district_id": district_id, **row_of(each)} for each in rows]
    await _put(
        connection, study_sessions, [each for each in values if each["state"] == SessionState.PROPOSED], _PROPOSED
    )
    await _put(connection, study_sessions, [each for each in values if each["state"] != SessionState.PROPOSED])


async def drop_proposed(connection: Connection, district_id: int, station_id: int, ids: Collection[str]) -> None:
    """Forget proposals that the day no longer makes. What people or stations entered is never deleted."""
    if ids:
        await connection.execute(
            delete(study_sessions).where(
                study_sessions.c.district_id == district_id,
                study_sessions.c.station_id == station_id,
                study_sessions.c.session_id.in_(ids),
                study_sessions.c.state == SessionState.PROPOSED,
            )
        )


async def put_daily(
    connection: Connection, district_id: int, station_id: int, sums: Mapping[int, Mapping[str, int]], *, now_ms: int
) -> None:
    """Write the roll-ups of these days."""
    whose = {"district_id": district_id, "station_id": station_id, "folded_ms": now_ms}
    await _put(connection, daily, [{**whose, "day": day, "month": day // 100, **sums[day]} for day in sorted(sums)])


async def put_downloads(
    connection: Connection, district_id: int, station_id: int, found: Iterable[Download]
) -> set[int]:
    """Count a file once a station and month, at its first arrival. Returns the days whose count may have changed."""
    first: dict[tuple[int, str], Download] = {}
    for each in found:
        key = (each.month, each.sha256)
        first[key] = min(first.get(key, each), each, key=lambda one: (one.at_ms, one.title))
    if not first:
        return set()
    days = {each.day for each in first.values()} | await _download_days(connection, district_id, station_id, first)
    whose = {"district_id": district_id, "station_id": station_id}
    await connection.execute(_put_downloads(connection), [{**whose, **row_of(each)} for each in first.values()])
    return days


async def put_works(connection: Connection, district_id: int, found: Iterable[Work]) -> None:
    """Catalogue of the district: the first report of a file names it; the longest length told is its length."""
    works: dict[str, Work] = {}
    for each in found:
        known = works.get(each.sha256, each)
        first = min(known, each, key=lambda one: (one.first_ms, one.title, one.source, one.size))
        lengths = [one.duration_s for one in (known, each) if one.duration_s is not None]
        works[each.sha256] = replace(first, duration_s=max(lengths, default=None))
    if not works:
        return
    # One order for everybody, so that two folders never wait for each other in a circle.
    rows = [{"district_id": district_id, **row_of(works[sha256])} for sha256 in sorted(works)]
    await connection.execute(_put_works(connection), rows)


async def list_tallies(
    connection: Connection, district_id: int, station_id: int, names: Collection[str]
) -> dict[tuple[str, int], Tally]:
    """Tallies of these streams, by stream and month."""
    statement = _mine(tallies, Tally, district_id, station_id).where(tallies.c.stream.in_(names))
    return {(row.stream, row.month): Tally(*row) for row in await connection.execute(statement)}


async def put_tallies(connection: Connection, district_id: int, station_id: int, rows: Iterable[Tally]) -> None:
    whose = {"district_id": district_id, "station_id": station_id}
    await _put(connection, tallies, [{**whose, **row_of(each)} for each in rows])


async def _download_days(
    connection: Connection, district_id: int, station_id: int, keys: Collection[tuple[int, str]]
) -> set[int]:
    statement = select(downloads.c.day).where(
        downloads.c.district_id == district_id,
        downloads.c.station_id == station_id,
        downloads.c.month.in_({month for month, _ in keys}),
        downloads.c.sha256.in_({sha256 for _, sha256 in keys}),
    )
    return set((await connection.execute(statement)).scalars())


@built_once
def _put_downloads(connection: Connection) -> Any:
    fresh = insert(connection, downloads)
    return fresh.on_conflict_do_update(
        index_elements=list(downloads.primary_key),
        set_={name: fresh.excluded[name] for name in ("at_ms", "day", "title")},
        where=or_(
            fresh.excluded.at_ms < downloads.c.at_ms,
            and_(fresh.excluded.at_ms == downloads.c.at_ms, fresh.excluded.title < downloads.c.title),
        ),
    )


@built_once
def _put_works(connection: Connection) -> Any:
    fresh = insert(connection, courseware)
    new, old = fresh.excluded, courseware.c
    first_told = or_(new.first_ms < old.first_ms, and_(new.first_ms == old.first_ms, new.title < old.title))
    longer = and_(new.duration_s.is_not(None), or_(old.duration_s.is_(None), new.duration_s > old.duration_s))
    return fresh.on_conflict_do_update(
        index_elements=list(courseware.primary_key),
        set_={
            **{
                name: case((first_told, new[name]), else_=old[name]) for name in ("title", "source", "size", "first_ms")
            },
            "duration_s": case((longer, new.duration_s), else_=old.duration_s),
        },
        where=or_(first_told, longer),
    )


def _mine(table: Table, record: type[Any], district_id: int, station_id: int) -> Any:
    return select(*columns_of(table, record)).where(
        table.c.district_id == district_id, table.c.station_id == station_id
    )


def row_of(record: Any) -> dict[str, Any]:
    """Column values of a record, not copied deeply as `asdict` would."""
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


async def _put(
    connection: Connection, table: Table, rows: Sequence[dict[str, Any]], where: ColumnElement[bool] | None = None
) -> None:
    """Insert rows, or replace those with the same key (only where the old row fulfils `where`)."""
    if rows:
        await connection.execute(_upsert(connection, table, tuple(rows[0]), where), list(rows))


@built_once
def _upsert(connection: Connection, table: Table, names: Sequence[str], where: ColumnElement[bool] | None) -> Any:
    keys = [each.name for each in table.primary_key]
    fresh = insert(connection, table)
    changes = {name: fresh.excluded[name] for name in names if name not in keys}
    return fresh.on_conflict_do_update(index_elements=keys, set_=changes, where=where)
