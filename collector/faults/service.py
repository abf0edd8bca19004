"""What the faults domain does: it judges every station of a district and keeps what it finds."""

from collections.abc import Mapping
from functools import cache
from typing import TypedDict, Unpack

from collector.areas import queries as areas
from collector.areas.queries import AreaKind
from collector.db.engine import Connection
from collector.faults import queries, rules
from collector.faults.areas import Place
from collector.faults.cards import AREA_CARDS
from collector.faults.judging import Scene, judge_district
from collector.faults.outages import excuse, list_excused
from collector.faults.rules.base import Card, Rule, Suspicion, View
from collector.faults.standing import Change, Key, Standing, area_subject, list_differences, station_subject
from collector.faults.views import make_unheard_view, make_view, note_arrival
from collector.stations import queries as stations
from collector.stations.queries import Station, StationState
from shared.discover import discover

_SUSPECT_MS = 8 * 86_400_000
"""Longer than any rule looks back."""


class _Centre(TypedDict):
    """What holds for every station alike."""

    ready_since_ms: int
    period_s: int
    grace_s: int


@cache
def list_rules() -> Mapping[str, Rule]:
    """Every rule by name. Raises BadPluginError for a file that exports none; call it once at the start."""
    return discover(rules, "RULE", Rule)


@cache
def list_cards() -> Mapping[str, Card]:
    """What people read about every kind of fault, those of areas and of the centre itself included, by name."""
    return {**AREA_CARDS, **list_rules()}


async def judge(
    connection: Connection,
    district_id: int,
    *,
    period_s: int,
    grace_s: int,
    ready_since_ms: int,
    now_ms: int,
    patience: float = 1.0,
) -> list[Change]:
    """Judge every station of a district that has been heard, and keep what stands. Returns what opened and closed.

    `ready_since_ms` is when this centre's intake became healthy: our own downtime accuses nobody. `patience`
    shortens the waits of the rules.
    """
    old = await queries.list_findings(connection, district_id)
    known = await queries.list_arrivals(connection, district_id)
    states = await stations.list_states(connection, district_id)
    enrolled = [each for each in await stations.list_stations(connection, district_id) if each.enrolled_ms is not None]
    centre = _Centre(ready_since_ms=ready_since_ms, period_s=period_s, grace_s=grace_s)
    suspicions = await queries.list_suspicions(connection, district_id, since_ms=now_ms - _SUSPECT_MS)
    views = [
        _look(each, states.get(each.station_id), known.get(each.station_id), old, suspicions, **centre)
        for each in enrolled
    ]
    scene = Scene(
        views=excuse(views, await list_excused(connection, district_id, now_ms=now_ms)),
        places={each.station_id: _place(each) for each in enrolled},
        old=old,
        district=await _district_subject(connection, district_id),
        limits=await _limits(connection, district_id),
        period_s=period_s,
        patience=patience,
        grace_s=grace_s,
        now_ms=now_ms,
    )
    new = judge_district(scene, list_rules())
    await queries.put_findings(connection, district_id, [row for key, row in new.items() if old.get(key) != row])
    await queries.end_findings(connection, district_id, old.keys() - new.keys())
    noted = [note_arrival(view, known.get(view.station_id)) for view in views]
    await queries.put_arrivals(connection, district_id, [each for each in noted if each is not None])
    return list_differences(old, new)


def _look(
    station: Station,
    state: StationState | None,
    arrivals: queries.Arrivals | None,
    old: Mapping[Key, Standing],
    suspicions: Mapping[int, Suspicion],
    **centre: Unpack[_Centre],
) -> View:
    open_rules = _open_rules(old, station.station_id)
    if state is None:
        return make_unheard_view(station, enrolled_ms=station.enrolled_ms or 0, open_rules=open_rules, **centre)
    suspicion = suspicions.get(station.station_id)
    return make_view(station, state, arrivals, open_rules=open_rules, suspicion=suspicion, **centre)


def _open_rules(old: Mapping[Key, Standing], station_id: int) -> frozenset[str]:
    subject = station_subject(station_id)
    return frozenset(name for name in list_rules() if (row := old.get((subject, name))) is not None and row.open)


def _place(station: Station) -> Place:
    return Place(station_subject(station.station_id), area_subject(station.township_id), station.township)


async def _district_subject(connection: Connection, district_id: int) -> str | None:
    found = await areas.list_areas(connection, district_id, kind=AreaKind.DISTRICT)
    return area_subject(found[0].area_id) if found else None


async def _limits(connection: Connection, district_id: int) -> Mapping[str, Mapping[str, object]]:
    """Thresholds the district has set for itself, under `rules` in its settings."""
    found = await areas.get_district(connection, district_id)
    own = None if found is None else found.settings.get("rules")
    return own if isinstance(own, dict) else {}
