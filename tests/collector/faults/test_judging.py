"""What stands in the database after rounds of judging."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import update

from collector.areas import queries as areas
from collector.faults import service
from collector.faults.areas import Place
from collector.faults.judging import Scene, judge_district
from collector.faults.rules.base import Category, Rule, Severity, View, sample_view
from collector.faults.standing import Standing
from collector.intake import queries as intake
from collector.stations.models import station_states
from tests.watching import GRACE_S, MINUTE_MS, PERIOD_S, Watch, watch

GIB = 1024**3
FULL = {"host": {"disk_free": GIB, "disk_total": 100 * GIB}}
ROOMY = {"host": {"disk_free": 50 * GIB, "disk_total": 100 * GIB}}
TITLE = "宝轮镇 红星村"


def test_a_full_disk_is_found_after_a_minute_and_forgotten_when_there_is_room(database_url: str) -> None:
    async def story() -> list[list[tuple[str, bool]]]:
        async with watch(database_url) as district:
            seen = []
            for probes, minutes in ((FULL, 5), (FULL, 2), (ROOMY, 7)):
                district.probes = {TITLE: probes}
                await district.run(minutes)
                seen.append([(row.rule, row.open) for row in (await district.findings()).values()])
            return seen

    assert asyncio.run(story()) == [[("disk_low", False)], [("disk_low", True)], []]


def test_a_fault_is_neither_opened_nor_closed_while_its_station_is_silent(database_url: str) -> None:
    async def story() -> set[str]:
        async with watch(database_url) as district:
            district.probes = {TITLE: FULL}
            await district.run(10)
            district.silent = {TITLE}
            await district.run(60)
            return {row.rule for row in (await district.findings()).values() if row.open}

    assert asyncio.run(story()) == {"disk_low", "station_silent"}


def test_a_station_not_heard_since_enrolment_is_not_called_silent(database_url: str) -> None:
    async def story() -> dict[Any, Standing]:
        async with watch(database_url) as district:
            async with district.database.write() as connection:
                await areas.add_district(connection, 999, name="另一区", now_ms=0)
                await service.judge(
                    connection, 999, period_s=PERIOD_S, grace_s=GRACE_S, ready_since_ms=0, now_ms=district.now_ms
                )
            return await district.findings()

    assert asyncio.run(story()) == {}


def test_the_centres_own_downtime_accuses_nobody(database_url: str) -> None:
    async def story() -> int:
        async with watch(database_url) as district:
            later_ms = district.now_ms + 3 * 60 * MINUTE_MS
            async with district.database.write() as connection:
                await service.judge(
                    connection,
                    district.district.district_id,
                    period_s=PERIOD_S,
                    grace_s=GRACE_S,
                    ready_since_ms=later_ms - MINUTE_MS,
                    now_ms=later_ms,
                )
            return len(await district.findings())

    assert asyncio.run(story()) == 0


@pytest.mark.parametrize("by_minutes", [-120, 45])
def test_a_centre_whose_own_clock_moves_accuses_nobody_and_goes_on(database_url: str, by_minutes: int) -> None:
    async def story() -> tuple[list[str], list[str]]:
        async with watch(database_url) as district:
            await district.run(20)
            district.now_ms += by_minutes * MINUTE_MS
            district.ready_since_ms = min(district.ready_since_ms, district.now_ms)
            await district.beat()
            await district.run(40)
            before = [each.rule for each in await district.tickets(open_only=False)]
            district.probes = {TITLE: FULL}
            await district.run(10)
            return before, [each.rule for each in await district.tickets()]

    assert asyncio.run(story()) == ([], ["disk_low"])


def test_a_district_may_set_its_own_thresholds(database_url: str) -> None:
    async def story() -> list[str]:
        async with watch(database_url) as district:
            async with district.database.write() as connection:
                own: dict[str, object] = {"rules": {"disk_low": {"open_percent": 60, "close_percent": 70}}}
                await areas.change_district_settings(connection, district.district.district_id, own)
            district.probes = {TITLE: ROOMY}
            await district.run(8)
            return [row.rule for row in (await district.findings()).values()]

    assert asyncio.run(story()) == ["disk_low"]


def test_a_station_without_new_files_while_its_peers_receive_has_a_bad_dish(database_url: str) -> None:
    async def story() -> list[tuple[str, int | None]]:
        async with watch(database_url) as district:
            old, new = district.now_ms - 50 * 60 * MINUTE_MS, district.now_ms - 60 * MINUTE_MS
            district.probes = {
                title: {"courseware": {"last_received_ms": old if title == TITLE else new}}
                for title in district.district.stations
            }
            # Its first heartbeat was long ago, else it counts from there.
            await _heard_first(district, district.now_ms - 90 * 1440 * MINUTE_MS)
            await district.run(70)
            return [(row.rule, row.station_id) for row in (await district.findings()).values() if row.open]

    assert asyncio.run(story()) == [("satellite_silent", 2)]


def test_no_new_files_anywhere_is_one_fault_of_the_district(database_url: str) -> None:
    async def story() -> list[tuple[str, str]]:
        async with watch(database_url) as district:
            old = district.now_ms - 50 * 60 * MINUTE_MS
            district.probes = {title: {"courseware": {"last_received_ms": old}} for title in district.district.stations}
            await _heard_first(district, district.now_ms - 90 * 1440 * MINUTE_MS)
            await district.run(70)
            return [(row.rule, row.subject[:5]) for row in (await district.findings()).values() if row.open]

    assert asyncio.run(story()) == [("uplink_silent", "area/")]


async def _heard_first(district: Watch, first_ms: int) -> None:
    async with district.database.write() as connection:
        await connection.execute(update(station_states).values(first_received_ms=first_ms))


def test_a_rule_that_raises_is_itself_a_fault_and_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    def explode(_view: View, _limits: Any, _now_ms: int) -> None:
        raise ZeroDivisionError("planted")

    broken = Rule(
        name="broken",
        title="坏规则",
        text="",
        hint_plain="",
        hint_backbone="",
        category=Category.SOFTWARE,
        severity=Severity.MINOR,
        judge=explode,
        samples=(),
    )
    clock_wrong = service.list_rules()["clock_wrong"]
    slow = clock_wrong.samples[0]
    with caplog.at_level(logging.ERROR):
        stands = judge_district(_scene(slow.view, slow.now_ms), {"broken": broken, "clock_wrong": clock_wrong})
    assert {(subject, rule) for subject, rule in stands} == {
        ("station/17", "clock_wrong"),
        ("rule/broken", "rule_failed"),
    }
    assert "planted" in stands["rule/broken", "rule_failed"].facts["error"]
    assert "rule.failed rule=broken station=17" in caplog.text


def test_thresholds_that_cannot_be_read_are_told_and_the_defaults_hold() -> None:
    clock_wrong = service.list_rules()["clock_wrong"]
    slow = clock_wrong.samples[0]
    scene = _scene(slow.view, slow.now_ms, limits={"clock_wrong": {"open_minutes": "viel"}})
    stands = judge_district(scene, {"clock_wrong": clock_wrong})
    assert {rule for _, rule in stands} == {"clock_wrong", "rule_failed"}


def test_of_a_station_not_heard_for_long_only_its_silence_is_judged() -> None:
    rule = service.list_rules()["satellite_silent"]
    opening = rule.samples[0]
    late_ms = opening.now_ms + (PERIOD_S + GRACE_S) * 1000
    peers = [
        sample_view(station_id=each, last_file_ms=opening.now_ms, courseware={"files": 1}, received_ms=late_ms)
        for each in (18, 19)
    ]
    judged = [
        judge_district(_scene(opening.view, now_ms, peers=peers), {"satellite_silent": rule})
        for now_ms in (late_ms - 1, late_ms)
    ]
    assert [len(each) for each in judged] == [1, 0]


def _scene(
    view: View, now_ms: int, *, limits: dict[str, dict[str, object]] | None = None, peers: Sequence[View] = ()
) -> Scene:
    views = [view, *peers]
    return Scene(
        views=views,
        places={each.station_id: Place(f"station/{each.station_id}", "area/1", "宝轮镇") for each in views},
        old={},
        district="area/0",
        limits=limits or {},
        period_s=PERIOD_S,
        grace_s=GRACE_S,
        now_ms=now_ms,
    )


def test_a_sample_view_is_healthy() -> None:
    view = sample_view()
    rules = service.list_rules()
    assert [name for name, rule in rules.items() if rule.judge(view, rule.limits(), view.received_ms)] == []


def test_a_sensor_that_fails_is_told_by_name_after_three_periods() -> None:
    rule = service.list_rules()["probe_failing"]
    failing = sample_view(failing={"audio": "no server", "projector": "timeout"})
    (row,) = judge_district(_scene(failing, failing.received_ms), {"probe_failing": rule}).values()
    assert not row.open
    assert rule.finding(row.facts) == "读不到这些数据：声音、投影机（no server）"


def test_an_enrolled_station_that_never_spoke_is_no_part_of_its_township() -> None:
    rules = service.list_rules()
    opening = rules["never_seen"].samples[0]
    stands = judge_district(_scene(opening.view, opening.now_ms), rules)
    assert set(stands) == {("station/17", "never_seen")}


def test_evidence_against_a_station_is_counted_and_soon_told(database_url: str) -> None:
    async def story() -> list[tuple[str, int | None, Any]]:
        async with watch(database_url) as district:
            async with district.database.write() as connection:
                for _ in range(2):
                    await intake.add_security_event(
                        connection,
                        district.district.district_id,
                        station_id=2,
                        kind="stream-conflict",
                        detail="",
                        content=None,
                        now_ms=district.now_ms,
                    )
            await district.run(1)
            return [(row.rule, row.station_id, row.facts["count"]) for row in (await district.findings()).values()]

    assert asyncio.run(story()) == [("tamper", 2, 2)]
