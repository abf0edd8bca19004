"""The time line as the database keeps it, over cuts, nights and our own downtime."""

import asyncio
import json
from collections.abc import Sequence
from itertools import pairwise

from collector.faults import service as faults
from collector.intake.models import events, streams
from collector.timeline import queries, service
from collector.timeline.presence import Presence, Stretch
from tests.districts import NOW_MS
from tests.watching import GRACE_S, MINUTE_MS, PERIOD_S, Watch, watch

TITLE = "宝轮镇 红星村"
UP, DOWN, OFF, UNKNOWN = Presence.UP, Presence.DOWN, Presence.OFF, Presence.UNKNOWN
CLOSING = 140
"""Minutes from the beginning to nine in the evening."""


async def line(district: Watch, title: str = TITLE) -> list[tuple[Presence, int, int | None]]:
    async with district.database.read() as connection:
        found = await queries.list_stretches(
            connection,
            district.district.district_id,
            district.district.stations[title],
            from_ms=0,
            to_ms=district.now_ms + 1,
        )
    return [
        (each.presence, _minute(each.from_ms), None if each.to_ms is None else _minute(each.to_ms)) for each in found
    ]


def _minute(ms: int) -> int:
    return round((ms - NOW_MS) / MINUTE_MS)


def test_a_silence_is_down_from_the_heartbeat_that_did_not_come(database_url: str) -> None:
    async def story() -> list[tuple[Presence, int, int | None]]:
        async with watch(database_url) as district:
            await district.run(10)
            district.silent = {TITLE}
            await district.run(30)
            district.silent, district.waiting = set(), {TITLE: 3}
            await district.run(5)
            return await line(district)

    assert asyncio.run(story()) == [(UP, 0, 15), (DOWN, 15, 45), (UP, 45, None)]


def test_at_closing_time_nobody_is_expected_and_in_the_morning_everybody_is(database_url: str) -> None:
    async def story() -> tuple[list[tuple[Presence, int, int | None]], list[str]]:
        async with watch(database_url) as district:
            await district.run(CLOSING + 1)
            district.silent = set(district.district.stations) - {TITLE}
            for _ in range(12 * 12):
                district.now_ms += 5 * MINUTE_MS
                await district.beat()
                await district.round()
            told = [each.rule for each in await district.tickets(open_only=False)]
            return await line(district), told

    stretches, told = asyncio.run(story())
    assert stretches == [(UP, 0, 140), (OFF, 140, 860), (UP, 860, None)]
    assert told == []


def test_a_station_says_its_own_hours(database_url: str) -> None:
    async def story() -> list[tuple[Presence, int, int | None]]:
        async with watch(database_url) as district:
            district.hours = {TITLE: ["08:00-19:00"]}
            await district.run(40)
            return await line(district)

    assert asyncio.run(story()) == [(UP, 0, 20), (OFF, 20, None)]


def test_the_centres_own_downtime_is_unknown_until_the_station_has_told(database_url: str) -> None:
    async def story() -> Sequence[list[tuple[Presence, int, int | None]]]:
        async with watch(database_url) as district:
            await district.run(10)
            district.now_ms += 60 * MINUTE_MS
            district.ready_since_ms = district.now_ms
            district.waiting = {TITLE: 7}
            await district.run(5)
            before = await line(district)
            district.waiting = {}
            await district.run(5)
            return before, await line(district)

    before, after = asyncio.run(story())
    assert before == [(UP, 0, 10), (UNKNOWN, 10, 75), (UP, 75, None)]
    assert after == [(UP, 0, 10), (UP, 10, 75), (UP, 75, None)]


def test_a_returning_station_tells_when_it_was_switched_off(database_url: str) -> None:
    async def story() -> list[tuple[Presence, int, int | None]]:
        async with watch(database_url) as district:
            await district.run(10)
            district.silent = {TITLE}
            await district.run(60)
            await _tells_of_boot(district, began=50, last_seen=30)
            district.booted_ms = NOW_MS + 50 * MINUTE_MS
            district.silent = set()
            await district.run(5)
            return await line(district)

    assert asyncio.run(story()) == [(UP, 0, 15), (UP, 15, 30), (DOWN, 30, 50), (UP, 50, 75), (UP, 75, None)]


async def _tells_of_boot(district: Watch, *, began: int, last_seen: int) -> None:
    key: dict[str, object] = {"stream": "ab" * 16, "district_id": district.district.district_id}
    key["station_id"] = district.district.stations[TITLE]
    at_ms = NOW_MS + began * MINUTE_MS
    body = {"data": {"clean": True, "last_seen_ms": NOW_MS + last_seen * MINUTE_MS}}
    event: dict[str, object] = {"seq": 1, "month": 202608, "kind": "host.booted", "at_ms": at_ms, "booked_ms": at_ms}
    event |= {"booked_month": 202608, "uncertain": False, "received_ms": district.now_ms}
    async with district.database.write() as connection:
        await connection.execute(streams.insert().values(stored=1, head="00" * 32, folded=1, opened_ms=0, **key))
        await connection.execute(events.insert().values(line=json.dumps(body).encode(), **event, **key))


def test_availability_and_coverage_are_sums_of_the_time_line(database_url: str) -> None:
    async def story() -> queries.Availability:
        async with watch(database_url) as district:
            await district.run(10)
            district.silent = {TITLE}
            await district.run(55)
            async with district.database.read() as connection:
                found = await queries.availability(
                    connection, district.district.district_id, NOW_MS, NOW_MS + 60 * MINUTE_MS
                )
            return found[district.district.stations[TITLE]]

    told = asyncio.run(story())
    assert (_minute(NOW_MS + told.up_ms), _minute(NOW_MS + told.down_ms), told.unknown_ms) == (15, 45, 0)
    assert round(told.share or 0, 3) == 0.25
    assert told.coverage == 1.0
    assert told.is_enough


def test_too_little_knowledge_is_no_figure() -> None:
    assert not queries.Availability(up_ms=79, unknown_ms=21).is_enough
    assert queries.Availability(up_ms=80, unknown_ms=20).is_enough
    assert queries.Availability(off_ms=5).share is None
    assert queries.Availability(off_ms=5).coverage is None


def test_the_strip_of_a_station_is_cut_to_its_period_without_a_break(database_url: str) -> None:
    async def story() -> list[Stretch]:
        async with watch(database_url) as district:
            await district.run(CLOSING + 20)
            async with district.database.read() as connection:
                return await service.load_strip(
                    connection,
                    district.district.district_id,
                    district.district.stations[TITLE],
                    from_ms=NOW_MS + 60 * MINUTE_MS,
                    to_ms=district.now_ms,
                )

    strip = asyncio.run(story())
    assert [each.presence for each in strip] == [UP, OFF]
    assert strip[0].from_ms == NOW_MS + 60 * MINUTE_MS
    assert all(each.to_ms == later.from_ms for each, later in pairwise(strip))


def test_another_tick_at_the_same_moment_changes_nothing(database_url: str) -> None:
    async def story() -> tuple[object, object]:
        async with watch(database_url) as district:
            await district.run(20)
            before = await line(district)
            async with district.database.write() as connection:
                await faults.judge(
                    connection,
                    district.district.district_id,
                    period_s=PERIOD_S,
                    grace_s=GRACE_S,
                    ready_since_ms=NOW_MS,
                    now_ms=district.now_ms,
                )
            return before, await line(district)

    before, after = asyncio.run(story())
    assert before == after
