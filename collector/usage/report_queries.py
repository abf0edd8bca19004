"""Months as the report and the charts need them: from roll-ups and tables of the month, never from raw events."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Table, case, func, or_, select

from collector.areas.models import areas, districts
from collector.areas.queries import AreaKind, list_areas
from collector.intake.models import streams
from collector.intake.queries import list_unknown_tails
from collector.stations.loss_queries import Loss, list_losses
from collector.stations.models import station_states, stations
from collector.stations.queries import Station, list_stations
from collector.usage.models import daily, downloads, playbacks, stock, study_sessions, tallies
from collector.usage.queries import Connection
from collector.usage.records import SessionState
from collector.usage.reports.base import Figures, Lost, Receipt, StationSource
from shared.months import local, month_bounds

_SUMMED = tuple(each.name for each in fields(Figures) if each.name not in {"stored", "played"})


@dataclass(frozen=True, slots=True)
class TownshipFigures:
    """One bar of a chart: sessions that count, people, visits, minutes of content shown."""

    township_id: UUID
    township: str
    sessions: int
    people: int
    visits: int
    content_minutes: int


async def get_district_name(connection: Connection, district_id: int) -> str | None:
    statement = select(districts.c.name).where(districts.c.district_id == district_id)
    return (await connection.execute(statement)).scalar()


async def month_figures(connection: Connection, district_id: int, month: int) -> list[TownshipFigures]:
    """Townships in official order, those without any study too. Summed by the database, for a district may be large."""
    own_area = (areas.c.district_id == stations.c.district_id) & (areas.c.area_id == stations.c.area_id)
    same_station = (stations.c.district_id == daily.c.district_id) & (stations.c.station_id == daily.c.station_id)
    township = case((areas.c.kind == AreaKind.TOWNSHIP, areas.c.area_id), else_=areas.c.parent_id)
    sums = [func.sum(daily.c[name]) for name in ("sessions", "people", "visits", "content_s")]
    statement = (
        select(township, *sums)
        .join_from(daily, stations, same_station)
        .join(areas, own_area)
        .where(daily.c.district_id == district_id, daily.c.month == month, stations.c.retired_ms.is_(None))
        .group_by(township)
    )
    found = {row[0]: tuple(map(int, row[1:])) for row in await connection.execute(statement)}
    bars = []
    for area in await list_areas(connection, district_id, kind=AreaKind.TOWNSHIP):
        sessions, people, visits, content_s = found.get(area.area_id, (0, 0, 0, 0))
        minutes = Figures(content_s=content_s).content_minutes
        bars.append(TownshipFigures(area.area_id, area.short, sessions, people, visits, minutes))
    return bars


async def load_month(
    connection: Connection,
    district_id: int,
    month: int,
    township_id: UUID | None = None,
    *,
    now_ms: int,
    zone: ZoneInfo,
) -> list[StationSource]:
    """Every station in use, in official order, with its month. Stock is that of the month's end, or of now."""
    chosen = [each for each in await list_stations(connection, district_id) if township_id in {None, each.township_id}]
    ids = None if township_id is None else [each.station_id for each in chosen]
    begin_ms, end_ms = month_bounds(month, zone)
    sums = await _list_sums(connection, district_id, month, ids)
    downloaded = await _list_downloaded(connection, district_id, month, ids)
    stored = await _list_stored(connection, district_id, min(now_ms + 1, end_ms), ids)
    played = await _list_played(connection, district_id, month, ids)
    facts = await _list_facts(connection, district_id, month, ids)
    for tail in await list_unknown_tails(connection, district_id, since_ms=begin_ms, until_ms=end_ms):
        arrived, lost = facts.get(tail.station_id, (0, 0))
        facts[tail.station_id] = (arrived, lost + tail.lines)
    receipts = await _list_receipts(connection, district_id, chosen)
    losses = await list_lost(connection, district_id, month, ids, zone=zone)
    found = [
        _source(each, sums=sums, downloaded=downloaded, stored=stored, played=played, facts=facts, receipts=receipts)
        for each in chosen
    ]
    return [replace(each, losses=tuple(losses.get(each.station_id, ()))) for each in found]


async def list_lost(
    connection: Connection, district_id: int, month: int, ids: Sequence[int] | None, *, zone: ZoneInfo
) -> dict[int, list[Lost]]:
    """Of the month, what computers told while they were lost: judged by time when read, so it may arrive late."""
    begin_ms, end_ms = month_bounds(month, zone)
    found: dict[int, list[Lost]] = {}
    for loss in await list_losses(connection, district_id, ids):
        sessions, played = await _count_lost(connection, district_id, month, loss)
        if sessions or played or (loss.lost_ms < end_ms and loss.until_ms > begin_ms):
            found.setdefault(loss.station_id, []).append(Lost(local(loss.lost_ms, zone), sessions, played))
    return found


async def _count_lost(connection: Connection, district_id: int, month: int, loss: Loss) -> tuple[int, int]:
    """Study sessions and playbacks of the month within a loss. A claim is of the loss, too, when typed within it."""
    each, play = study_sessions.c, playbacks.c
    held = (each.begin_ms < loss.until_ms) & (each.end_ms >= loss.lost_ms)
    typed = (each.source == "station") & each.entered_ms.between(loss.lost_ms, loss.until_ms - 1)
    sessions = select(func.count()).where(
        *_of(study_sessions, district_id, [loss.station_id]),
        each.month == month,
        each.source != "centre",
        each.state.in_([SessionState.PROPOSED, SessionState.CLAIMED, SessionState.CONFIRMED]),
        or_(held, typed),
    )
    played = select(func.count()).where(
        *_of(playbacks, district_id, [loss.station_id]),
        play.month == month,
        ~play.impossible,
        play.begin_ms < loss.until_ms,
        play.end_ms >= loss.lost_ms,
    )
    row = (await connection.execute(select(sessions.scalar_subquery(), played.scalar_subquery()))).one()
    return row[0], row[1]


def _source(
    station: Station,
    *,
    sums: Mapping[int, Figures],
    downloaded: Mapping[int, list[str]],
    stored: Mapping[int, list[str]],
    played: Mapping[int, list[str]],
    facts: Mapping[int, tuple[int, int]],
    receipts: Mapping[int, Receipt],
) -> StationSource:
    number = station.station_id
    names = [each.get(number, []) for each in (downloaded, stored, played)]
    return StationSource(
        station_id=number,
        township_id=station.township_id,
        township=station.township,
        name=station.name,
        figures=replace(sums.get(number, Figures()), stored=len(names[1]), played=len(names[2])),
        downloaded_names=tuple(dict.fromkeys(names[0])),
        stored_names=tuple(dict.fromkeys(names[1])),
        played_names=tuple(dict.fromkeys(names[2])),
        stored_facts=facts.get(number, (0, 0))[0],
        lost_facts=facts.get(number, (0, 0))[1],
        receipt=receipts[number],
    )


async def _list_sums(
    connection: Connection, district_id: int, month: int, ids: Sequence[int] | None
) -> dict[int, Figures]:
    statement = (
        select(daily.c.station_id, *(func.sum(daily.c[name]) for name in _SUMMED))
        .where(*_of(daily, district_id, ids), daily.c.month == month)
        .group_by(daily.c.station_id)
    )
    rows = await connection.execute(statement)
    return {row[0]: Figures(**dict(zip(_SUMMED, map(int, row[1:]), strict=True))) for row in rows}


async def _list_downloaded(
    connection: Connection, district_id: int, month: int, ids: Sequence[int] | None
) -> dict[int, list[str]]:
    statement = (
        select(downloads.c.station_id, downloads.c.title)
        .where(*_of(downloads, district_id, ids), downloads.c.month == month)
        .order_by(downloads.c.station_id, downloads.c.at_ms, downloads.c.title)
    )
    return _titles(await connection.execute(statement))


async def _list_stored(
    connection: Connection, district_id: int, before_ms: int, ids: Sequence[int] | None
) -> dict[int, list[str]]:
    """Works on the disk just before this moment, each once however many copies there are, in order of first coming."""
    is_held = or_(stock.c.until_ms.is_(None), stock.c.until_ms >= before_ms)
    title = func.min(case((is_held, stock.c.title)))
    statement = (
        select(stock.c.station_id, title)
        .where(*_of(stock, district_id, ids), stock.c.present, stock.c.at_ms < before_ms)
        .group_by(stock.c.station_id, stock.c.sha256)
        .having(title.is_not(None))
        .order_by(stock.c.station_id, func.min(stock.c.at_ms), title)
    )
    return _titles(await connection.execute(statement))


async def _list_played(
    connection: Connection, district_id: int, month: int, ids: Sequence[int] | None
) -> dict[int, list[str]]:
    """Works played, first played first. A file nobody has the hash of is known by its title."""
    first_ms = func.min(playbacks.c.begin_ms)
    title = func.min(playbacks.c.title)
    statement = (
        select(playbacks.c.station_id, title)
        .where(*_of(playbacks, district_id, ids), playbacks.c.month == month, ~playbacks.c.impossible)
        .group_by(playbacks.c.station_id, playbacks.c.sha256, case((playbacks.c.sha256.is_(None), playbacks.c.title)))
        .order_by(playbacks.c.station_id, first_ms, title)
    )
    return _titles(await connection.execute(statement))


async def _list_facts(
    connection: Connection, district_id: int, month: int, ids: Sequence[int] | None
) -> dict[int, tuple[int, int]]:
    """Facts stored and facts declared lost."""
    statement = (
        select(tallies.c.station_id, func.sum(tallies.c.stored), func.sum(tallies.c.lost))
        .where(*_of(tallies, district_id, ids), tallies.c.month == month)
        .group_by(tallies.c.station_id)
    )
    return {row[0]: (int(row[1]), int(row[2])) for row in await connection.execute(statement)}


async def _list_receipts(connection: Connection, district_id: int, chosen: Iterable[Station]) -> dict[int, Receipt]:
    """How far each station has been heard; the newest fact is that of the queue it sends from now."""
    heard = await _list_heard(connection, district_id)
    newest = (
        select(tallies.c.station_id, tallies.c.stream, func.max(tallies.c.last_ms))
        .where(tallies.c.district_id == district_id)
        .group_by(tallies.c.station_id, tallies.c.stream)
    )
    last = {(row[0], row[1]): row[2] for row in await connection.execute(newest)}
    receipts = {}
    for station in chosen:
        stream, received_ms, waiting = heard.get(station.station_id, ("", None, 0))
        last_ms = last.get((station.station_id, stream))
        receipts[station.station_id] = Receipt(station.enrolled_ms, received_ms, last_ms, waiting)
    return receipts


async def _list_heard(connection: Connection, district_id: int) -> dict[int, tuple[str, int, int]]:
    """Stream, last receipt and number of facts not folded yet (on the station or here) of each station heard."""
    state = station_states.c
    statement = (
        select(state.station_id, state.stream, state.received_ms, state.heartbeat, streams.c.folded)
        .join(
            streams,
            (streams.c.district_id == state.district_id)
            & (streams.c.station_id == state.station_id)
            & (streams.c.stream == state.stream),
            isouter=True,
        )
        .where(state.district_id == district_id)
    )
    return {
        row.station_id: (row.stream, row.received_ms, max(0, _last_seq(row.heartbeat) - (row.folded or 0)))
        for row in await connection.execute(statement)
    }


def _last_seq(heartbeat: str) -> int:
    return int(json.loads(heartbeat)["spool"]["last"])


def _of(table: Table, district_id: int, ids: Sequence[int] | None) -> list[ColumnElement[bool]]:
    own = [table.c.district_id == district_id]
    return own if ids is None else [*own, table.c.station_id.in_(ids)]


def _titles(rows: Iterable[Any]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for station_id, title in rows:
        found.setdefault(station_id, []).append(title)
    return found
