"""What usage does: fold events into figures, let people confirm study sessions, make the monthly report."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

from collector.db.engine import Database
from collector.errors import BadInputError, ConflictError, NotFoundError
from collector.people.queries import record
from collector.usage import fold_queries, queries, report_queries
from collector.usage.facts import RESERVED, clean
from collector.usage.fold_queries import Unfolded
from collector.usage.folding import Books, fold_station, settle
from collector.usage.gatherings import touched_days
from collector.usage.queries import Connection
from collector.usage.records import SessionState, StudySession
from collector.usage.reports.base import MonthlyReport
from collector.usage.reports.monthly import build_monthly
from collector.usage.rules import UsageRules
from shared.months import BEIJING
from shared.wire.kinds import StudyKind

log = logging.getLogger("yuanjiao.usage")

BATCH = 2_000
KINDS: tuple[str, ...] = get_args(StudyKind)
"""Kinds of study session, in the order forms offer them."""


async def fold(
    database: Database, *, zone: ZoneInfo, now_ms: int, limit: int = 100_000, rules: UsageRules | None = None
) -> int:
    """Fold stored events into the tables of usage, a station a transaction. Returns how many events were folded.

    Stops after about `limit` events; a result of at least `limit` means there is more to do. A station that cannot
    be folded is logged and left for the next call; it holds up nobody else.
    """
    done, failed = 0, set[tuple[int, int]]()
    while done < limit:
        async with database.read() as connection:
            waiting = await fold_queries.list_unfolded(connection)
        turn = [each for each in waiting if (each.district_id, each.station_id) not in failed]
        if not turn:
            break
        for key, group in groupby(turn, lambda each: (each.district_id, each.station_id)):
            folded = await _fold_one(database, list(group), zone=zone, now_ms=now_ms, rules=rules or UsageRules())
            if folded is None:
                failed.add(key)
            done += folded or 0
            if done >= limit:
                break
    return done


async def monthly_report(
    connection: Connection,
    district_id: int,
    month: int,
    *,
    township_id: UUID | None = None,
    now_ms: int,
    zone: ZoneInfo,
    rules: UsageRules | None = None,
) -> MonthlyReport:
    """The report of a township, or of the whole district when `township_id` is None. Raises NotFoundError."""
    district = await report_queries.get_district_name(connection, district_id)
    if district is None:
        raise NotFoundError
    sources = await report_queries.load_month(connection, district_id, month, township_id, now_ms=now_ms, zone=zone)
    if township_id is not None and not sources:
        raise NotFoundError
    return build_monthly(
        sources,
        district_id=district_id,
        district=district,
        township_id=township_id,
        month=month,
        now_ms=now_ms,
        zone=zone,
        rules=rules or UsageRules(),
    )


async def confirm(
    connection: Connection,
    district_id: int,
    station_id: int,
    session_id: str,
    *,
    kind: str,
    topic: str,
    people: int,
    visits: int,
    person_id: int,
    now_ms: int,
    zone: ZoneInfo = BEIJING,
) -> None:
    """Turn a proposed session into one that counts. `entered_ms` becomes now: a claim typed late shows it.

    Raises NotFoundError, ConflictError when it is no longer proposed, BadInputError with what to write instead.
    """
    books = Books(connection, district_id, station_id, zone, UsageRules(), now_ms)
    session = await _require(books, session_id)
    if session.state is not SessionState.PROPOSED:
        raise ConflictError("这次学习已经有人登记过了。请刷新页面查看；数字有误时请用“更正”。")
    entry = _check_entry(kind, topic, people, visits, rules=books.rules)
    confirmed = replace(session, **entry, state=SessionState.CONFIRMED, entered_ms=now_ms, person_id=person_id)
    await _change(books, [confirmed], action="session.confirmed", person_id=person_id, session_id=session_id)


async def void(
    connection: Connection,
    district_id: int,
    station_id: int,
    session_id: str,
    *,
    reason: str,
    person_id: int,
    now_ms: int,
    zone: ZoneInfo = BEIJING,
) -> None:
    """Take a session out of every sum; the row stays with who and why, and its playbacks are not proposed again."""
    books = Books(connection, district_id, station_id, zone, UsageRules(), now_ms)
    session = await _require(books, session_id)
    voided = _voided(session, reason, person_id=person_id, now_ms=now_ms)
    await _change(books, [voided], action="session.voided", person_id=person_id, session_id=session_id)


async def correct(
    connection: Connection,
    district_id: int,
    station_id: int,
    session_id: str,
    *,
    kind: str,
    topic: str,
    people: int,
    visits: int,
    reason: str,
    person_id: int,
    now_ms: int,
    zone: ZoneInfo = BEIJING,
) -> str:
    """Void a session that counts and put a new row in its place; returns the new session's id."""
    books = Books(connection, district_id, station_id, zone, UsageRules(), now_ms)
    session = await _require(books, session_id)
    if session.state is SessionState.PROPOSED:
        raise ConflictError("这次学习还没有登记。请直接填写并确认，不需要更正。")
    if session.state is SessionState.DUPLICATE:
        raise ConflictError("这条填报与已登记的一次学习重复，不计入报表。请更正已登记的那一条。")
    entry = _check_entry(kind, topic, people, visits, rules=books.rules)
    voided = _voided(session, reason, person_id=person_id, now_ms=now_ms)
    new = replace(
        session,
        **entry,
        session_id=_next_id(station_id, session_id),
        state=SessionState.CONFIRMED,
        source="centre",
        entered_ms=now_ms,
        person_id=person_id,
        replaces=session_id,
    )
    await _change(books, [voided, new], action="session.corrected", person_id=person_id, session_id=session_id)
    return new.session_id


async def _fold_one(
    database: Database, streams: Sequence[Unfolded], *, zone: ZoneInfo, now_ms: int, rules: UsageRules
) -> int | None:
    """Fold one batch of one station in one transaction. None when it must be left for the next call."""
    first = streams[0]
    try:
        async with database.write() as connection:
            books = Books(connection, first.district_id, first.station_id, zone, rules, now_ms)
            return await fold_station(books, streams, limit=BATCH)
    except ConflictError:
        log.info("usage.fold_overtaken station=%s/%s", first.district_id, first.station_id)
    except Exception:  # one station's trouble must not hold up the others
        log.exception("usage.fold_failed station=%s/%s", first.district_id, first.station_id)
    return None


async def _require(books: Books, session_id: str) -> StudySession:
    """The session, with its station held until the transaction ends."""
    await fold_queries.lock_station(books.connection, books.district_id, books.station_id)
    session = await queries.get_session(books.connection, books.district_id, books.station_id, session_id)
    if session is None:
        raise NotFoundError("没有找到这次学习，可能已随补传的数据合并。请刷新页面查看最新列表。")
    return session


async def _change(
    books: Books, sessions: Sequence[StudySession], *, action: str, person_id: int, session_id: str
) -> None:
    """Write what a person entered, settle the days it touches, leave a line in the audit trail."""
    await fold_queries.put_sessions(books.connection, books.district_id, sessions)
    days = {day for each in sessions for day in touched_days(each, zone=books.zone)}
    await settle(books, days)
    newest = sessions[-1]
    await record(
        books.connection,
        books.district_id,
        person_id=person_id,
        action=action,
        object_=f"{books.station_id}/{session_id}",
        now_ms=books.now_ms,
        detail={
            "people": newest.people,
            "visits": newest.visits,
            "kind": newest.kind,
            "topic": newest.topic,
            "reason": sessions[0].void_reason,
        },
    )


def _check_entry(kind: str, topic: str, people: int, visits: int, *, rules: UsageRules) -> dict[str, Any]:
    """What a person typed, cleaned. Raises BadInputError saying what to write instead."""
    text = clean(topic.strip(), 300)
    if kind not in KINDS:
        raise BadInputError(f"没有“{clean(kind, 20)}”这一类学习。请从列表中选择：{'、'.join(KINDS)}。")
    if not text:
        raise BadInputError("还没有填写学习主题。请写明这次学的是什么，例如“油橄榄丰产栽培”。")
    if not 1 <= people <= rules.max_people:
        raise BadInputError(f"参学人数应在 1 到 {rules.max_people} 之间，现在是 {people}。请按签到簿核对后重填。")
    if visits < people:
        raise BadInputError(
            f"参学人次（{visits}）不能少于参学人数（{people}）：每人至少算一次。请核对后重填，没有重复参加时两者相同。"
        )
    if visits > rules.max_visits:
        raise BadInputError(f"参学人次最多填 {rules.max_visits}，现在是 {visits}。请按签到簿核对后重填。")
    return {"kind": kind, "topic": text, "people": people, "visits": visits}


def _voided(session: StudySession, reason: str, *, person_id: int, now_ms: int) -> StudySession:
    text = clean(reason.strip(), 300)
    if session.state is SessionState.VOID:
        raise ConflictError("这条记录已经作废，不能再改。请刷新页面查看最新内容。")
    if not text:
        raise BadInputError("请写明作废或更正的原因，例如“人数按签到簿核对为 35”。")
    return replace(session, state=SessionState.VOID, voided_ms=now_ms, voided_by=person_id, void_reason=text)


def _next_id(station_id: int, session_id: str) -> str:
    """Id of the row that takes this session's place: it can be corrected once only, then its successor is."""
    return RESERVED + hashlib.sha256(f"{station_id} corrects {session_id}".encode()).hexdigest()[:24]
