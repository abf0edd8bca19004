from dataclasses import dataclass

import pytest
from sqlalchemy import select

from collector.db.engine import Database
from collector.errors import BadInputError, ConflictError, NotFoundError
from collector.people.models import audit
from collector.usage import queries, service
from collector.usage.records import SessionState, StudySession
from collector.usage.reports.base import Figures
from shared.months import BEIJING
from tests.collector.usage.conftest import Tell
from tests.collector.usage.events import NOW_MS, append, claim, fold, plant, plays


@dataclass(frozen=True, slots=True)
class Desk:
    """A person of the township at the centre's pages."""

    database: Database
    station_id: int
    person_id: int

    async def sessions(self) -> list[StudySession]:
        async with self.database.read() as connection:
            return await queries.list_sessions(connection, 510802, self.station_id, 202609)

    async def confirm(self, session_id: str, *, people: int = 30, visits: int = 45, topic: str = "黄羊饲养") -> None:
        async with self.database.write() as connection:
            await service.confirm(
                connection,
                510802,
                self.station_id,
                session_id,
                kind="实用技术",
                topic=topic,
                people=people,
                visits=visits,
                person_id=self.person_id,
                now_ms=NOW_MS,
            )

    async def void(self, session_id: str, *, reason: str = "试机，没有组织学习") -> None:
        async with self.database.write() as connection:
            await service.void(
                connection,
                510802,
                self.station_id,
                session_id,
                reason=reason,
                person_id=self.person_id,
                now_ms=NOW_MS,
            )

    async def correct(self, session_id: str, *, people: int) -> str:
        async with self.database.write() as connection:
            return await service.correct(
                connection,
                510802,
                self.station_id,
                session_id,
                kind="政策理论",
                topic="换届纪律",
                people=people,
                visits=people,
                reason="按签到簿核对",
                person_id=self.person_id,
                now_ms=NOW_MS + 1,
            )

    async def total(self) -> Figures:
        async with self.database.read() as connection:
            report = await service.monthly_report(connection, 510802, 202609, now_ms=NOW_MS, zone=BEIJING)
        return report.total


async def _desk(database: Database) -> Desk:
    district = await plant(database)
    desk = Desk(database, district.stations["宝轮镇 爱国社区"], district.people["宝轮镇管理员"])
    await append(database, desk.station_id, plays("黄羊饲养", "2026-09-10 19:00", minutes=40))
    await fold(database)
    return desk


def test_a_confirmed_session_counts_and_keeps_who_entered_it_and_when(tell: Tell) -> None:
    async def story(database: Database) -> None:
        desk = await _desk(database)
        (proposed,) = await desk.sessions()
        await desk.confirm(proposed.session_id)
        (session,) = await desk.sessions()
        assert (session.state, session.people, session.visits) == (SessionState.CONFIRMED, 30, 45)
        assert (session.entered_ms, session.person_id) == (NOW_MS, desk.person_id)
        total = await desk.total()
        assert (total.sessions, total.people, total.visits, total.proposed) == (1, 30, 45, 0)
        async with database.read() as connection:
            entries = (await connection.execute(select(audit.c.action, audit.c.person_id))).all()
        assert [tuple(each) for each in entries] == [("session.confirmed", desk.person_id)]

    tell(story)


def test_folding_again_leaves_a_confirmed_session_alone(tell: Tell) -> None:
    async def story(database: Database) -> None:
        desk = await _desk(database)
        await desk.confirm((await desk.sessions())[0].session_id)
        before = await desk.sessions()
        late = plays("续", "2026-09-10 19:50", minutes=20)
        await append(database, desk.station_id, late)
        await fold(database)
        assert await desk.sessions() == before
        async with database.read() as connection:
            playbacks = await queries.list_playbacks(connection, 510802, desk.station_id, limit=9)
        assert {each.session_id for each in playbacks} == {before[0].session_id}

    tell(story)


def test_a_late_claim_for_a_confirmed_gathering_is_a_duplicate(tell: Tell) -> None:
    async def story(database: Database) -> None:
        desk = await _desk(database)
        await desk.confirm((await desk.sessions())[0].session_id)
        await append(database, desk.station_id, [claim("2026-09-10 18:50", "2026-09-10 19:45", people=31)])
        await fold(database)
        assert {each.state for each in await desk.sessions()} == {SessionState.CONFIRMED, SessionState.DUPLICATE}
        assert ((await desk.total()).sessions, (await desk.total()).people) == (1, 30)

    tell(story)


def test_voiding_the_confirmed_one_lets_the_claim_count(tell: Tell) -> None:
    async def story(database: Database) -> None:
        desk = await _desk(database)
        (proposed,) = await desk.sessions()
        await desk.confirm(proposed.session_id)
        await append(database, desk.station_id, [claim("2026-09-10 18:50", "2026-09-10 19:45", people=31)])
        await fold(database)
        await desk.void(proposed.session_id)
        assert ((await desk.total()).sessions, (await desk.total()).people) == (1, 31)

    tell(story)


def test_a_void_session_counts_nowhere_and_is_not_proposed_again(tell: Tell) -> None:
    async def story(database: Database) -> None:
        desk = await _desk(database)
        (proposed,) = await desk.sessions()
        await desk.void(proposed.session_id)
        await append(database, desk.station_id, plays("续", "2026-09-10 19:45", minutes=1))
        await fold(database)
        (session,) = await desk.sessions()
        assert (session.state, session.void_reason) == (SessionState.VOID, "试机，没有组织学习")
        assert (session.voided_by, session.voided_ms) == (desk.person_id, NOW_MS)
        total = await desk.total()
        assert (total.sessions, total.proposed, total.playbacks) == (0, 0, 2)

    tell(story)


def test_a_correction_voids_the_old_row_and_counts_the_new(tell: Tell) -> None:
    async def story(database: Database) -> None:
        desk = await _desk(database)
        (proposed,) = await desk.sessions()
        await desk.confirm(proposed.session_id)
        new_id = await desk.correct(proposed.session_id, people=35)
        sessions = {each.session_id: each for each in await desk.sessions()}
        assert sessions[proposed.session_id].state is SessionState.VOID
        assert sessions[proposed.session_id].people == 30
        assert (sessions[new_id].replaces, sessions[new_id].people) == (proposed.session_id, 35)
        total = await desk.total()
        assert (total.sessions, total.people, total.proposed) == (1, 35, 0)

    tell(story)


def test_a_corrected_claim_stays_corrected_when_the_station_sends_it_again(tell: Tell) -> None:
    async def story(database: Database) -> None:
        desk = await _desk(database)
        fact = claim("2026-09-10 19:00", "2026-09-10 19:45", people=300, session="s1")
        await append(database, desk.station_id, [fact])
        await fold(database)
        await desk.correct("s1", people=30)
        await append(database, desk.station_id, [fact], stream="2" * 32)
        await fold(database)
        assert (await desk.total()).people == 30

    tell(story)


def test_a_voided_claim_stays_void_when_the_station_sends_it_again(tell: Tell) -> None:
    async def story(database: Database) -> None:
        desk = await _desk(database)
        fact = claim("2026-09-10 19:00", "2026-09-10 19:45", people=300, session="s1")
        await append(database, desk.station_id, [fact])
        await fold(database)
        await desk.void("s1")
        await append(database, desk.station_id, [fact], stream="2" * 32)
        await fold(database)
        (session,) = await desk.sessions()
        assert (session.state, session.void_reason) == (SessionState.VOID, "试机，没有组织学习")
        assert (await desk.total()).sessions == 0

    tell(story)


@pytest.mark.parametrize(
    ("people", "visits", "topic", "says"),
    [
        (0, 10, "课", "参学人数应在 1 到 10000 之间"),
        (10_001, 20_000, "课", "参学人数应在 1 到 10000 之间"),
        (30, 29, "课", "不能少于参学人数"),
        (30, 100_001, "课", "参学人次最多填 100000"),
        (30, 30, " \x00 ", "还没有填写学习主题"),
    ],
)
def test_a_senseless_entry_is_refused_with_what_to_do(
    tell: Tell, people: int, visits: int, topic: str, says: str
) -> None:
    async def story(database: Database) -> None:
        desk = await _desk(database)
        (proposed,) = await desk.sessions()
        with pytest.raises(BadInputError, match=says):
            await desk.confirm(proposed.session_id, people=people, visits=visits, topic=topic)
        assert await desk.sessions() == [proposed]

    tell(story)


def test_what_is_done_cannot_be_done_again(tell: Tell) -> None:
    async def story(database: Database) -> None:
        desk = await _desk(database)
        (proposed,) = await desk.sessions()
        with pytest.raises(ConflictError, match="还没有登记"):
            await desk.correct(proposed.session_id, people=1)
        await desk.confirm(proposed.session_id)
        with pytest.raises(ConflictError, match="已经有人登记过"):
            await desk.confirm(proposed.session_id)
        with pytest.raises(BadInputError, match="原因"):
            await desk.void(proposed.session_id, reason=" ")
        await desk.void(proposed.session_id)
        with pytest.raises(ConflictError, match="已经作废"):
            await desk.void(proposed.session_id)
        with pytest.raises(NotFoundError, match="刷新页面"):
            await desk.confirm("nothing")

    tell(story)


def test_a_station_cannot_take_the_name_of_a_session_of_the_centre(tell: Tell) -> None:
    async def story(database: Database) -> None:
        desk = await _desk(database)
        (proposed,) = await desk.sessions()
        await desk.confirm(proposed.session_id)
        forged = claim("2026-09-20 19:00", "2026-09-20 20:00", people=999, session=proposed.session_id)
        await append(database, desk.station_id, [forged])
        await fold(database)
        kept = next(each for each in await desk.sessions() if each.session_id == proposed.session_id)
        assert (kept.state, kept.people) == (SessionState.CONFIRMED, 30)

    tell(story)
