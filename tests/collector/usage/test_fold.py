from collector.db.engine import Database
from collector.usage import queries, service, stock_queries
from collector.usage.records import SessionState
from collector.usage.reports.base import MonthlyReport
from shared.months import BEIJING
from tests.collector.usage.conftest import Tell
from tests.collector.usage.events import NOW_MS, Fact, append, at, claim, fold, found, plant, plays, received, removed


async def _report(database: Database, month: int = 202609, now_ms: int = NOW_MS) -> MonthlyReport:
    async with database.read() as connection:
        return await service.monthly_report(connection, 510802, month, now_ms=now_ms, zone=BEIJING)


def test_a_playing_becomes_one_playback_and_a_proposed_session(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        station = district.stations["宝轮镇 爱国社区"]
        await append(database, station, plays("黄羊饲养", "2026-09-10 19:00", minutes=40))
        assert await fold(database) == 3
        async with database.read() as connection:
            (playback,) = await queries.list_playbacks(connection, 510802, station, limit=10)
            (session,) = await queries.list_sessions(connection, 510802, station, 202609)
        assert (playback.day, playback.content_s, playback.reason) == (20260910, 2400, "completed")
        assert (playback.begin_ms, playback.end_ms) == (at("2026-09-10 19:00"), at("2026-09-10 19:40"))
        assert playback.session_id == session.session_id
        assert (session.state, session.people, session.topic) == (SessionState.PROPOSED, None, "黄羊饲养")
        row = (await _report(database)).rows[0]
        assert (row.figures.played, row.figures.sessions, row.figures.proposed) == (1, 0, 1)
        assert (row.figures.e3_s, row.figures.content_minutes, row.played_names) == (2400, 40, ("黄羊饲养",))

    tell(story)


def test_minutes_of_files_that_nobody_held_open_are_summed_apart_and_count_all_the_same(tell: Tell) -> None:
    async def story(database: Database) -> None:
        station = (await plant(database)).stations["宝轮镇 爱国社区"]
        await append(database, station, plays("黄羊饲养", "2026-09-10 19:00", minutes=40, flags=["uncorroborated"]))
        await append(database, station, plays("油橄榄", "2026-09-11 19:00", minutes=20, flags=["speed"]))
        await fold(database)
        figures = (await _report(database)).total
        assert (figures.played_s, figures.uncorroborated_s, figures.uncorroborated_minutes) == (3600, 2400, 40)

    tell(story)


def test_a_claim_swallows_the_proposed_session_and_counts_its_people(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        station = district.stations["宝轮镇 爱国社区"]
        await append(database, station, plays("黄羊饲养", "2026-09-10 19:00", minutes=40))
        await fold(database)
        await append(database, station, [claim("2026-09-10 18:50", "2026-09-10 19:50", people=30, visits=45)])
        await fold(database)
        async with database.read() as connection:
            (session,) = await queries.list_sessions(connection, 510802, station, 202609)
            (playback,) = await queries.list_playbacks(connection, 510802, station, limit=10)
        assert session.state is SessionState.CLAIMED
        assert playback.session_id == session.session_id
        figures = (await _report(database)).total
        assert (figures.sessions, figures.people, figures.visits, figures.proposed) == (1, 30, 45, 0)

    tell(story)


def test_the_last_claim_of_a_session_counts_whenever_it_arrives(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        station = district.stations["宝轮镇 爱国社区"]
        when = ("2026-09-10 19:00", "2026-09-10 20:00")
        newer = claim(*when, people=31, session="s1", entered="2026-09-10 21:00")
        await append(database, station, [newer], stream="2" * 32)
        await fold(database)
        await append(database, station, [claim(*when, people=13, session="s1")])
        await fold(database)
        assert (await _report(database)).total.people == 31

    tell(story)


def test_senseless_claims_are_shown_and_never_counted(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        station = district.stations["宝轮镇 爱国社区"]
        facts = [
            claim("2026-09-10 19:00", "2026-09-10 20:00", people=0),
            claim("2026-09-11 19:00", "2026-09-11 20:00", people=2**53),
        ]
        await append(database, station, [*plays("黄羊饲养", "2026-09-10 19:00", minutes=40), *facts])
        await fold(database)
        async with database.read() as connection:
            sessions = await queries.list_sessions(connection, 510802, station, 202609)
        assert sorted(each.state for each in sessions) == ["impossible", "impossible", "proposed"]
        assert (await _report(database)).total.sessions == 0

    tell(story)


def test_courseware_found_is_stock_and_only_received_is_a_download(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        station = district.stations["宝轮镇 爱国社区"]
        broken = Fact(
            "courseware.rejected", at("2026-09-03 02:00"), {"name": "x.mp4", "size": 1, "reason": "truncated"}
        )
        facts = [
            found("旧课件", "2026-09-01 08:00"),
            received("黄羊饲养", "2026-09-02 02:00"),
            received("黄羊饲养", "2026-09-20 02:00"),
            broken,
        ]
        await append(database, station, facts)
        await fold(database)
        row = (await _report(database)).rows[0]
        assert (row.figures.downloaded, row.downloaded_names) == (1, ("黄羊饲养",))
        assert (row.figures.stored, row.stored_names) == (2, ("旧课件", "黄羊饲养"))

    tell(story)


def test_a_file_downloaded_again_next_month_counts_in_both(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        station = district.stations["宝轮镇 爱国社区"]
        facts = [
            received("黄羊饲养", "2026-08-02 02:00"),
            removed("黄羊饲养", "2026-08-20 02:00"),
            received("黄羊饲养", "2026-09-02 02:00"),
        ]
        await append(database, station, facts)
        await fold(database)
        august, september = await _report(database, 202608), await _report(database, 202609)
        assert (august.total.downloaded, august.total.stored) == (1, 0)
        assert (september.total.downloaded, september.total.stored) == (1, 1)

    tell(story)


def test_stock_of_a_past_month_is_what_lay_there_at_its_end(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        station = district.stations["宝轮镇 爱国社区"]
        # The removal arrives first: order of arrival must not matter.
        await append(database, station, [removed("黄羊饲养", "2026-10-01 08:00")], stream="2" * 32)
        await fold(database)
        await append(database, station, [received("黄羊饲养", "2026-09-02 02:00")])
        await fold(database)
        assert (await _report(database)).total.stored == 1
        assert (await _report(database, 202610)).total.stored == 0
        async with database.read() as connection:
            assert await stock_queries.list_stock(connection, 510802, station, 10) == []

    tell(story)


def test_one_of_two_copies_removed_leaves_the_courseware_stored(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        station = district.stations["宝轮镇 爱国社区"]
        facts = [
            found("黄羊饲养", "2026-09-01 08:00", name="a.mp4"),
            found("黄羊饲养", "2026-09-01 08:00", name="b.mp4"),
            removed("黄羊饲养", "2026-09-02 08:00", name="a.mp4"),
        ]
        await append(database, station, facts)
        await fold(database)
        assert (await _report(database)).total.stored == 1
        async with database.read() as connection:
            (item,) = await stock_queries.list_stock(connection, 510802, station, 10)
        assert item.name == "b.mp4"

    tell(story)


def test_a_play_across_midnight_and_month_end_belongs_to_the_day_it_began(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        station = district.stations["宝轮镇 爱国社区"]
        await append(database, station, plays("换届纪律", "2026-08-31 23:30", minutes=60))
        await fold(database)
        august, september = await _report(database, 202608), await _report(database, 202609)
        assert (august.total.playbacks, august.total.content_minutes, august.total.proposed) == (1, 60, 1)
        assert (september.total.playbacks, september.total.proposed) == (0, 0)
        assert august.rows[0].played_names == ("换届纪律",)

    tell(story)


def test_a_claim_after_midnight_covers_the_play_that_began_before(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        station = district.stations["宝轮镇 爱国社区"]
        await append(database, station, plays("换届纪律", "2026-08-31 23:30", minutes=60))
        await fold(database)
        await append(database, station, [claim("2026-09-01 00:05", "2026-09-01 01:00", people=20)])
        await fold(database)
        august, september = await _report(database, 202608), await _report(database, 202609)
        assert (august.total.proposed, august.total.sessions) == (0, 0)
        assert (september.total.sessions, september.total.people) == (1, 20)

    tell(story)


def test_the_booked_time_decides_the_month_not_the_stations_clock(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        station = district.stations["宝轮镇 爱国社区"]
        years = at("2026-09-10 19:00") - at("2013-01-01 08:00")
        await append(database, station, plays("黄羊饲养", "2013-01-01 08:00", minutes=40, late_ms=years))
        await fold(database)
        async with database.read() as connection:
            (playback,) = await queries.list_playbacks(connection, 510802, station, limit=1)
        assert (playback.begin_ms, playback.month) == (at("2026-09-10 19:00"), 202609)

    tell(story)


def test_an_uncertain_playing_counts_and_is_marked(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        station = district.stations["宝轮镇 爱国社区"]
        await append(database, station, plays("黄羊饲养", "2026-09-10 19:00", minutes=40, uncertain=True))
        await fold(database)
        assert (await _report(database)).total.uncertain == 1
        assert (await _report(database)).total.playbacks == 1

    tell(story)


def test_a_certain_start_moves_an_uncertain_playing_to_its_true_day(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        station = district.stations["宝轮镇 爱国社区"]
        unsure = plays("黄羊饲养", "2026-08-10 19:00", minutes=40, playback="p", uncertain=True)
        sure = plays("黄羊饲养", "2026-09-10 19:00", minutes=40, playback="p")
        await append(database, station, unsure)
        await fold(database)
        await append(database, station, sure[:1])
        await fold(database)
        august, september = await _report(database, 202608), await _report(database, 202609)
        assert (august.total.playbacks, august.total.proposed) == (0, 0)
        assert (september.total.playbacks, september.total.proposed, september.total.uncertain) == (1, 1, 0)

    tell(story)


def test_more_than_a_day_of_playing_in_a_day_is_set_aside_with_its_reason(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        station = district.stations["宝轮镇 爱国社区"]
        facts = [
            *plays("挂机", "2026-09-10 00:10", minutes=1500, playback="whole"),
            *plays("真的", "2026-09-10 09:00", minutes=60, playback="true"),
            *plays("早", "2026-09-11 00:00", minutes=800, playback="one"),
            *plays("晚", "2026-09-11 01:00", minutes=800, playback="two"),
        ]
        await append(database, station, facts)
        await fold(database)
        async with database.read() as connection:
            playbacks = await queries.list_playbacks(connection, 510802, station, limit=10)
        flagged = {each.playback: "impossible" in each.flags for each in playbacks}
        assert flagged == {"whole": True, "true": False, "one": False, "two": True}
        total = (await _report(database)).total
        assert (total.playbacks, total.impossible, total.played_s) == (2, 2, (60 + 800) * 60)
        assert "挂机" not in (await _report(database)).rows[0].played_names

    tell(story)


def test_a_play_past_midnight_may_last_longer_than_its_first_day(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        station = district.stations["宝轮镇 爱国社区"]
        facts = [
            *plays("一", "2026-09-10 00:00", minutes=1380),
            *plays("二", "2026-09-10 23:00", minutes=120),
        ]
        await append(database, station, facts)
        await fold(database)
        assert (await _report(database)).total.impossible == 0

    tell(story)


def test_the_same_content_shown_twice_in_a_day_counts_once(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        station = district.stations["宝轮镇 爱国社区"]
        twice = [*plays("甲", "2026-09-10 09:00", minutes=40), *plays("甲", "2026-09-10 15:00", minutes=50)]
        await append(database, station, twice)
        await fold(database)
        total = (await _report(database)).total
        assert (total.content_minutes, total.played_s) == (50, 90 * 60)

    tell(story)


def test_refused_and_unreadable_events_say_nothing_and_block_nothing(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        station = district.stations["宝轮镇 爱国社区"]
        good = plays("甲", "2026-09-10 09:00", minutes=40)
        refused = Fact("playback.ended", at("2026-09-11 09:00"), good[2].data | {"playback": "q"}, refused="no reason")
        odd = Fact("playback.ended", at("2026-09-11 09:00"), {"playback": "r"})
        unknown = Fact("weather.seen", at("2026-09-11 09:00"), {"rain": True})
        await append(database, station, [refused, odd, unknown, *good])
        assert await fold(database) == 6
        assert (await _report(database)).total.playbacks == 1

    tell(story)


def test_text_no_database_takes_is_cleaned_and_counted(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        station = district.stations["宝轮镇 爱国社区"]
        nasty = "甲\x00\x07" + "长" * 400
        facts = plays(nasty, "2026-09-10 09:00", minutes=40, playback="p\x00" + "x" * 78)
        strange = {"player": "p" * 90, "via": "\x00", "flags": ["\x00f"], "minutes": {"E3": 10.0, "E9": 1.0}}
        facts = [Fact(each.kind, each.at_ms, each.data | strange) for each in facts]
        wild = claim("2026-09-11 19:00", "2026-09-11 20:00", people=3, topic="\x00主题")
        wild = Fact(wild.kind, wild.at_ms, wild.data | {"begin_ms": -(2**70), "end_ms": 2**70})
        await append(database, station, [*facts, wild])
        assert await fold(database) == 4
        async with database.read() as connection:
            (playback,) = await queries.list_playbacks(connection, 510802, station, limit=10)
        assert (len(playback.title), playback.title[:2], len(playback.player)) == (300, "甲长", 40)

    tell(story)


def test_late_data_recompute_only_the_days_they_touch(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        station = district.stations["宝轮镇 爱国社区"]
        for day in ("08", "09", "10"):
            await append(database, station, plays(f"课{day}", f"2026-09-{day} 09:00", minutes=40))
        await fold(database, now_ms=1)
        await append(database, station, plays("迟到", "2026-09-09 15:00", minutes=40))
        await fold(database, now_ms=2)
        async with database.read() as connection:
            rows = await connection.exec_driver_sql("SELECT day, folded_ms, playbacks FROM daily ORDER BY day")
            assert [tuple(each) for each in rows] == [(20260908, 1, 1), (20260909, 2, 2), (20260910, 1, 1)]

    tell(story)


def test_a_playing_that_moves_leaves_no_trace_on_its_old_day(tell: Tell) -> None:
    async def story(database: Database) -> None:
        district = await plant(database)
        station = district.stations["宝轮镇 爱国社区"]
        facts = plays("课", "2026-09-10 00:10", minutes=40, playback="p")
        ended = Fact(facts[2].kind, facts[2].at_ms, facts[2].data | {"begin_ms": facts[2].at_ms - 4 * 3_600_000})
        await append(database, station, [ended])
        await fold(database)
        await append(database, station, facts[:1], stream="2" * 32)
        await fold(database)
        async with database.read() as connection:
            rows = await connection.exec_driver_sql("SELECT day, playbacks, proposed FROM daily ORDER BY day")
            assert [tuple(each) for each in rows] == [(20260909, 0, 0), (20260910, 1, 1)]

    tell(story)
