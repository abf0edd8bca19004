import re
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from starlette.testclient import TestClient

from collector.tickets.forms import Filters, end_of, next_working_day
from tests.office import Office, csrf_of

ZONE = ZoneInfo("Asia/Shanghai")
THURSDAY = 1_789_002_000_000  # 10 September 2026, 09:00


def do(client: TestClient, action: str, version: int = 1, **more: str) -> tuple[int, str]:
    """Do something to ticket 1 as its page would; status and the page after it."""
    form = {"csrf": csrf_of(client.get("/tickets/1").text), "version": str(version), **more}
    answer = client.post(f"/tickets/1/{action}", data=form)
    return answer.status_code, client.get(answer.headers.get("location", "/tickets/1")).text


def test_a_ticket_is_acknowledged_with_a_promised_day(office: Office) -> None:
    with office.signed_in("宝轮镇骨干") as client:
        status, page = do(client, "acknowledge", day="2026-09-14")
    assert status == 303
    assert "处理中" in page
    assert "预计 09-14 18:00 修好" in page
    assert "宝轮镇骨干" in page


def test_a_far_promise_is_kept_to_the_day(office: Office) -> None:
    with office.signed_in("宝轮镇骨干") as client:
        status, page = do(client, "acknowledge", day="2026-12-14")
    assert status == 303
    assert "预计 12-14 18:00 修好" in page


def test_the_button_of_a_list_promises_the_next_working_day_and_comes_back(office: Office) -> None:
    with office.signed_in("宝轮镇骨干") as client:
        form = {"csrf": csrf_of(client.get("/").text), "version": "1", "back": "/tickets?mine=1"}
        answer = client.post("/tickets/1/acknowledge", data=form)
        listed = client.get(answer.headers["location"]).text
    assert answer.headers["location"] == "/tickets?mine=1"
    assert "预计 09-11 18:00" in listed


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (0, date(2026, 9, 11)),
        (1, date(2026, 9, 14)),
        (2, date(2026, 9, 14)),
        (3, date(2026, 9, 14)),
        (4, date(2026, 9, 15)),
    ],
)
def test_the_next_working_day_is_never_a_weekend(days: int, expected: date) -> None:
    assert next_working_day(THURSDAY + days * 86_400_000, ZONE) == expected


def test_a_promise_is_for_the_end_of_the_day() -> None:
    assert end_of(date(2026, 9, 10), ZONE) - THURSDAY == 9 * 3_600_000


def test_who_was_slower_is_told_and_sees_the_newest(office: Office) -> None:
    with office.signed_in("宝轮镇骨干") as client:
        do(client, "acknowledge", day="2026-09-14")
        form = {"csrf": csrf_of(client.get("/tickets/1").text), "version": "1", "note": "我打的字还在"}
        late = client.post("/tickets/1/comment", data=form)
    assert late.status_code == 409
    assert "刚刚有了新的变化" in late.text
    assert "处理中" in late.text
    assert "我打的字还在" in late.text


def test_notes_hand_overs_waits_and_repairs_are_in_the_history(office: Office) -> None:
    with office.signed_in("宝轮镇骨干") as client:
        assert do(client, "comment", 1, note="已打电话<b>")[0] == 303
        assert do(client, "reassign", 2, assignee_id=str(office.district.people["宝轮镇管理员"]))[0] == 303
        assert do(client, "wait", 3, day="2026-09-15", note="等配件")[0] == 303
        status, page = do(client, "resolve", 4, cause="网线松动", done="重新插好", on_site="true")
    assert status == 303
    assert re.findall(r"<li><strong>([^<]+)</strong>", page) == ["报告已修好", "挂起", "转派", "备注"]
    assert "已打电话&lt;b&gt;" in page
    assert "交给 宝轮镇管理员" in page
    assert "网线松动" in page
    assert "待验证" in page


@pytest.mark.parametrize(
    ("action", "form", "said"),
    [
        ("acknowledge", {"day": "2020-01-01"}, "必须晚于现在"),
        ("acknowledge", {"day": "2027-10-01"}, "日期最晚只能是一年以后"),
        ("wait", {"day": "2027-10-01", "note": "等配件"}, "日期最晚只能是一年以后"),
        ("comment", {"note": "  "}, "请写下备注内容"),
        ("reassign", {"assignee_id": "999"}, "没有这个人"),
        ("resolve", {"cause": "", "done": "x"}, "请填写故障原因"),
    ],
)
def test_what_is_missing_is_said_on_the_ticket(office: Office, action: str, form: dict[str, str], said: str) -> None:
    with office.signed_in("宝轮镇骨干") as client:
        form = {"csrf": csrf_of(client.get("/tickets/1").text), "version": "1", **form}
        answer = client.post(f"/tickets/1/{action}", data=form)
    assert answer.status_code == 422
    assert said in answer.text


def test_the_ticket_shows_a_hint_for_x_and_one_for_1(office: Office) -> None:
    with office.signed_in("主任") as client:
        page = client.get("/tickets/1").text
    assert page.count('class="hint"') == 2
    assert "光猫的灯" in page


def test_filters_live_in_the_address(office: Office) -> None:
    with office.signed_in("主任") as client:
        other = client.get("/tickets", params={"township": str(office.district.townships["大石镇"])}).text
        wrong = client.get("/tickets?township=x&show=x").text
    assert "没有符合条件的工单" in other
    assert "爱国社区" in wrong
    assert Filters(show="all", mine="1").address(limit=100) == "/tickets?show=all&mine=1&limit=100"


def test_an_unknown_ticket_is_not_found(office: Office) -> None:
    with office.signed_in("主任") as client:
        assert client.get("/tickets/99").status_code == 404


def test_what_was_typed_stays_in_the_form_it_was_typed_into(office: Office) -> None:
    with office.signed_in("宝轮镇骨干") as client:
        page = client.get("/tickets/1").text
        form = {"csrf": csrf_of(page), "version": "99", "cause": "灯泡老化", "done": "换了灯泡", "helped": "other"}
        answer = client.post("/tickets/1/resolve", data={**form, "parts": "灯泡", "on_site": "true"})
    assert answer.status_code == 409
    assert re.findall(r"<details[^>]* open[^>]*><summary>([^<]+)", answer.text) == ["已修好"]
    assert 'name="cause" value="灯泡老化"' in answer.text
    assert 'name="done" required maxlength="2000">换了灯泡<' in answer.text
    assert 'name="parts" value="灯泡"' in answer.text
    assert 'value="true" checked' in answer.text
    assert 'value="other" checked' in answer.text
