"""Looks up, now and then, what the books of usage say of each station's last weeks, for rules that judge weeks.

A look costs some sums over two or three months of the district; the tick then reads one small row a station.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from collector.db.engine import Connection
from collector.faults import absence_queries, queries
from collector.faults.rules.base import REMEMBERED_MS, Past
from collector.stations import queries as stations
from collector.stations.queries import StationState
from collector.usage import queries as usage
from shared.months import BEIJING, month_of, previous_month

_DAY_MS = 86_400_000
_WEEK_MS = 7 * _DAY_MS
_COMMON_SHARE = 0.8
_SETTLED_MS = 3 * _DAY_MS
"""A file is not missed before everybody has had so long to receive it."""
_COMMON_FILES = 300
_TITLES_KEPT = 20


async def look_back(connection: Connection, district_id: int, *, now_ms: int, zone: ZoneInfo = BEIJING) -> None:
    """Bring what is known of every station's past up to date; only rows that changed are written."""
    months = [month_of(now_ms, zone)]
    while len(months) < 3:
        months.append(previous_month(months[-1]))
    near = sorted(months)[-2:]
    states = await stations.list_states(connection, district_id)
    before = await queries.list_pasts(connection, district_id, states)
    used = await usage.list_last_used(connection, district_id, months)
    plays = await usage.count_plays(connection, district_id, months=near, since_ms=now_ms - _WEEK_MS)
    lost = await usage.count_lost(connection, district_id, near)
    missing = await _list_missing(connection, district_id, states, near, now_ms=now_ms)
    absent = await absence_queries.sum_absent(connection, district_id, now_ms=now_ms)
    unused = await absence_queries.sum_unused_absent(
        connection, district_id, unknown_ms=now_ms - REMEMBERED_MS, now_ms=now_ms
    )
    fresh: dict[int, Past] = {}
    for station_id in states:
        known = before.get(station_id, Past())
        count = lost.get(station_id, 0)
        past = Past(
            used_ms=_end_of_day(used.get(station_id), zone),
            plays=plays.get(station_id, (0, 0))[0],
            failed=plays.get(station_id, (0, 0))[1],
            lost=count,
            lost_ms=now_ms if count > known.lost else known.lost_ms,
            missing=missing.get(station_id, ()),
            absent_ms=absent.get(station_id, 0),
            unused_absent_ms=unused.get(station_id, 0),
        )
        if before.get(station_id) != past:
            fresh[station_id] = past
    await queries.put_pasts(connection, district_id, fresh)


async def _list_missing(
    connection: Connection,
    district_id: int,
    states: Mapping[int, StationState],
    months: Sequence[int],
    *,
    now_ms: int,
) -> dict[int, tuple[str, ...]]:
    """Titles of the common broadcast that a station lacks, oldest first, by station."""
    owned_by_any = await usage.count_receivers(connection, district_id, months)
    at_least = max(3, round(_COMMON_SHARE * owned_by_any))
    common = await usage.list_common(connection, district_id, months, at_least=at_least, limit=_COMMON_FILES)
    settled = {sha256: each for sha256, each in common.items() if now_ms - each.first_ms >= _SETTLED_MS}
    if not settled:
        return {}
    complete = await usage.list_complete(connection, district_id, months, list(settled))
    others = states.keys() - complete
    owned = await usage.list_owned(connection, district_id, months, list(settled), stations=others)
    missing: dict[int, tuple[str, ...]] = {}
    for station_id in others:
        state, mine = states[station_id], owned.get(station_id, set())
        lacking = [
            (each.first_ms, each.title)
            for sha256, each in settled.items()
            if sha256 not in mine and each.first_ms >= state.first_received_ms
        ]
        missing[station_id] = tuple(title for _, title in sorted(lacking)[:_TITLES_KEPT])
    return missing


def _end_of_day(day: int | None, zone: ZoneInfo) -> int | None:
    """The last moment of a day, so that one that is not over yet needs no second writing."""
    if day is None:
        return None
    midnight = datetime(day // 10_000, day // 100 % 100, day % 100, tzinfo=zone) + timedelta(days=1)
    return int(midnight.timestamp() * 1000) - 1
