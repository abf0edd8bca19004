"""One station's books, open in one transaction: read the next events in, settle the days they touch.

    events ─▶ facts ─▶ playbacks, claims, stock, downloads, tallies ─▶ touched days ─▶ proposed sessions, daily sums

Rows are merged so that order of arrival cannot matter, and days are worked out of the rows alone.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar
from zoneinfo import ZoneInfo

from collector.errors import ConflictError
from collector.usage import fold_queries as queries
from collector.usage import stock_queries
from collector.usage.facts import StoredEvent, gap_last, read_facts, shift_day
from collector.usage.fold_queries import Tally, Unfolded
from collector.usage.gatherings import latest_claim, settle_day, touched_days
from collector.usage.playing import join
from collector.usage.queries import Connection
from collector.usage.records import Playback, SessionState, StudySession
from collector.usage.rules import UsageRules

T = TypeVar("T", Playback, StudySession)


@dataclass(frozen=True, slots=True)
class Books:
    """Whose books, in which transaction, by which rules and calendar."""

    connection: Connection
    district_id: int
    station_id: int
    zone: ZoneInfo
    rules: UsageRules
    now_ms: int


async def fold_station(books: Books, streams: Sequence[Unfolded], *, limit: int) -> int:
    """Fold at most `limit` events of one station's streams. Returns how many.

    Raises ConflictError when another folder was quicker; the transaction must then be rolled back.
    """
    events = await _take(books, streams, limit=limit)
    facts = read_facts(books.station_id, events, zone=books.zone)
    whose = (books.connection, books.district_id, books.station_id)
    await _tally(books, events)
    await stock_queries.put_moves(*whose, facts.moves, facts.inventories)
    await queries.put_works(books.connection, books.district_id, facts.works)
    days = await queries.put_downloads(*whose, facts.downloads)
    days |= await _merge_claims(books, facts.claims)
    merged, known = await _merge_playbacks(books, facts.playbacks)
    days |= {each.day for each in (*merged.values(), *known.values())}
    await settle(books, days, merged=merged, known=known)
    return len(events)


async def settle(
    books: Books,
    days: Collection[int],
    *,
    merged: Mapping[str, Playback] | None = None,
    known: Mapping[str, Playback] | None = None,
) -> None:
    """Work these days out of the tables again, and write what changed.

    `merged` are playbacks not written yet, `known` the rows they replace.
    """
    if not days:
        return
    whose = (books.connection, books.district_id, books.station_id)
    stored = {each.playback: each for each in await queries.list_day_playbacks(*whose, days)}
    before = {**stored, **(known or {})}
    today = _by_day({**stored, **(merged or {})}.values())
    sessions = await queries.list_sessions_between(
        *whose, first_day=shift_day(min(days), -1), last_day=shift_day(max(days), 1)
    )
    entered = _by_day(each for each in sessions if each.state is not SessionState.PROPOSED)
    downloaded = await queries.count_downloads(*whose, days)
    old_sums = await queries.list_daily(*whose, days)
    new_playbacks: list[Playback] = []
    new_sessions: dict[str, StudySession] = {}
    new_sums: dict[int, Mapping[str, int]] = {}
    for day in sorted(days):
        near = [each for shift in (-1, 0, 1) for each in entered.get(shift_day(day, shift), [])]
        settled = settle_day(
            day, today.get(day, []), near, downloaded=downloaded.get(day, 0), rules=books.rules, zone=books.zone
        )
        new_playbacks.extend(each for each in settled.playbacks if before.get(each.playback) != each)
        new_sessions.update({each.session_id: each for each in settled.sessions})
        # A day without anything has no row, unless it had one.
        if old_sums.get(day, dict.fromkeys(queries.SUMS, 0)) != settled.sums:
            new_sums[day] = settled.sums
    await queries.put_playbacks(books.connection, books.district_id, new_playbacks)
    await _put_sessions(books, [each for each in sessions if each.day in days], new_sessions)
    await queries.put_daily(*whose, new_sums, now_ms=books.now_ms)


async def _take(books: Books, streams: Sequence[Unfolded], *, limit: int) -> list[StoredEvent]:
    """Events of these streams in their order, with `folded` moved behind them."""
    await queries.lock_station(books.connection, books.district_id, books.station_id)
    events: list[StoredEvent] = []
    for stream in streams:
        left = limit - len(events)
        if left > 0:
            batch = await queries.list_events(books.connection, stream, limit=left)
            folded = batch[-1].seq if len(batch) == left else stream.stored
            if not await queries.move_folded(books.connection, stream, folded=folded):
                raise ConflictError
            events.extend(batch)
    return events


async def _merge_playbacks(
    books: Books, reports: Iterable[Playback]
) -> tuple[dict[str, Playback], dict[str, Playback]]:
    """Playbacks with these reports joined in, and the rows as they were before. Nothing is written."""
    grouped: dict[str, list[Playback]] = {}
    for each in reports:
        grouped.setdefault(each.playback, []).append(each)
    rows = await queries.list_known_playbacks(books.connection, books.district_id, books.station_id, set(grouped))
    known = {each.playback: each for each in rows}
    merged = {
        playback: join([*([known[playback]] if playback in known else []), *each], zone=books.zone)
        for playback, each in grouped.items()
    }
    return merged, known


async def _merge_claims(books: Books, claims: Iterable[StudySession]) -> set[int]:
    """Write what stations claim. Returns the days whose playbacks these claims may cover, or no longer cover."""
    grouped: dict[str, list[StudySession]] = {}
    for each in claims:
        grouped.setdefault(each.session_id, []).append(each)
    known = await queries.list_known_sessions(books.connection, books.district_id, books.station_id, set(grouped))
    days: set[int] = set()
    for each in known:
        days |= touched_days(each, zone=books.zone)
        grouped[each.session_id].append(each)
    merged = [latest_claim(each) for each in grouped.values()]
    for each in merged:
        days |= touched_days(each, zone=books.zone)
    await queries.put_sessions(books.connection, books.district_id, merged)
    return days


async def _put_sessions(books: Books, old: Sequence[StudySession], new: Mapping[str, StudySession]) -> None:
    """Write sessions that changed and drop proposals the days no longer make."""
    before = {each.session_id: each for each in old}
    gone = {each.session_id for each in old if each.state is SessionState.PROPOSED and each.session_id not in new}
    await queries.drop_proposed(books.connection, books.district_id, books.station_id, gone)
    changed = [each for each in new.values() if before.get(each.session_id) != each]
    await queries.put_sessions(books.connection, books.district_id, changed)


async def _tally(books: Books, events: Iterable[StoredEvent]) -> None:
    """Count facts stored and declared lost, each seq once however often it is folded."""
    grouped: dict[tuple[str, int], list[StoredEvent]] = {}
    for event in events:
        grouped.setdefault((event.stream, event.booked_month), []).append(event)
    whose = (books.connection, books.district_id, books.station_id)
    found = await queries.list_tallies(*whose, {stream for stream, _ in grouped})
    counted = [_count(found.get(key) or Tally(*key, 0, 0, 0, None), each) for key, each in grouped.items()]
    await queries.put_tallies(*whose, counted)


def _count(tally: Tally, events: Iterable[StoredEvent]) -> Tally:
    stored, lost, through, last_ms = tally.stored, tally.lost, tally.through, tally.last_ms
    for event in events:
        last = gap_last(event)
        if last is None:
            stored += event.seq > through
        else:
            lost += max(0, last - max(event.seq - 1, through))
        through = max(through, event.seq if last is None else last)
        if not event.uncertain:
            last_ms = max(last_ms or 0, event.booked_ms)
    return replace(tally, stored=stored, lost=lost, through=through, last_ms=last_ms)


def _by_day(rows: Iterable[T]) -> dict[int, list[T]]:
    found: dict[int, list[T]] = {}
    for each in rows:
        found.setdefault(each.day, []).append(each)
    return found
