"""What the faults domain does: it judges every station of a district and keeps what it finds, and its time line."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import NamedTuple
from uuid import UUID

from collector.areas import queries as areas
from collector.areas.calendar import Calendar, make_calendar
from collector.areas.opening import Expected, OpeningClock
from collector.areas.queries import AreaKind
from collector.db.engine import Connection
from collector.faults import links, queries, rules
from collector.faults.areas import Place
from collector.faults.cards import AREA_CARDS
from collector.faults.circles import unsearched
from collector.faults.judging import Scene, judge_district
from collector.faults.links import Track
from collector.faults.outages import Excuses, load_excuses
from collector.faults.reading import Told, read_hours, read_told
from collector.faults.rules.base import SIGNS_KEPT_DAYS, Card, Past, Rule, Suspicion, Swap, View
from collector.faults.standing import Key, Standing, area_subject, station_subject
from collector.faults.views import Centre, Known, make_silent_view, make_unheard_view, make_view, note_arrival
from collector.stations import queries as stations
from collector.stations.queries import Post, Pulse
from collector.timeline import service as timeline
from collector.timeline.presence import Ear, Sight
from shared.discover import discover

_NONE: frozenset[str] = frozenset()
_SIGNS_MS = SIGNS_KEPT_DAYS * 86_400_000


_read = lru_cache(maxsize=1024)(read_told)
"""A district is judged many times between two heartbeats: what a station said is taken apart once, if it is not one of
very many."""


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
) -> None:
    """Judge every enrolled station of a district, and keep what stands.

    `ready_since_ms` is when this centre's intake became healthy: our own downtime accuses nobody. `patience`
    shortens the waits of the rules.
    """
    centre = Centre(ready_since_ms=ready_since_ms, period_s=period_s, grace_s=grace_s)
    with unsearched():
        # In a call of its own: its rows are gone when the search may begin again.
        await _judge(connection, district_id, centre, patience=patience, now_ms=now_ms)


async def _judge(connection: Connection, district_id: int, centre: Centre, *, patience: float, now_ms: int) -> None:
    ear = await timeline.listen(connection, district_id, **centre._asdict(), now_ms=now_ms)
    books = await _open_books(connection, district_id, ear)
    seen = [_see(each, books, centre) for each in books.posts]
    scene = Scene(
        views=[each.view for each in seen],
        places=await _list_places(connection, district_id, books.posts),
        old=books.old,
        district=await _district_subject(connection, district_id),
        limits=books.limits,
        period_s=centre.period_s,
        grace_s=centre.grace_s,
        now_ms=now_ms,
        patience=patience,
    )
    new = judge_district(scene, list_rules())
    await queries.put_findings(connection, district_id, books.old, new)
    await queries.end_findings(connection, district_id, books.old.keys() - new.keys())
    await _remember(connection, district_id, seen, books)


@dataclass(frozen=True, slots=True)
class _Books:
    """Everything the tables say of a district before a round; mappings are by station.

    `look` is the number of this look at the links, `first_look` of the first since the centre hears.
    """

    ear: Ear
    clock: OpeningClock
    posts: Sequence[Post]
    pulses: Mapping[int, Pulse]
    excuses: Excuses
    old: Mapping[Key, Standing]
    open_rules: Mapping[int, frozenset[str]]
    arrivals: Mapping[int, queries.Arrivals]
    suspicions: Mapping[int, Suspicion]
    swaps: Mapping[int, Swap]
    tracks: Mapping[int, Track]
    pasts: Mapping[int, Past]
    limits: Mapping[str, Mapping[str, object]]
    look: int
    first_look: int


class _Seen(NamedTuple):
    """One station in this round: its view, its hours and its link."""

    view: View
    hours: Sequence[str]
    told: Told | None
    pulse: Pulse | None
    track: Track | None


async def _open_books(connection: Connection, district_id: int, ear: Ear) -> _Books:
    district = await areas.get_district(connection, district_id)
    settings = {} if district is None else district.settings
    own = settings.get("rules")
    old = await queries.list_findings(connection, district_id)
    fresh_ms = ear.now_ms - ear.period_ms - ear.grace_ms
    pulses = await stations.list_pulses(connection, district_id, fresh_ms=fresh_ms)
    heard = {number for number, each in pulses.items() if each.heartbeat is not None}
    suspicions, swaps = await queries.list_signs(connection, district_id, since_ms=ear.now_ms - _SIGNS_MS)
    return _Books(
        ear=ear,
        clock=OpeningClock(_calendar(settings), ear.now_ms),
        posts=await stations.list_posts(connection, district_id),
        pulses=pulses,
        excuses=await load_excuses(connection, district_id, now_ms=ear.now_ms),
        old=old,
        open_rules=_list_open_rules(old.values()),
        arrivals=await queries.list_arrivals(connection, district_id, heard),
        suspicions=suspicions,
        swaps=swaps,
        tracks=await queries.list_tracks(connection, district_id),
        pasts=await queries.list_pasts(connection, district_id, heard),
        limits=own if isinstance(own, dict) else {},
        look=ear.now_ms // ear.period_ms,
        first_look=ear.ready_since_ms // ear.period_ms,
    )


def _list_open_rules(rows: Iterable[Standing]) -> dict[int, frozenset[str]]:
    found: dict[int, list[str]] = {}
    for row in rows:
        if row.open and row.station_id is not None:
            found.setdefault(row.station_id, []).append(row.rule)
    return {number: frozenset(names) for number, names in found.items()}


def _calendar(settings: Mapping[str, object]) -> Calendar:
    return make_calendar(settings)


def _see(post: Post, books: _Books, centre: Centre) -> _Seen:
    """One station as it is now. Of one long silent only the opening hours and the link are known."""
    number = post.station_id
    open_rules = books.open_rules.get(number, _NONE)
    pulse = books.pulses.get(number)
    if pulse is None:
        view = make_unheard_view(post, _expect(books, number, ()), open_rules, centre)
        return _Seen(view, (), None, None, None)
    told = None if pulse.heartbeat is None else _read(pulse.heartbeat)
    hours = read_hours(pulse.hours) if told is None else told.hours
    expected = _expect(books, number, hours)
    track = _track(pulse, expected, books)
    link = None if track is None else links.weigh(track, look=books.look, first_look=books.first_look)
    if told is None:
        view = make_silent_view(pulse, expected, open_rules, link, centre)
        return _Seen(view, hours, None, pulse, track)
    known = Known(
        expected=expected,
        open_rules=open_rules,
        link=link,
        arrivals=books.arrivals.get(number),
        suspicion=books.suspicions.get(number),
        swap=books.swaps.get(number),
        past=books.pasts.get(number),
    )
    return _Seen(make_view(pulse, told, known, centre), hours, told, pulse, track)


def _expect(books: _Books, station_id: int, hours: Sequence[str]) -> Expected:
    """Whether a station is expected on: its hours and the holidays, then what people have told us of outages."""
    if station_id in books.excuses.now:
        return Expected(False, books.ear.now_ms)
    expected = books.clock.tell(hours)
    ended_ms = books.excuses.ended.get(station_id)
    return expected if ended_ms is None or ended_ms <= expected.since_ms else Expected(expected.is_on, ended_ms)


def _track(pulse: Pulse, expected: Expected, books: _Books) -> Track | None:
    """What is known of a link after this look. While a station is not expected on, nothing is looked at."""
    ear, before = books.ear, books.tracks.get(pulse.station_id)
    if not expected.is_on:
        return before
    from_ms = max(ear.ready_since_ms, expected.since_ms)
    lost = links.is_lost(pulse.received_ms, from_ms=from_ms, period_ms=ear.period_ms, now_ms=ear.now_ms)
    return links.note(
        before, pulse.station_id, lost=lost, look=books.look, first_look=books.first_look, now_ms=ear.now_ms
    )


async def _remember(connection: Connection, district_id: int, seen: Sequence[_Seen], books: _Books) -> None:
    """What this round leaves for later ones: arrivals of courseware, links that changed, the time line."""
    noted = [note_arrival(each.view, books.arrivals.get(each.view.station_id)) for each in seen]
    await queries.put_arrivals(connection, district_id, [each for each in noted if each is not None])
    changed = [each.track for each in seen if each.track is not None]
    changed = [each for each in changed if books.tracks.get(each.station_id) is not each]
    await queries.put_tracks(connection, district_id, changed)
    gone = [each.view.station_id for each in seen if each.track is None and each.view.station_id in books.tracks]
    await queries.drop_tracks(connection, district_id, gone)
    await timeline.keep(connection, district_id, _list_sights(seen, books), books.ear)
    alive = {
        each.pulse.station_id: (each.pulse.stream.hex(), each.pulse.received_ms - each.pulse.mono_ms)
        for each in seen
        if each.pulse is not None and each.told is not None and each.told.waiting == 0
    }
    await timeline.judge_returned(connection, district_id, alive, now_ms=books.ear.now_ms)


def _list_sights(seen: Sequence[_Seen], books: _Books) -> Iterator[Sight]:
    gap = books.ear.gap
    for each in seen:
        view = each.view
        if not view.is_heard:
            continue
        in_gap = () if gap is None else tuple(books.clock.list_changes(each.hours, from_ms=gap[0], to_ms=gap[1]))
        yield Sight(view.station_id, view.received_ms, view.expected_on, view.expected_since_ms, in_gap)


async def _list_places(connection: Connection, district_id: int, posts: Sequence[Post]) -> dict[int, Place]:
    """Where every station is, by its number."""
    names = {
        each.area_id: each.short for each in await areas.list_areas(connection, district_id, kind=AreaKind.TOWNSHIP)
    }
    ids = {each: UUID(each) for each in {post.township_id for post in posts}}
    townships = {each: (area_subject(area_id), names.get(area_id, "")) for each, area_id in ids.items()}
    return {
        number: Place(station_subject(number), *townships[township_id]) for number, township_id, _enrolled_ms in posts
    }


async def _district_subject(connection: Connection, district_id: int) -> str | None:
    found = await areas.list_areas(connection, district_id, kind=AreaKind.DISTRICT)
    return area_subject(found[0].area_id) if found else None
