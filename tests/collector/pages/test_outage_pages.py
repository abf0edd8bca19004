"""What the centre's staff tells of beforehand: power cuts and maintenance, holidays and hours."""

import re
from datetime import date

import pytest
from starlette.testclient import TestClient

from collector.areas.queries import get_district_settings
from collector.faults.outages import list_excused
from collector.faults.pages import Run, list_runs
from tests.office import Office, csrf_of, write

TODAY = "2026-09-10"


def post(client: TestClient, page: str, path: str, **form: object) -> tuple[int, str]:
    """Send a form as the page would; the status and the page after it."""
    answer = client.post(path, data={"csrf": csrf_of(client.get(page).text), **form})
    return answer.status_code, client.get(answer.headers["location"]).text if answer.is_redirect else answer.text


def announce(office: Office, client: TestClient, **changes: str) -> tuple[int, str]:
    area = str(office.district.townships["宝轮镇"])
    form = {"kind": "power_cut", "area": area, "begin": f"{TODAY}T08:00", "end": f"{TODAY}T12:00", "note": "线路改造"}
    return post(client, "/outages", "/outages", **{**form, **changes})


def excused(office: Office) -> frozenset[int]:
    return write(office.url, lambda connection: list_excused(connection, 510802, now_ms=office.now_ms))


def test_a_power_cut_of_a_township_is_registered_seen_and_ended(office: Office) -> None:
    with office.signed_in("主任") as client:
        status, page = announce(office, client)
        during = excused(office)
        ended, after = post(client, "/outages", "/outages/1/end")
    assert (status, ended) == (303, 303)
    assert "线路改造" in page
    assert "进行中" in page
    assert during == {office.district.stations["宝轮镇 爱国社区"], office.district.stations["宝轮镇 红星村"]}
    assert "已取消" in after
    assert excused(office) == frozenset()


def test_the_maintenance_of_one_station_may_repeat(office: Office) -> None:
    with office.signed_in("主任") as client:
        _, page = announce(office, client, kind="maintenance", station="红星村", every_days="7")
    assert "每 7 天" in page
    assert excused(office) == {office.district.stations["宝轮镇 红星村"]}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"station": "没有的村"}, "没有叫这个名字的站点"),
        ({"end": f"{TODAY}T07:00"}, "结束时间必须晚于开始时间"),
        ({"every_days": "1", "end": "2026-09-12T08:00"}, "重复的间隔必须长于"),
        ({"begin": "0001-01-01T00:00", "end": "9999-12-31T23:59"}, "不能早于一年前"),
    ],
)
def test_what_makes_no_sense_is_said(office: Office, wrong: dict[str, str], told: str) -> None:
    with office.signed_in("主任") as client:
        status, page = announce(office, client, **wrong)
    assert status == 422
    assert told in page


def test_ending_what_has_been_ended_is_said(office: Office) -> None:
    with office.signed_in("主任") as client:
        status, page = post(client, "/outages", "/outages/9/end")
    assert status == 404
    assert "没有这条停电或检修记录" in page


def test_others_see_and_do_not_change(office: Office) -> None:
    with office.signed_in("宝轮镇骨干") as client:
        seen = client.get("/outages"), client.get("/calendar")
        status, _ = announce(office, client)
    assert [each.status_code for each in seen] == [200, 200]
    assert "登记停电或检修" not in seen[0].text
    assert status == 403


def test_a_holiday_of_the_district_is_added_and_taken_back(office: Office) -> None:
    with office.signed_in("主任") as client:
        form = {"first": "2026-09-14", "last": "2026-09-15", "kind": "off"}
        _, page = post(client, "/calendar", "/calendar/days", **form)
        _, after = post(client, "/calendar", "/calendar/days", **{**form, "kind": "usual"})
    assert "2026-09-14 – 2026-09-15" in page
    assert "2026-09-14" not in after


def test_the_hours_of_stations_are_changed_and_kept_with_everything_else(office: Office) -> None:
    with office.signed_in("主任") as client:
        hours = {"name": "opening", "weekdays": ["1", "2", "3"], "hours": "8:30-12:00，14:00-18:00"}
        status, page = post(client, "/calendar", "/calendar/week", **hours)
    settings = write(office.url, lambda connection: get_district_settings(connection, 510802))
    assert status == 303
    assert "08:30-12:00 14:00-18:00" in page
    assert "calendar" in settings


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"hours": "全天"}, "时间没有看懂"),
        ({"hours": "14:00-18:00 09:00-12:00"}, "时间段要按先后写"),
        ({"weekdays": []}, "请至少选一天"),
    ],
)
def test_hours_that_cannot_be_are_said(office: Office, wrong: dict[str, object], told: str) -> None:
    with office.signed_in("主任") as client:
        form: dict[str, object] = {"name": "working", "weekdays": ["1"], "hours": "09:00-12:00", **wrong}
        status, page = post(client, "/calendar", "/calendar/week", **form)
    assert status == 422
    assert told in page


def test_days_in_a_row_are_one_line_and_own_days_are_told_apart() -> None:
    usual = {date(2026, 10, 1): False, date(2026, 10, 2): False, date(2026, 10, 10): True}
    days = {**usual, date(2026, 10, 3): False}
    assert list_runs(days, usual, since=date(2026, 9, 1)) == [
        Run(date(2026, 10, 1), date(2026, 10, 2), is_worked=False, is_own=False),
        Run(date(2026, 10, 3), date(2026, 10, 3), is_worked=False, is_own=True),
        Run(date(2026, 10, 10), date(2026, 10, 10), is_worked=True, is_own=False),
    ]


def test_what_was_typed_stays_when_an_outage_is_refused(office: Office) -> None:
    with office.signed_in("主任") as client:
        _, page = announce(office, client, station="没有这村", every_days="7")
    for kept in (
        'value="没有这村"',
        'value="7"',
        'value="线路改造"',
        f'value="{TODAY}T08:00"',
        f'value="{TODAY}T12:00"',
    ):
        assert kept in page
    assert f'value="{office.district.townships["宝轮镇"]}" selected' in page


def test_hours_that_were_refused_stay_to_be_mended(office: Office) -> None:
    with office.signed_in("主任") as client:
        _, page = post(client, "/calendar", "/calendar/week", name="working", weekdays=["2"], hours="8点到12点")
    assert 'value="8点到12点"' in page
    assert re.findall(r'name="weekdays" value="(\d)" checked', page)[0] == "2"
