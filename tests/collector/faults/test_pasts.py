"""What the books of usage say of a station's last weeks, and the faults that are seen only there."""

import asyncio
from typing import Any

from sqlalchemy import Table, event

from collector.faults import absence_queries, queries
from collector.faults.pasts import look_back
from collector.faults.rules.base import Past
from collector.stations.models import station_states
from collector.timeline import queries as timeline
from collector.timeline.presence import Presence, Stretch
from collector.usage.models import daily, downloads, playbacks, tallies
from collector.usage.models import stock as stock_table
from shared.months import day_of, month_of
from tests.districts import NOW_MS
from tests.watching import MINUTE_MS, Watch, watch

DAY_MS = 86_400_000
TITLE = "宝轮镇 红星村"


def _number(district: Watch, title: str = TITLE) -> int:
    return district.district.stations[title]


async def _insert(district: Watch, table: Table, **values: Any) -> None:
    """One row; what is not said is nothing."""
    blank: dict[str, Any] = {each.name: _blank(each.type.python_type) for each in table.c if not each.nullable}
    async with district.database.write() as connection:
        await connection.execute(table.insert().values({**blank, "district_id": 510802, **values}))


def _blank(kind: type) -> object:
    return kind() if kind is not bytes else ""


async def _past(district: Watch, title: str = TITLE) -> Past:
    async with district.database.write() as connection:
        await look_back(connection, district.district.district_id, now_ms=district.now_ms)
        number = _number(district, title)
        return (await queries.list_pasts(connection, district.district.district_id, {number}))[number]


async def _downloads(district: Watch, sha: str, title: str, *, without: str = "", ago: int = 5) -> None:
    at_ms = NOW_MS - ago * DAY_MS
    for station in district.district.stations:
        if station != without:
            whose = {"station_id": _number(district, station), "month": month_of(at_ms), "day": day_of(at_ms)}
            await _insert(district, downloads, sha256=sha * 32, at_ms=at_ms, title=title, **whose)


async def _heard_long_ago(district: Watch) -> None:
    async with district.database.write() as connection:
        await connection.execute(station_states.update().values(first_received_ms=NOW_MS - 90 * DAY_MS))


async def _lived(district: Watch, *days: tuple[int, int, Presence]) -> None:
    """Stretches of its time line, in days from now."""
    number = _number(district)
    lines = [Stretch(number, NOW_MS + a * DAY_MS, NOW_MS + b * DAY_MS, presence, True) for a, b, presence in days]
    async with district.database.write() as connection:
        await timeline.add_stretches(connection, 510802, lines)


def test_the_newest_day_of_use_is_found_and_days_without_use_do_not_count(database_url: str) -> None:
    async def story() -> int | None:
        async with watch(database_url) as district:
            for ago, plays in ((3, 0), (16, 2), (40, 1)):
                at_ms = NOW_MS - ago * DAY_MS
                whose = {"station_id": _number(district), "day": day_of(at_ms), "month": month_of(at_ms)}
                await _insert(district, daily, playbacks=plays, **whose)
            return (await _past(district)).used_ms

    used_ms = asyncio.run(story())
    assert used_ms is not None
    assert day_of(used_ms) == day_of(NOW_MS - 16 * DAY_MS)


def test_a_weeks_playbacks_and_failures_are_counted(database_url: str) -> None:
    async def story() -> tuple[int, int]:
        async with watch(database_url) as district:
            for number, (ago, reason) in enumerate(((1, "error"), (2, "error"), (3, "completed"), (9, "error"))):
                begin_ms = NOW_MS - ago * DAY_MS
                whose = {"station_id": _number(district), "month": month_of(begin_ms), "day": day_of(begin_ms)}
                await _insert(
                    district,
                    playbacks,
                    playback=f"p{number}",
                    begin_ms=begin_ms,
                    reason=reason,
                    minutes={},
                    flags=[],
                    **whose,
                )
            past = await _past(district)
            return past.plays, past.failed

    assert asyncio.run(story()) == (3, 2)


def test_a_loss_is_dated_to_when_it_was_told(database_url: str) -> None:
    async def story() -> tuple[Past, Past]:
        async with watch(database_url) as district:
            month = month_of(NOW_MS)
            await _insert(district, tallies, station_id=_number(district), stream="ab" * 16, month=month, lost=40)
            first = await _past(district)
            district.now_ms += 60 * MINUTE_MS
            return first, await _past(district)

    first, later = asyncio.run(story())
    assert (first.lost, first.lost_ms) == (40, NOW_MS)
    assert later == first


def test_what_most_others_have_and_a_station_lacks_is_missing(database_url: str) -> None:
    async def story() -> tuple[tuple[str, ...], tuple[str, ...]]:
        async with watch(database_url) as district:
            await _heard_long_ago(district)
            await _downloads(district, "a1", "春耕", without=TITLE)
            await _downloads(district, "a2", "防汛")
            await _downloads(district, "a3", "昨天才播", without=TITLE, ago=1)
            await _downloads(district, "a4", "光盘拷来", without=TITLE)
            await _insert(
                district, stock_table, station_id=_number(district), sha256="a4" * 32, copy="00", present=True, title=""
            )
            return (await _past(district)).missing, (await _past(district, "大石镇 红岩村")).missing

    assert asyncio.run(story()) == (("春耕",), ())


def test_a_station_that_joined_later_misses_nothing_of_the_time_before(database_url: str) -> None:
    async def story() -> tuple[str, ...]:
        async with watch(database_url) as district:
            await _downloads(district, "a1", "春耕", without=TITLE)
            return (await _past(district)).missing

    assert asyncio.run(story()) == ()


def test_a_station_that_works_and_is_not_used_is_told(database_url: str) -> None:
    async def story() -> list[tuple[str, int | None]]:
        async with watch(database_url) as district:
            await _heard_long_ago(district)
            today = {"day": day_of(NOW_MS), "month": month_of(NOW_MS), "playbacks": 1}
            for title in set(district.district.stations) - {TITLE}:
                await _insert(district, daily, station_id=_number(district, title), **today)
            await _past(district)
            await district.run(62)
            return [(row.rule, row.station_id) for row in (await district.findings()).values() if row.open]

    assert asyncio.run(story()) == [("no_use", 2)]


def test_time_away_since_the_newest_courseware_is_counted(database_url: str) -> None:
    async def story() -> int:
        async with watch(database_url) as district:
            hour = 60 * MINUTE_MS
            lines = [(-60, -40, Presence.DOWN), (-40, -30, Presence.UP), (-30, -20, Presence.UNKNOWN)]
            lines += [(-20, -12, Presence.OFF), (-12, -8, Presence.UP), (-8, -6, Presence.OFF)]
            stretches = [
                Stretch(_number(district), NOW_MS + a * hour, NOW_MS + b * hour, presence, True)
                for a, b, presence in lines
            ]
            stretches.append(Stretch(_number(district), NOW_MS - 2 * hour, None, Presence.DOWN, False))
            async with district.database.write() as connection:
                await timeline.add_stretches(connection, 510802, stretches)
                came = queries.Arrivals(_number(district), NOW_MS - 50 * hour, ())
                await queries.put_arrivals(connection, 510802, [came])
            return (await _past(district)).absent_ms - (district.now_ms - NOW_MS)

    assert asyncio.run(story()) == (22 + 8) * 60 * MINUTE_MS, "the night beside a silence counts, another does not"


def test_time_away_since_the_last_use_is_counted(database_url: str) -> None:
    async def story() -> Past:
        async with watch(database_url) as district:
            used_ms = NOW_MS - 20 * DAY_MS
            whose = {"station_id": _number(district), "day": day_of(used_ms), "month": month_of(used_ms)}
            await _insert(district, daily, playbacks=1, **whose)
            await _lived(district, (-30, -25, Presence.DOWN), (-16, -14, Presence.UNKNOWN), (-9, -4, Presence.DOWN))
            await _past(district)
            return await _past(district)

    assert asyncio.run(story()).unused_absent_ms == (2 + 5) * DAY_MS


def test_a_station_that_was_off_for_weeks_is_not_called_unused_when_it_is_back(database_url: str) -> None:
    async def story() -> list[str]:
        async with watch(database_url) as district:
            await _heard_long_ago(district)
            for title in district.district.stations:
                used_ms = NOW_MS - (20 if title == TITLE else 0) * DAY_MS
                whose = {"station_id": _number(district, title), "day": day_of(used_ms), "month": month_of(used_ms)}
                await _insert(district, daily, playbacks=1, **whose)
            await _lived(district, (-18, -1, Presence.DOWN))
            await _past(district)
            await _past(district)
            await district.run(62)
            return [row.rule for row in (await district.findings()).values()]

    assert asyncio.run(story()) == []


def test_of_a_long_time_line_only_the_end_is_read(sqlite_url: str) -> None:
    """It grows by a thousand stretches a station and year, and is summed every quarter of an hour."""

    async def story() -> list[str]:
        async with watch(sqlite_url) as district, district.database.read() as reader:
            asked: list[tuple[str, Any]] = []
            event.listen(reader.sync_connection, "before_cursor_execute", lambda *told: asked.append(told[2:4]))
            await absence_queries.sum_absent(reader, 510802, now_ms=NOW_MS)
            statement, values = asked[0]
            plan = await reader.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            return [step for *_, step in plan if "stretches" in step or " near " in step]

    steps = asyncio.run(story())
    assert len(steps) == 2
    assert all(step.partition("(")[2].startswith("district_id=? AND station_id=? AND from_ms") for step in steps), steps
