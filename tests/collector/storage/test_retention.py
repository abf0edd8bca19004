"""Old events go once they are folded; what was made of them stays. On both databases."""

import asyncio

import pytest
from sqlalchemy import text

from collector.db.engine import Database
from collector.storage import service
from shared.months import BEIJING
from tests.collector.storage.conftest import NOW_MS, Log, Tell
from tests.collector.usage.events import Fact, append, at, fold, hear, plays
from tests.districts import plant_district

KEPT = ("daily", "playbacks", "study_sessions", "tallies", "streams", "downloads")


def test_events_older_than_thirteen_months_go_and_younger_ones_stay(tell: Tell) -> None:
    async def story(log: Log) -> None:
        await log.append("2025-06-30 10:00", "2025-07-31 23:59", "2025-08-01 00:00", "2026-09-01 10:00")
        await log.fold()
        await log.make_months()
        await log.drop_old()
        assert await log.months() == [202508, 202609]
        assert await log.drop_old() == 0

    tell(story)


def test_a_month_that_became_old_is_dropped_as_a_whole(tell_postgres: Tell) -> None:
    async def story(log: Log) -> None:
        await log.append("2026-09-03 10:00", "2026-10-03 10:00")
        await log.make_months()
        await log.fold()
        later = at("2027-11-10 09:00")
        assert await log.drop_old(later) == 0
        assert await log.months() == [202610]
        assert "events_202609" not in await log.ask("SELECT relname FROM pg_class WHERE relname LIKE 'events_2%'")

    tell_postgres(story)


def test_nothing_goes_before_it_is_folded(tell: Tell) -> None:
    async def story(log: Log) -> None:
        await log.append("2025-01-01 10:00", "2025-02-01 10:00")
        await log.drop_old()
        assert len(await log.months()) == 2
        await log.ask("UPDATE streams SET folded = 1")
        await log.drop_old()
        assert await log.months() == [202502]

    tell(story)


def test_a_month_of_which_an_event_is_not_folded_stays_whole(tell_postgres: Tell) -> None:
    async def story(log: Log) -> None:
        await log.append("2026-09-03 10:00", "2026-09-04 10:00")
        await log.make_months()
        await log.ask("UPDATE streams SET folded = 1")
        await log.drop_old(at("2028-01-10 09:00"))
        assert await log.months() == [202609, 202609]

    tell_postgres(story)


def test_an_event_of_a_wrong_clock_lives_as_long_as_the_month_it_is_booked_in(tell: Tell) -> None:
    async def story(log: Log) -> None:
        await log.make_months()
        await log.append("1970-01-01 10:00", booked="2026-09-01 10:00")
        await log.append("2038-01-01 10:00", booked="2025-01-01 10:00", stream="2" * 32)
        await log.fold()
        await log.drop_old()
        assert await log.months() == [197001]

    tell(story)


def test_an_event_booked_later_than_its_partition_says_outlives_it(tell_postgres: Tell) -> None:
    async def story(log: Log) -> None:
        await log.append("2026-09-03 10:00")
        await log.append("2026-09-03 11:00", booked="2026-12-01 10:00")
        await log.make_months()
        await log.fold()
        await log.drop_old(at("2027-11-10 09:00"))
        assert await log.months() == [202609]
        assert await log.ask("SELECT count(*) FROM events_other") == [1]
        await log.drop_old(at("2028-02-10 09:00"))
        assert await log.months() == []

    tell_postgres(story)


def test_a_crash_between_taking_a_month_off_and_dropping_it_is_made_good(tell_postgres: Tell) -> None:
    async def story(log: Log) -> None:
        await log.append("2026-09-03 10:00")
        await log.append("2026-09-03 11:00", booked="2026-12-01 10:00")
        await log.make_months()
        await log.fold()
        await log.ask("ALTER TABLE events DETACH PARTITION events_202609")
        await log.drop_old(at("2027-11-10 09:00"))
        assert await log.months() == [202609]
        assert await log.ask("SELECT count(*) FROM pg_class WHERE relname = 'events_202609'") == [0]

    tell_postgres(story)


def test_many_old_events_go_in_small_batches(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "BATCH", 10)

    async def story(log: Log) -> None:
        await log.append(*["2025-01-01 10:00"] * 25, "2026-09-01 10:00")
        await log.append(*["2025-01-01 10:00"] * 25, stream="2" * 32)
        await log.fold()
        assert await log.drop_old() == 50
        assert await log.months() == [202609]

    tell(story)


def test_a_wrong_clock_early_in_a_stream_does_not_keep_what_follows(tell: Tell) -> None:
    async def story(log: Log) -> None:
        await log.append("2026-09-01 10:00", "2025-01-01 10:00", "2025-01-02 10:00")
        await log.fold()
        assert await log.drop_old() == 2
        assert await log.months() == [202609]

    tell(story)


WRONG_PLEDGE = """
INSERT INTO pledges (district_id, station_id, stream, seq, head, key_id, signature, received_ms, "right")
SELECT district_id, station_id, stream, 2, stream, 'k', stream, 1, false FROM streams
"""


CONFLICT = """
INSERT INTO security_events (district_id, event_id, station_id, at_ms, kind, detail)
SELECT district_id, 1, station_id, {at_ms}, '{kind}', 'stream ' FROM streams
"""


@pytest.mark.parametrize("dispute", ["UPDATE station_states SET held_ms = 1", WRONG_PLEDGE])
def test_what_is_disputed_stays_until_somebody_has_decided(dispute: str, tell: Tell) -> None:
    async def story(log: Log) -> None:
        await log.make_months()
        await log.append("2026-09-03 10:00", "2026-09-04 10:00", "2027-11-01 10:00")
        await hear(log.database, 1, at_ms=NOW_MS, last=3)
        await log.fold()
        await log.ask(dispute)
        later = at("2027-11-10 09:00")
        assert await log.drop_old(later) == 0
        assert await log.drop_old(later) == 0
        assert await log.months() == [202609, 202609, 202711]
        await log.ask("UPDATE station_states SET held_ms = NULL")
        await log.ask("DELETE FROM pledges")
        assert await log.drop_old(later) == 2
        assert await log.months() == [202711]

    tell(story)


@pytest.mark.parametrize("kind", ["stream-conflict", "pledge-differs"])
def test_where_two_histories_were_told_the_lines_stay_for_as_long_again(kind: str, tell: Tell) -> None:
    async def story(log: Log) -> None:
        await log.make_months()
        await log.append("2026-09-03 10:00", "2026-09-04 10:00", "2027-11-01 10:00")
        await log.fold()
        await log.ask(CONFLICT.format(at_ms=at("2027-10-20 10:00"), kind=kind))
        assert await log.drop_old(at("2027-11-10 09:00")) == 0
        assert await log.drop_old(at("2028-11-10 09:00")) == 0
        assert await log.months() == [202609, 202609, 202711]
        assert await log.drop_old(at("2028-12-10 09:00")) == 2
        assert await log.months() == [202711]

    tell(story)


def test_evidence_of_another_kind_or_another_station_holds_nothing_back(tell: Tell) -> None:
    async def story(log: Log) -> None:
        await log.append("2025-01-01 10:00")
        await log.fold()
        await log.ask(CONFLICT.format(at_ms=NOW_MS, kind="clock-set-back"))
        await log.ask("UPDATE security_events SET event_id = 2")
        await log.ask(CONFLICT.format(at_ms=NOW_MS, kind="stream-conflict"))
        await log.ask("UPDATE security_events SET station_id = 2 WHERE event_id = 1")
        assert await log.drop_old() == 1

    tell(story)


def test_what_was_made_of_old_events_stays(database_url: str) -> None:
    async def story() -> tuple[list[int], list[int]]:
        database = Database(database_url)
        await plant_district(database, {"宝轮镇": ["爱国社区"]})
        await append(
            database, 1, [*plays("黄羊饲养", "2025-01-10 19:00", minutes=40), Fact("note", at("2025-01-11"), {})]
        )
        await fold(database, now_ms=NOW_MS)
        before = await count(database, KEPT)
        dropped = await service.drop_old_events(database, keep_months=13, now_ms=NOW_MS, zone=BEIJING)
        after = await count(database, KEPT)
        left = await count(database, ("events",))
        await database.close()
        assert (dropped, left) == (4, [0])
        return before, after

    before, after = asyncio.run(story())
    assert before == after
    assert before[0] > 0


async def count(database: Database, tables: tuple[str, ...]) -> list[int]:
    async with database.read() as connection:
        return [(await connection.execute(text(f"SELECT count(*) FROM {each}"))).scalar_one() for each in tables]
