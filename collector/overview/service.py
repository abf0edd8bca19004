"""Puts the overview together: totals, townships worst first, one page of cells; and notices that something changed."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from uuid import UUID

from collector.centre import Centre
from collector.db.engine import Connection
from collector.overview import queries
from collector.overview.queries import Cell, Count, Wanted
from collector.stations.words import Limits, Status, limits_at
from collector.tickets import queries as tickets

CELLS_A_PAGE = 400
_TICKETS_WATCHED = 50
_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class TownshipRow:
    """One line of the matrix. `counts` are of the whole township, `cells` only what the filter asks for."""

    township_id: UUID
    township: str
    sort: int
    counts: dict[Status, int]
    cells: tuple[Cell, ...] = ()

    @property
    def stations(self) -> int:
        return sum(self.counts.values())

    @property
    def online(self) -> int:
        return self.counts.get(Status.ONLINE, 0)

    @property
    def badness(self) -> float:
        """Share of the installed stations that are offline; one that is late counts a quarter."""
        installed = self.stations - self.counts.get(Status.UNSEEN, 0)
        bad = self.counts.get(Status.OFFLINE, 0) + self.counts.get(Status.LATE, 0) / 4
        return bad / installed if installed else 0.0


@dataclass(frozen=True, slots=True)
class Board:
    """The overview of what a person may see. `found` stations fit the filter; pages count from 1."""

    totals: dict[Status, int]
    rows: tuple[TownshipRow, ...]
    townships: tuple[tuple[UUID, str], ...]
    found: int
    page: int
    pages: int

    @property
    def stations(self) -> int:
        return sum(self.totals.values())


async def limits_of(connection: Connection, centre: Centre, district_id: int, *, ready_ms: int) -> Limits:
    """The bounds of every status now. `ready_ms` is since when this centre hears stations, 0 when it is not known."""
    settings, now_ms = centre.settings, centre.now_ms
    away = None
    if now_ms <= ready_ms + (settings.heartbeat_s + settings.grace_s) * 1000:
        away = (await queries.last_heard_before(connection, district_id, ready_ms), ready_ms)
    return limits_at(now_ms, heartbeat_s=settings.heartbeat_s, grace_s=settings.grace_s, away=away)


async def look(connection: Connection, scope: Wanted, asked: Wanted, limits: Limits, *, page: int = 1) -> Board:
    """The board: totals of the whole `scope`, rows and cells of what is `asked` inside it."""
    all_rows = by_township(await queries.count_stations(connection, scope, limits))
    shown = all_rows
    found = sum(row.stations for row in all_rows)
    if asked != scope:
        fitting = by_township(await queries.count_stations(connection, asked, limits))
        found = sum(row.stations for row in fitting)
        shown = [row for row in all_rows if any(row.township_id == each.township_id for each in fitting)]
    pages = split_pages(sorted(shown, key=lambda row: (-row.badness, row.sort, row.township)), CELLS_A_PAGE)
    page = min(max(page, 1), len(pages))
    wanted = pages[page - 1]
    cells = await queries.list_cells(
        connection, asked, limits, townships=[row.township_id for row in wanted], limit=CELLS_A_PAGE * 2
    )
    return Board(
        totals={status: sum(row.counts.get(status, 0) for row in all_rows) for status in Status},
        rows=tuple(
            replace(row, cells=tuple(each for each in cells if each.township_id == row.township_id)) for row in wanted
        ),
        townships=tuple((row.township_id, row.township) for row in all_rows),
        found=found,
        page=page,
        pages=len(pages),
    )


def by_township(counts: list[Count]) -> list[TownshipRow]:
    """Counts gathered into one row a township, in official order."""
    rows: dict[UUID, TownshipRow] = {}
    for each in counts:
        row = rows.setdefault(each.township_id, TownshipRow(each.township_id, each.township, each.sort, {}))
        row.counts[each.status] = each.stations
    return list(rows.values())


def split_pages(rows: list[TownshipRow], cells: int) -> list[list[TownshipRow]]:
    """Whole townships to a page, until its cells are used up; there is always a first page."""
    pages: list[list[TownshipRow]] = [[]]
    used = 0
    for row in rows:
        if pages[-1] and used + row.stations > cells:
            pages.append([])
            used = 0
        pages[-1].append(row)
        used += row.stations
    return pages


class Watch:
    """Says which topics of a district have changed. The database is asked once for all who listen, every few seconds.

    Asking the database, not the process, means that changes made by another process are seen too.
    """

    def __init__(self, centre: Centre, *, ready_ms: int, every_s: float = _EVERY_S) -> None:
        self._centre = centre
        self._ready_ms = ready_ms
        self._every_s = every_s
        self._seen: dict[int, tuple[float, dict[str, int]]] = {}
        self._turn = asyncio.Lock()

    async def topics(self, district_id: int, *, rounds: int) -> AsyncIterator[str]:
        """Topics as they change: `stations`, `tickets`. Ends after so many rounds, so that sign-outs take hold."""
        known = await self._now(district_id)
        for _ in range(rounds):
            await asyncio.sleep(self._every_s)
            present = await self._now(district_id)
            for topic in present:
                if present[topic] != known[topic]:
                    yield topic
            known = present

    async def _now(self, district_id: int) -> dict[str, int]:
        async with self._turn:
            at, seen = self._seen.get(district_id, (float("-inf"), {}))
            now = asyncio.get_running_loop().time()
            if now - at >= self._every_s * 0.9:
                seen = await self._ask(district_id)
                self._seen[district_id] = (now, seen)
            return seen

    async def _ask(self, district_id: int) -> dict[str, int]:
        async with self._centre.database.read() as connection:
            limits = await limits_of(connection, self._centre, district_id, ready_ms=self._ready_ms)
            counts = await queries.count_stations(connection, Wanted(district_id), limits)
            listed = await tickets.list_tickets(connection, district_id, limit=_TICKETS_WATCHED)
        return {
            "stations": hash(tuple(counts)),
            "tickets": hash(tuple((each.ticket_id, each.version) for each in listed)),
        }
