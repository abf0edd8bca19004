"""A reported power cut or maintenance pages nobody, and hides nothing that outlasts it."""

import asyncio

import pytest

from collector.errors import BadInputError, NotFoundError
from collector.faults import outages
from collector.faults.queries import Outage, OutageKind
from collector.tickets.service import share_below_centre
from collector.timeline.queries import Availability, availability
from tests.districts import NOW_MS
from tests.watching import MINUTE_MS, Watch, watch

TITLE = "宝轮镇 红星村"
FULL = {"host": {"disk_free": 1024**3, "disk_total": 100 * 1024**3}}
DAY_MS = 86_400_000


async def _report(district: Watch, minutes: int, *, township: str | None = None) -> int:
    async with district.database.write() as connection:
        return await outages.report_outage(
            connection,
            district.district.district_id,
            kind=OutageKind.POWER_CUT,
            station_id=None if township else district.district.stations[TITLE],
            area_id=district.district.townships[township] if township else None,
            from_ms=district.now_ms,
            to_ms=district.now_ms + minutes * MINUTE_MS,
            now_ms=district.now_ms,
        )


def test_a_station_in_a_reported_power_cut_gets_no_ticket_until_it_is_over(database_url: str) -> None:
    async def story() -> tuple[int, list[str]]:
        async with watch(database_url) as district:
            await _report(district, 60)
            district.silent = {TITLE}
            await district.run(55)
            during = len(await district.tickets())
            await district.run(5 + 21)
            return during, [each.rule for each in await district.tickets()]

    assert asyncio.run(story()) == (0, ["station_silent"])


def test_a_township_under_maintenance_pages_nobody_whatever_breaks(database_url: str) -> None:
    async def story() -> tuple[int, int, list[str]]:
        async with watch(database_url) as district:
            await _report(district, 90, township="宝轮镇")
            district.silent = {each for each in district.district.stations if each.startswith("宝轮镇")} - {TITLE}
            district.probes = {TITLE: FULL}
            await district.run(60)
            findings = [row.rule for row in (await district.findings()).values() if row.open]
            return len(await district.tickets()), len(await district.messages()), findings

    assert asyncio.run(story()) == (0, 0, ["disk_low"])


def test_an_outage_taken_back_excuses_nobody(database_url: str) -> None:
    async def story() -> int:
        async with watch(database_url) as district:
            number = await _report(district, 600)
            async with district.database.write() as connection:
                await outages.end_outage(connection, district.district.district_id, number, now_ms=district.now_ms)
                with pytest.raises(NotFoundError):
                    await outages.end_outage(connection, district.district.district_id, number, now_ms=district.now_ms)
            district.silent = {TITLE}
            await district.run(40)
            return len(await district.tickets())

    assert asyncio.run(story()) == 1


@pytest.mark.parametrize(
    ("passed_ms", "is_current"),
    [(-1, False), (0, True), (3_599_999, True), (3_600_000, False), (7 * DAY_MS, True), (8 * DAY_MS, False)],
)
def test_one_that_repeats_comes_back_every_week(passed_ms: int, *, is_current: bool) -> None:
    weekly = Outage(1, OutageKind.MAINTENANCE, 1, None, NOW_MS, NOW_MS + 3_600_000, 7, "", None)
    assert outages.is_current(weekly, NOW_MS + passed_ms) is is_current


def test_a_power_cut_told_of_afterwards_is_as_if_it_had_been_known(database_url: str) -> None:
    async def story() -> tuple[list[str], float | None, float | None, Availability, Availability]:
        async with watch(database_url) as district:
            number, since_ms = district.district.district_id, district.now_ms
            await district.run(5)
            district.silent = {TITLE}
            await district.run(60)
            district.silent, district.waiting, over_ms = set(), {TITLE: 3}, district.now_ms
            await district.run(45)
            (ticket,) = await district.tickets(open_only=False)
            before = await _figures(district)
            async with district.database.write() as connection:
                await outages.report_outage(
                    connection,
                    number,
                    kind=OutageKind.POWER_CUT,
                    area_id=district.district.townships["宝轮镇"],
                    from_ms=since_ms + 9 * MINUTE_MS,
                    to_ms=over_ms + 5 * MINUTE_MS,
                    now_ms=district.now_ms,
                )
            await district.run(2)
            after = await _figures(district)
            return await district.actions(ticket.ticket_id), before[0], after[0], before[1], after[1]

    actions, share_before, share_after, before, after = asyncio.run(story())
    assert actions == ["opened", "recovered", "closed", "excused"]
    assert (share_before, share_after) == (1.0, None), "no fault is left"
    assert before.down_ms == 60 * MINUTE_MS
    assert (after.down_ms, after.off_ms) == (0, 61 * MINUTE_MS)


def test_what_outlasts_a_power_cut_told_of_afterwards_stays_a_fault(database_url: str) -> None:
    async def story() -> tuple[list[str], int]:
        async with watch(database_url) as district:
            from_ms = district.now_ms
            district.silent = {TITLE}
            await district.run(60)
            ticket = await district.ticket()
            async with district.database.write() as connection:
                await outages.report_outage(
                    connection,
                    district.district.district_id,
                    kind=OutageKind.POWER_CUT,
                    station_id=district.district.stations[TITLE],
                    from_ms=from_ms,
                    to_ms=from_ms + 30 * MINUTE_MS,
                    now_ms=district.now_ms,
                )
            await district.run(5)
            return await district.actions(ticket.ticket_id), (await _figures(district))[1].down_ms

    actions, down_ms = asyncio.run(story())
    assert actions == ["opened"]
    assert down_ms == 35 * MINUTE_MS


async def _figures(district: Watch) -> tuple[float | None, Availability]:
    """The headline figure up to now, and the availability of the station."""
    number, now_ms = district.district.district_id, district.now_ms
    async with district.database.read() as connection:
        share = await share_below_centre(connection, number, from_ms=0, to_ms=now_ms + 1)
        known = await availability(connection, number, NOW_MS, now_ms)
    return share, known[district.district.stations[TITLE]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"to_ms": 0},
        {"station_id": None},
        {"every_days": 1, "to_ms": NOW_MS + 2 * DAY_MS},
        {"from_ms": NOW_MS - 400 * DAY_MS},
    ],
)
def test_what_makes_no_sense_is_refused(database_url: str, wrong: dict[str, int | None]) -> None:
    async def story() -> None:
        async with watch(database_url) as district, district.database.write() as connection:
            said: dict[str, int | None] = {"from_ms": NOW_MS, "to_ms": NOW_MS + DAY_MS, "station_id": 1, **wrong}
            await outages.report_outage(
                connection,
                district.district.district_id,
                kind=OutageKind.MAINTENANCE,
                now_ms=NOW_MS,
                **said,  # type: ignore[arg-type]
            )

    with pytest.raises(BadInputError):
        asyncio.run(story())
