"""Facts of a station, and a way to put them into the event log as the intake would."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, update

from collector.db.engine import Database
from collector.intake.models import events, streams
from collector.stations.models import station_states
from collector.usage import service
from shared.months import BEIJING, month_of
from tests.districts import LIZHOU, SmallDistrict, plant_district

BOOT = "b" * 32
STREAM = "1" * 32
NOW_MS = int(datetime(2026, 10, 2, 9, tzinfo=BEIJING).timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Fact:
    """One event before it has a place in a stream. `late_ms` is how far the station's clock is behind the truth."""

    kind: str
    at_ms: int
    data: dict[str, Any]
    uncertain: bool = False
    refused: str | None = None
    late_ms: int = 0


def at(text: str) -> int:
    """`2026-09-10 19:00` in Beijing as epoch ms."""
    return int(datetime.fromisoformat(text).replace(tzinfo=BEIJING).timestamp() * 1000)


def sha(title: str) -> str:
    return hashlib.sha256(title.encode("utf-8", "replace")).hexdigest()


def received(title: str, when: str, *, kind: str = "courseware.received", name: str = "") -> Fact:
    data = {"sha256": sha(title), "name": name or f"{title}.mp4", "title": title, "size": 1000, "duration_s": 3600}
    return Fact(kind, at(when), data)


def found(title: str, when: str, *, name: str = "") -> Fact:
    return received(title, when, kind="courseware.found", name=name)


def removed(title: str, when: str, *, name: str = "") -> Fact:
    return Fact("courseware.removed", at(when), {"sha256": sha(title), "name": name or f"{title}.mp4"})


def listed(when: str, *, took_s: float = 60) -> Fact:
    """The end of an inventory that told everything within the last `took_s` seconds."""
    return Fact("courseware.listed", at(when), {"took_s": took_s})


def plays(
    title: str,
    when: str,
    *,
    minutes: float,
    playback: str = "",
    level: str = "E3",
    reason: str = "completed",
    late_ms: int = 0,
    uncertain: bool = False,
    flags: Sequence[str] = (),
) -> list[Fact]:
    """A whole playing: started, half-way progress, ended. `flags` are what the station doubts at its end."""
    begin_ms = at(when)
    base = {
        "playback": playback or f"{title}@{when}",
        "title": title,
        "name": f"{title}.mp4",
        "player": "mpv",
        "via": "ipc",
        "sha256": sha(title),
        "duration_s": minutes * 60,
    }
    facts = [Fact("playback.started", begin_ms, base, uncertain=uncertain, late_ms=late_ms)]
    for kind, share in (("playback.progress", 0.5), ("playback.ended", 1.0)):
        seconds = minutes * 60 * share
        data = {
            **base,
            "content_s": seconds,
            "played_s": seconds,
            "segments": f"0[.]{seconds}",
            "minutes": {level: minutes * share},
            "begin_ms": begin_ms,
        }
        data |= {"reason": reason, "flags": list(flags)} if kind == "playback.ended" else {}
        facts.append(Fact(kind, begin_ms + round(seconds * 1000), data, uncertain=uncertain, late_ms=late_ms))
    return facts


def claim(
    when: str,
    until: str,
    *,
    people: int,
    visits: int | None = None,
    session: str = "",
    entered: str = "",
    topic: str = "",
) -> Fact:
    """A study session typed at the station, by default at its end."""
    data = {
        "session": session or f"s{when}",
        "kind": "实用技术",
        "topic": topic or "黄羊饲养",
        "begin_ms": at(when),
        "end_ms": at(until),
        "people": people,
        "visits": people if visits is None else visits,
        "operator": "张三",
    }
    return Fact("session.claimed", at(entered or until), data)


async def append(
    database: Database, station_id: int, facts: Sequence[Fact], *, stream: str = STREAM, district_id: int = LIZHOU
) -> None:
    """Write facts behind what the stream already holds, with the time booked as the intake would."""
    whose = {"district_id": district_id, "station_id": station_id, "stream": stream}
    mine = [streams.c[name] == value for name, value in whose.items()]
    async with database.write() as connection:
        stored = (await connection.execute(streams.select().where(*mine))).first()
        first = 1 if stored is None else stored.stored + 1
        rows = [{**whose, **_row(fact, seq)} for seq, fact in enumerate(facts, first)]
        if stored is None:
            await connection.execute(
                insert(streams).values(**whose, stored=0, head="0" * 64, folded=0, opened_ms=NOW_MS)
            )
        if rows:
            await connection.execute(insert(events), rows)
        await connection.execute(update(streams).where(*mine).values(stored=_last(facts, first)))


async def hear(
    database: Database,
    station_id: int,
    *,
    at_ms: int,
    last: int,
    stream: str = STREAM,
    district_id: int = LIZHOU,
    probes: dict[str, Any] | None = None,
) -> None:
    """The station's newest heartbeat: `last` is the newest seq in its spool."""
    heartbeat = {"wall": at_ms, "mono": 1, "boot": BOOT, "spool": {"last": last, "waiting": 0, "bytes": 0}}
    heartbeat |= {"probes": probes or {}}
    async with database.write() as connection:
        await connection.execute(
            insert(station_states).values(
                district_id=district_id,
                station_id=station_id,
                stream=stream,
                spool_stream=stream,
                spool_last=last,
                boot=BOOT,
                mono_ms=1,
                wall_ms=at_ms,
                received_ms=at_ms,
                first_received_ms=at_ms,
                heartbeat=json.dumps(heartbeat),
            )
        )


async def fold(database: Database, *, now_ms: int = NOW_MS) -> int:
    return await service.fold(database, zone=BEIJING, now_ms=now_ms)


async def plant(database: Database) -> SmallDistrict:
    """Two townships, three stations."""
    return await plant_district(database, {"宝轮镇": ["爱国社区", "红星村"], "大石镇": ["红岩村"]})


def _row(fact: Fact, seq: int) -> dict[str, Any]:
    booked_ms = fact.at_ms + fact.late_ms
    line = {"seq": seq, "kind": fact.kind, "at": fact.at_ms, "boot": BOOT, "mono": 1, "data": fact.data}
    return {
        "seq": seq,
        "month": month_of(fact.at_ms),
        "kind": fact.kind,
        "at_ms": fact.at_ms,
        "booked_ms": booked_ms,
        "booked_month": month_of(booked_ms),
        "uncertain": fact.uncertain,
        "received_ms": NOW_MS,
        "line": json.dumps(line).encode(),
        "refused": fact.refused,
    }


def _last(facts: Sequence[Fact], first: int) -> int:
    """A gap line stands for every seq up to its `last`."""
    gaps = [int(fact.data["last"]) for fact in facts if fact.kind == "spool.gap"]
    return max([first + len(facts) - 1, *gaps])
