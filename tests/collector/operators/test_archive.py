"""The archive on its pages: what stands in a file, who may change it, and that phones stay masked."""

import csv
import io
import re
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from collector.people.models import audit
from collector.people.queries import Role, add_person
from collector.people.service import make_link, mask_phone
from collector.tickets.queries import add_ticket
from tests.collector.people.test_access import new_ticket
from tests.office import Office, csrf_of, write

PHONE = "13812345678"
ZHANG: dict[str, Any] = {
    "name": "张三",
    "role": "backbone",
    "phone": PHONE,
    "skills": ["network", "software"],
    "duty": ["1", "3"],
    "duties": "管好本镇设备",
}


def send(client: TestClient, address: str, **form: Any) -> Any:
    return client.post(address, data={"csrf": csrf_of(client.get("/operators").text), **form})


def file_zhang(office: Office, client: TestClient, **more: Any) -> int:
    """Take 张三 of 宝轮镇 into the archive; his number."""
    answer = send(client, "/operators/new", **{**ZHANG, "area_id": str(office.district.townships["宝轮镇"]), **more})
    assert answer.status_code == 303, answer.text
    return int(answer.headers["location"].rsplit("/", 1)[1])


@pytest.mark.parametrize(
    ("phone", "shown"),
    [(PHONE, "138****5678"), ("0839-3222222", "083****2222"), ("1234567", "*****67"), ("123", "***"), ("", "")],
)
def test_a_masked_number_tells_little(phone: str, shown: str) -> None:
    assert mask_phone(phone) == shown


def test_a_file_keeps_what_the_form_says(office: Office) -> None:
    with office.signed_in("主任") as client:
        number = file_zhang(office, client, more_areas=[str(office.district.townships["大石镇"])])
        page = client.get(f"/operators/{number}").text
    for word in ("张三", "骨干“1”", "宝轮镇、大石镇", "网络、软件", "周一、周三", "管好本镇设备"):
        assert word in page


def test_numbers_are_masked_everywhere_but_for_one_audited_look(office: Office) -> None:
    with office.signed_in("主任") as client:
        number = file_zhang(office, client)
        pages = [client.get(each).text for each in ("/operators", f"/operators/{number}", f"/operators/{number}/edit")]
        export = client.get("/operators.csv").text
        looked = send(client, f"/operators/{number}/phone").text
    assert all(PHONE not in each and "138****5678" in each for each in [*pages, export])
    assert PHONE in looked
    rows = write(office.url, lambda connection: connection.execute(select(audit.c.action, audit.c.object)))
    assert ("operators.phone", f"person/{number}") in {(row[0], row[1]) for row in rows}


def test_a_file_that_cannot_be_says_what_to_change(office: Office) -> None:
    with office.signed_in("主任") as client:
        answers = [
            send(client, "/operators/new", **{**ZHANG, "name": " "}),
            send(client, "/operators/new", **{**ZHANG, "area_id": "nonsense"}),
            send(client, "/operators/new", **{**ZHANG, "role": "plain"}),
            send(client, "/operators/new", **{**ZHANG, "role": "township"}),
            send(
                client,
                "/operators/new",
                **{**ZHANG, "phone": "=cmd|x", "area_id": str(office.district.townships["大石镇"])},
            ),
        ]
    said = ["请填写姓名", "请选择乡镇", "请选择站点", "管理站人员要有所属乡镇", "电话只能是数字"]
    assert [each.status_code for each in answers] == [422] * 5
    assert all(word in answer.text for word, answer in zip(said, answers, strict=True))


def test_two_who_edit_at_once_do_not_overwrite_each_other(office: Office) -> None:
    with office.signed_in("主任") as client:
        number = file_zhang(office, client)
        form = {**ZHANG, "area_id": str(office.district.townships["宝轮镇"]), "version": "2", "phone": ""}
        first = send(client, f"/operators/{number}/edit", **{**form, "name": "张三丰"})
        second = send(client, f"/operators/{number}/edit", **{**form, "name": "张五"})
        page = client.get(f"/operators/{number}").text
    assert (first.status_code, second.status_code) == (303, 409)
    assert "刚刚被别人改过" in second.text
    assert "张三丰" in page
    assert "138****5678" in page


def become(client: TestClient, office: Office, name: str) -> None:
    """Sign in as somebody else in the same browser."""
    token = write(
        office.url,
        lambda connection: make_link(connection, 510802, office.district.people[name], now_ms=office.now_ms),
    )
    client.cookies.clear()
    client.post(f"/signin/link/{token}")


def test_a_township_keeps_its_own_files_only(office: Office) -> None:
    with office.signed_in("主任") as client:
        number = file_zhang(office, client)
        become(client, office, "宝轮镇管理员")
        assert client.get(f"/operators/{number}/edit").status_code == 200
        become(client, office, "大石镇管理员")
        assert client.get(f"/operators/{number}").status_code == 403
        assert "张三" not in client.get("/operators").text + client.get("/operators.csv").text
        assert send(client, f"/operators/{number}/phone").status_code == 403
        taken = send(client, "/operators/new", **{**ZHANG, "area_id": str(office.district.townships["宝轮镇"])})
        assert taken.status_code == 403
        boss = office.district.people["主任"]
        assert send(client, f"/operators/{boss}/link").status_code == 403
        become(client, office, "宝轮镇骨干")
        assert client.get(f"/operators/{number}").status_code == 200
        assert client.get(f"/operators/{number}/edit").status_code == 403
        assert send(client, f"/operators/{number}/phone").status_code == 403


def test_the_centre_keeps_files_of_the_offices(office: Office) -> None:
    area = str(office.district.townships["宝轮镇"])
    with office.signed_in("主任") as client:
        number = file_zhang(office, client, role="township")
        assert "乡镇管理站" in client.get(f"/operators/{number}").text
        boss = office.district.people["主任"]
        demoted = send(client, f"/operators/{boss}/edit", **{**ZHANG, "area_id": area, "version": "1"})
        assert (demoted.status_code, "不能改自己的类别" in demoted.text) == (422, True)
        become(client, office, "宝轮镇管理员")
        assert "张三" in client.get("/operators").text
        assert "主任" not in client.get("/operators.csv").text
        assert client.get(f"/operators/{number}/edit").status_code == 403
        raised = send(client, "/operators/new", **{**ZHANG, "role": "centre", "area_id": area})
        assert (raised.status_code, "由区中心登记" in raised.text) == (422, True)


def test_training_qualification_and_leave_stand_in_the_file(office: Office) -> None:
    with office.signed_in("宝轮镇管理员") as client:
        number = file_zhang(office, client)
        assert "今年还没培训" in client.get("/operators?lacking=1").text
        assert "张三" in client.get("/operators?lacking=1").text
        send(client, f"/operators/{number}/training", day="2026-03-02", topic="网络排障", hours="16")
        send(
            client,
            f"/operators/{number}/qualification",
            title="远教操作员证",
            number="川-0815",
            issued_day="2020-01-01",
            expires_day="2024-12-31",
        )
        send(client, f"/operators/{number}/away", from_day="2026-01-01", to_day="2036-12-31", reason="借调")
        wrong = send(client, f"/operators/{number}/away", from_day="2026-09-12", to_day="2026-09-10")
        page = client.get(f"/operators/{number}").text
        listed = client.get("/operators").text
        lacking = client.get("/operators?lacking=1").text
    assert wrong.status_code == 422
    for word in ("网络排障", "16 学时", "远教操作员证 川-0815", "已过期", "借调"):
        assert word in page
    assert "休假至 2036-12-31" in listed
    assert "张三" not in lacking


def test_who_is_let_go_is_signed_out_and_leaves_the_list(office: Office) -> None:
    with office.signed_in("主任") as client:
        number = file_zhang(office, client)
        link = send(client, f"/operators/{number}/link").text.split("/signin/link/", 1)[1].split("<", 1)[0]
        boss = dict(client.cookies)
        client.cookies.clear()
        client.post(f"/signin/link/{link}")
        zhang = dict(client.cookies)
        assert client.get("/operators").status_code == 200
        client.cookies.clear()
        client.cookies.update(boss)
        assert send(client, f"/operators/{number}/leave-office", version="2").status_code == 303
        assert "张三" not in client.get("/operators").text
        mine = office.district.people["主任"]
        assert send(client, f"/operators/{mine}/leave-office", version="1").status_code == 422
        client.cookies.clear()
        client.cookies.update(zhang)
        assert client.get("/operators").headers["location"].startswith("/signin")


def test_the_export_is_a_table_in_which_no_name_is_a_formula(office: Office) -> None:
    write(
        office.url,
        lambda connection: add_person(
            connection,
            510802,
            name="=1+1",
            role=Role.BACKBONE,
            now_ms=office.now_ms,
            area_id=office.district.townships["宝轮镇"],
        ),
    )
    with office.signed_in("主任") as client:
        answer = client.get("/operators.csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert {row["姓名"] for row in rows if row["类别"] == "骨干“1”"} == {"宝轮镇骨干", "大石镇骨干", "'=1+1"}
    assert "=1+1" not in {row["姓名"] for row in rows}


def test_load_and_topics_come_from_the_tickets(office: Office) -> None:
    def ticket(title: str, assignee: str) -> Any:
        new = new_ticket(office, title)
        return type(new)(
            **{name: getattr(new, name) for name in new.__slots__}
            | {"assignee_id": office.district.people[assignee], "step": 4}
        )

    async def open_all(connection: Any) -> None:
        for title in ("宝轮镇 爱国社区", "宝轮镇 红星村"):
            await add_ticket(connection, 510802, ticket(title, "宝轮镇骨干"), now_ms=office.now_ms - 1000)

    write(office.url, open_all)
    with office.signed_in("主任") as client:
        listed = client.get("/operators").text
        file = list(csv.DictReader(io.StringIO(client.get("/operators.csv").content.decode("utf-8-sig"))))
    load = {row["姓名"]: row["未办结工单"] for row in file}
    assert (load["宝轮镇骨干"], load["大石镇骨干"]) == ("2", "0")
    assert "网络：光猫、路由器、网线检查（2 次故障）" in listed


@pytest.mark.parametrize(
    ("act", "form", "told", "kept"),
    [
        ("training", {"day": "2036-01-01", "topic": "网络排障"}, "不能晚于今天", 'name="topic" value="网络排障"'),
        ("training", {"day": "2026-01-01", "topic": "  ", "hours": "16"}, "不能为空", 'name="hours" value="16"'),
        (
            "qualification",
            {"title": "骨干证", "issued_day": "2026-01-01", "expires_day": "2020-01-01"},
            "不能早于发证日期",
            'name="title" value="骨干证"',
        ),
        (
            "away",
            {"from_day": "2026-09-12", "to_day": "2026-09-10", "reason": "学习"},
            "不能早于开始日期",
            'name="reason" value="学习"',
        ),
    ],
)
def test_what_cannot_be_filed_is_said_beside_what_was_typed(
    office: Office, act: str, form: dict[str, str], told: str, kept: str
) -> None:
    number = office.district.people["宝轮镇骨干"]
    with office.signed_in("宝轮镇管理员") as client:
        answer = send(client, f"/operators/{number}/{act}", **form)
    assert answer.status_code == 422
    assert told in answer.text
    assert kept in answer.text
    assert len(re.findall(r"<details[^>]* open", answer.text)) == 1
