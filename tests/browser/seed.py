"""The district of the browser tests: Lizhou as it was in 2016, on the morning of 22 September 2026."""

import random
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from collector.db.engine import Connection, Database
from collector.faults import outages
from collector.faults.queries import OutageKind
from collector.faults.rules.base import Category, Severity
from collector.migrate import migrate
from collector.people import service as people
from collector.releases import service as releases
from collector.stations import queries as stations
from collector.tickets import queries as tickets
from collector.tickets import service
from collector.tickets.queries import NewTicket
from collector.tickets.words import Action
from collector.timeline import queries as timeline
from collector.timeline.presence import Presence, Stretch
from collector.usage import service as usage
from shared.months import BEIJING
from tests.clocks import ManualClock
from tests.collector.usage.events import Fact, append, claim, plays, received
from tests.districts import SmallDistrict, plant_district
from tests.office import hear, probe, set_password
from tests.releases import make_release

HERE = Path(__file__).parent
PLAN = {
    township: villages
    for township, *villages in (line.split() for line in (HERE / "lizhou.txt").read_text("utf-8").splitlines())
}
NOW_MS = int(datetime(2026, 9, 22, 10, 30, tzinfo=BEIJING).timestamp() * 1000)
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
TITLES = (
    "党章修正案学习辅导",
    "农村实用技术：黄羊饲养",
    "油橄榄丰产栽培",
    "果树冬季修剪要点",
    "畜禽春季防疫",
    "农家乐经营与服务",
    "村级财务公开",
    "民法典与农村生活",
)
TROUBLED = {"宝轮镇": 6, "金洞乡": 8, "雪峰街道": 2, "三堆镇": 2, "龙潭乡": 1}
AIGUO = "宝轮镇 爱国社区"
EVIL = "<script>alert(1)</script>\u202egpj.课件"


async def seed(url: str, clock: ManualClock) -> SmallDistrict:
    clock.set_wall(NOW_MS)
    database = Database(url)
    await migrate(database)
    district = await plant_district(database, PLAN, now_ms=NOW_MS - 90 * DAY_MS)
    chance = random.Random(20260922)  # noqa: S311 - a seed for a picture, no secret
    async with database.write() as connection:
        await set_password(connection, district, "主任", "zhuren")
        await _open_tickets(connection, district)
        await _draw_week(connection, district)
        await _try_release(connection, district)
    facts = {title: list(_facts(title, chance)) for title in district.stations}
    for title, station in district.stations.items():
        await append(database, station, facts[title])
    async with database.write() as connection:
        await _hear_all(connection, district, chance, {title: len(each) for title, each in facts.items()})
    await usage.fold(database, zone=BEIJING, now_ms=NOW_MS)
    await database.close()
    return district


async def link_for(url: str, district: SmallDistrict, name: str) -> str:
    """A sign-in token for one of the district's people."""
    database = Database(url)
    async with database.write() as connection:
        token = await people.make_link(connection, district.district_id, district.people[name], now_ms=NOW_MS)
    await database.close()
    return token


async def _hear_all(
    connection: Connection, district: SmallDistrict, chance: random.Random, last: dict[str, int]
) -> None:
    left = dict(TROUBLED)
    for title, station in district.stations.items():
        township = title.split()[0]
        if title != AIGUO and chance.random() < 0.05:
            continue
        await stations.add_key(
            connection,
            district.district_id,
            station,
            key_id=f"{station:016x}",
            public_key=bytes(32),
            now_ms=NOW_MS - 80 * DAY_MS,
        )
        age_ms = chance.randint(5, 290) * 1000 if title != AIGUO else 21 * HOUR_MS
        if left.get(township, 0) and title != AIGUO:
            left[township] -= 1
            age_ms = chance.randint(2, 70) * HOUR_MS
        elif chance.random() < 0.06:
            age_ms = chance.randint(7, 14) * MINUTE_MS
        await hear(
            connection,
            district.district_id,
            station,
            received_ms=NOW_MS - age_ms,
            probes=_probes(chance),
            waiting=37 if title == AIGUO else 0,
            last=last[title] + (37 if title == AIGUO else 0),
            wall_ms=NOW_MS - age_ms - (11 * MINUTE_MS if title == AIGUO else 1200),
        )


def _probes(chance: random.Random) -> dict[str, Any]:
    free = chance.randint(6, 80)
    return {
        "courseware": probe(files=chance.randint(20, 90), corrupt=[], readable=True),
        "playback": probe(playing=[]),
        "projector": probe(reachable=True, power="off", lamp_hours=chance.randint(200, 4200)),
        "audio": probe(sink=True, volume=0.6, muted=False),
        "host": probe(disk_free=free * 10**9 * 2, disk_total=200 * 10**9, temperature_c=51.0),
    }


async def _try_release(connection: Connection, district: SmallDistrict) -> None:
    """The stations of one township are to try a newer agent."""
    where = district.district_id
    await releases.add(connection, where, make_release("0.2.0"), keys=None, now_ms=NOW_MS - DAY_MS)
    ring = [station for title, station in district.stations.items() if title.startswith("宝轮镇 ")]
    await releases.offer(connection, where, "0.2.0", ring, now_ms=NOW_MS - HOUR_MS)


async def _draw_week(connection: Connection, district: SmallDistrict) -> None:
    """A week of one station's time line: open days and nights, a silence, and a night of ours; a power cut ahead."""
    midnight = NOW_MS - round(10.5 * HOUR_MS)
    rows: list[Stretch] = []
    for ago in range(7, -1, -1):
        opens, closes = midnight - ago * DAY_MS + 9 * HOUR_MS, midnight - ago * DAY_MS + 21 * HOUR_MS
        cut = opens + (12 - ago) * HOUR_MS
        middle = {2: Presence.DOWN, 4: Presence.UNKNOWN}.get(ago, Presence.UP)
        pieces = [(opens, cut, Presence.UP), (cut, closes, middle), (closes, opens + DAY_MS, Presence.OFF)]
        number = district.stations[AIGUO]
        rows += [Stretch(number, begin, end, presence, True) for begin, end, presence in pieces if begin < NOW_MS]
    *past, last = rows
    await timeline.add_stretches(
        connection, district.district_id, [*past, Stretch(last.station_id, last.from_ms, None, last.presence, True)]
    )
    await outages.report_outage(
        connection,
        district.district_id,
        kind=OutageKind.POWER_CUT,
        from_ms=NOW_MS - HOUR_MS,
        to_ms=NOW_MS + 3 * HOUR_MS,
        area_id=district.townships["三堆镇"],
        note="供电所检修线路",
        person_id=district.people["主任"],
        now_ms=NOW_MS - DAY_MS,
    )


async def _open_tickets(connection: Connection, district: SmallDistrict) -> None:
    plan: list[tuple[str, str, Category, Severity, dict[str, Any], float]] = [
        (AIGUO, "satellite_silent", Category.SATELLITE, Severity.MAJOR, {"last_ms": NOW_MS - 3 * DAY_MS}, 26),
        ("宝轮镇 红星村", "station_silent", Category.NETWORK, Severity.MAJOR, {"last_ms": NOW_MS - 7 * HOUR_MS}, 7),
        (
            "大石镇 红岩村",
            "projector_error",
            Category.HARDWARE_COMMON,
            Severity.MAJOR,
            {"parts": {"lamp": "error"}},
            52,
        ),
        ("三堆镇 五爱村", "disk_low", Category.SOFTWARE, Severity.MAJOR, {"percent": 3, "free_gib": 5.8}, 30),
        ("龙潭乡 红岩村", "courseware_corrupt", Category.COURSEWARE, Severity.MINOR, {"names": [EVIL]}, 5),
        ("白朝乡 新华村", "clock_wrong", Category.SOFTWARE, Severity.MINOR, {"minutes": 43, "is_slow": True}, 90),
    ]
    for title, rule, category, severity, facts, hours in plan:
        station = district.stations.get(title)
        township = title.split()[0]
        new = NewTicket(
            dedup_key=f"station/{title}/{rule}",
            rule=rule,
            category=category,
            severity=severity,
            station_id=station,
            area_id=district.townships[township],
            place=title,
            facts=facts,
            since_ms=round(NOW_MS - hours * HOUR_MS),
            assignee_id=district.people[f"{township}骨干"],
            step=1,
            previous_id=None,
        )
        opened = await tickets.add_ticket(connection, district.district_id, new, now_ms=NOW_MS - 5 * HOUR_MS)
        if opened is None:
            continue
        await tickets.add_change(connection, opened, Action.OPENED, now_ms=opened.opened_ms, told=True)
        if rule == "projector_error":
            await service.acknowledge(
                connection,
                opened,
                person_id=district.people[f"{township}骨干"],
                version=1,
                promised_ms=NOW_MS + DAY_MS,
                note="灯泡已向厂家订货",
                now_ms=NOW_MS - 4 * HOUR_MS,
            )


def _facts(title: str, chance: random.Random) -> Iterator[Fact]:
    """Three weeks of September at one station: courseware comes, is played, and people say how many they were."""
    if title != AIGUO and chance.random() < 0.1:
        return
    names = chance.sample(TITLES, chance.randint(2, 5)) + ([EVIL] if title == AIGUO else [])
    for number, name in enumerate(names):
        yield received(name, f"2026-09-{1 + number:02d} 03:20")
    for gathering in range(6 if title == AIGUO else chance.randint(0, 7)):
        day = f"2026-09-{3 + gathering * 2:02d}"
        name = chance.choice(names)
        yield from plays(name, f"{day} 19:30", minutes=chance.randint(25, 70))
        if gathering % 4 != 3:
            people = chance.randint(8, 45)
            yield claim(f"{day} 19:30", f"{day} 20:40", people=people, visits=people, topic=name)
