"""What the time line does: it is kept by every tick, and judged again when a station returns with its records.

    availability(connection, district_id, from_ms, to_ms) -> station → Availability    (in `queries`)

A tick that is lost costs nothing: the next one sees the same stations and dates what it finds by what was received.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from collector.db.engine import Connection
from collector.timeline import queries
from collector.timeline.presence import Ear, Sight, Stretch, find_gap, join, judge_again, move
from collector.timeline.presence import excuse as excuse_one

_REMEMBER_MS = 100 * 86_400_000
_AGAIN_AT_ONCE = 100
"""Stations judged again in one tick: after a long cut a whole district returns, and each costs a look at its log."""


async def keep(connection: Connection, district_id: int, sights: Iterable[Sight], ear: Ear) -> None:
    """Bring the time line of every station up to now. `sights` are the stations that have ever been heard."""
    present = await queries.list_open(connection, district_id)
    closed: list[tuple[Stretch, int]] = []
    opened: list[Stretch] = []
    for sight in sights:
        before = present.get(sight.station_id)
        if new := move(sight, before, ear):
            opened += new
            if before is not None:
                closed.append((before, new[0].from_ms))
    await queries.close_stretches(connection, district_id, closed)
    await queries.add_stretches(connection, district_id, opened)
    if ear.ready_since_ms < ear.now_ms:
        await queries.put_heard_until(connection, district_id, ear.now_ms)


async def listen(
    connection: Connection, district_id: int, *, period_s: int, grace_s: int, ready_since_ms: int, now_ms: int
) -> Ear:
    """The centre as it hears this district now, with the time it has just missed, if any."""
    return find_gap(
        await queries.get_heard_until(connection, district_id),
        ready_since_ms=ready_since_ms,
        period_ms=period_s * 1000,
        grace_ms=grace_s * 1000,
        now_ms=now_ms,
    )


async def judge_returned(
    connection: Connection,
    district_id: int,
    alive: Mapping[int, tuple[str, int]],
    *,
    now_ms: int,
) -> int:
    """Judge silences again of stations that are back and have delivered what they kept. Returns of how many.

    `alive`: by station, the stream it writes to and when its present boot began; only of those with nothing waiting.
    """
    found = await queries.list_unchecked(connection, district_id, since_ms=now_ms - _REMEMBER_MS)
    by_station: dict[int, list[Stretch]] = {}
    for each in found:
        if each.station_id in alive:
            by_station.setdefault(each.station_id, []).append(each)
    turn = list(by_station.items())[:_AGAIN_AT_ONCE]
    for station_id, silences in turn:
        stream, began_ms = alive[station_id]
        boots = await queries.list_boots(connection, district_id, station_id, stream)
        again = [piece for each in silences for piece in judge_again(each, boots, alive_since_ms=began_ms)]
        await queries.replace_stretches(connection, district_id, silences, again)
    return len(turn)


async def excuse(
    connection: Connection,
    district_id: int,
    stations: Collection[int],
    spans: Sequence[tuple[int, int]],
    *,
    now_ms: int,
) -> None:
    """Write these stations off within these spans: somebody has told afterwards why nobody was to be expected."""
    if not spans:
        return
    found = await queries.list_stretches(connection, district_id, from_ms=spans[0][0], to_ms=spans[-1][1])
    mine = [(each, excuse_one(each, spans, now_ms=now_ms)) for each in found if each.station_id in stations]
    changed = [(each, pieces) for each, pieces in mine if pieces != [each]]
    old, new = [each for each, _ in changed], [piece for _, pieces in changed for piece in pieces]
    await queries.replace_stretches(connection, district_id, old, new)


async def load_strip(
    connection: Connection, district_id: int, station_id: int, *, from_ms: int, to_ms: int
) -> list[Stretch]:
    """A station's time line cut to a period, neighbours that say the same made one."""
    found = await queries.list_stretches(connection, district_id, station_id, from_ms=from_ms, to_ms=to_ms)
    cut = [
        Stretch(each.station_id, max(each.from_ms, from_ms), min(each.to_ms or to_ms, to_ms), each.presence, True)
        for each in found
    ]
    return join(cut)
