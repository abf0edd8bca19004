"""Reports by hand and photos on their pages: who may see a photo, and what is served with it."""

import io
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from collector.people.queries import Role, add_person, change_person
from collector.people.service import make_link
from tests.office import Office, csrf_of, write

AIGUO = "宝轮镇 爱国社区"


def jpeg() -> bytes:
    made = io.BytesIO()
    exif = Image.Exif()
    exif[0x010F] = "SECRETPHONE"
    Image.new("RGB", (80, 60), "red").save(made, "JPEG", exif=exif.tobytes())
    return made.getvalue()


def files(*contents: bytes) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("photos", (f"{number}.jpg", each, "image/jpeg")) for number, each in enumerate(contents)]


def send(client: TestClient, address: str, *contents: bytes, **form: str) -> Any:
    csrf = csrf_of(client.get("/tickets").text)
    return client.post(address, data={"csrf": csrf, **form}, files=files(*contents) or None)


def report(client: TestClient, office: Office, *contents: bytes, **form: str) -> Any:
    filled = {"station_id": str(office.district.stations[AIGUO]), "text": "投影机黑屏", **form}
    return send(client, "/tickets/report", *contents, **filled)


def become(client: TestClient, office: Office, name: str) -> None:
    """Sign in as somebody else in the same browser."""
    person = office.district.people[name]
    token = write(office.url, lambda connection: make_link(connection, 510802, person, now_ms=office.now_ms))
    client.cookies.clear()
    client.post(f"/signin/link/{token}")


def add_plain(office: Office) -> None:
    office.district.people["李四"] = write(
        office.url,
        lambda connection: add_person(
            connection,
            510802,
            name="李四",
            role=Role.PLAIN,
            now_ms=office.now_ms,
            station_id=office.district.stations[AIGUO],
        ),
    )


def test_an_operator_reports_a_fault_with_a_photo(office: Office) -> None:
    add_plain(office)
    with office.signed_in("李四") as client:
        form = client.get("/tickets/report").text
        answer = report(client, office, jpeg())
        page = client.get(answer.headers["location"]).text
        shown = client.get(f"{answer.headers['location']}/photos/1")
        small = client.get(f"{answer.headers['location']}/photos/1?small=true")
    assert "红星村" not in form
    assert "已有未办结的工单" in form
    assert "投影机黑屏" in page
    assert "/photos/1?small=true" in page
    assert "宝轮镇骨干" in page
    for each in (shown, small):
        assert each.headers["content-type"] == "image/jpeg"
        assert each.headers["x-content-type-options"] == "nosniff"
        assert each.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert each.headers["cache-control"].startswith("private")
        assert b"SECRETPHONE" not in each.content


def test_a_photo_is_for_those_who_may_see_its_ticket(office: Office) -> None:
    with office.signed_in("宝轮镇骨干") as client:
        assert send(client, "/tickets/1/comment", jpeg(), version="1").status_code == 303
        assert client.get("/tickets/1/photos/1").status_code == 200
        assert client.get("/tickets/1/photos/2").status_code == 404
        become(client, office, "大石镇骨干")
        assert client.get("/tickets/1/photos/1").status_code == 403
        client.cookies.clear()
        assert client.get("/tickets/1/photos/1").status_code == 303


def test_who_is_given_a_ticket_of_another_township_sees_it(office: Office) -> None:
    with office.signed_in("宝轮镇骨干") as client:
        other = str(office.district.people["大石镇骨干"])
        assert send(client, "/tickets/1/reassign", version="1", assignee_id=other).status_code == 303
        become(client, office, "大石镇骨干")
        assert client.get("/tickets/1").status_code == 200
        assert "爱国社区" in client.get("/tickets").text
        become(client, office, "大石镇管理员")
        assert client.get("/tickets/1").status_code == 403
        assert "爱国社区" not in client.get("/tickets").text


def test_its_maker_or_the_centre_removes_a_photo_and_nobody_else(office: Office) -> None:
    with office.signed_in("宝轮镇骨干") as client:
        send(client, "/tickets/1/comment", jpeg(), jpeg(), version="1")
        assert "加了 2 张照片" in client.get("/tickets/1").text
        become(client, office, "宝轮镇管理员")
        assert send(client, "/tickets/1/remove-photo", version="2", photo_id="1").status_code == 403
        become(client, office, "宝轮镇骨干")
        assert send(client, "/tickets/1/remove-photo", version="2", photo_id="1").status_code == 303
        become(client, office, "主任")
        assert send(client, "/tickets/1/remove-photo", version="3", photo_id="2").status_code == 303
        assert client.get("/tickets/1/photos/2").status_code == 404
        assert client.get("/tickets/1").text.count("删除照片") == 2


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        ([b"<svg onload=alert(1)>"], "不是能打开的照片"),
        ([b"\xff" * (12 * 1024 * 1024 + 1)], "照片太大"),
        ([b"x"] * 4, "一次最多上传 3 张"),
    ],
)
def test_what_is_no_photo_leaves_no_trace_and_keeps_what_was_typed(
    office: Office, contents: list[bytes], said: str
) -> None:
    with office.signed_in("主任") as client:
        noted = send(client, "/tickets/1/comment", *contents, version="1", note="我打的字还在")
        reported = report(client, office, *contents)
        assert client.get("/tickets/2").status_code == 404
    for each, typed in ((noted, "我打的字还在"), (reported, "投影机黑屏")):
        assert each.status_code == 422
        assert said in each.text
        assert typed in each.text


def test_a_form_larger_than_any_of_ours_is_refused_unread(office: Office) -> None:
    with office.signed_in("主任") as client:
        answer = client.post("/tickets/report", content=b"x", headers={"content-length": str(41 * 1024 * 1024)})
        silent = client.post("/tickets/report", content=b"x", headers={"content-length": "many"})
    assert (answer.status_code, silent.status_code) == (413, 413)
    assert "太大" in answer.text


def test_a_report_for_a_station_of_others_is_refused(office: Office) -> None:
    with office.signed_in("大石镇管理员") as client:
        assert report(client, office).status_code == 403
        assert client.get("/tickets/2").status_code == 404


def test_putting_together_asks_for_sight_of_both(office: Office) -> None:
    with office.signed_in("大石镇骨干") as client:
        there = str(office.district.stations["大石镇 红岩村"])
        assert report(client, office, station_id=there).status_code == 303
        assert send(client, "/tickets/2/join", version="1", other_id="1", under="true").status_code == 403
        become(client, office, "主任")
        assert send(client, "/tickets/2/join", version="1", other_id="1", under="true").status_code == 303
        assert "/tickets/2" in client.get("/tickets/1").text
        assert 'data-key="2"' not in client.get("/tickets").text
        assert "已并入工单 1" in client.get("/tickets?show=all").text


def test_the_list_is_narrowed_by_category_and_state(office: Office) -> None:
    with office.signed_in("主任") as client:
        report(client, office, category="courseware")
        assert client.get("/tickets?category=courseware").text.count("data-row ") == 1
        assert client.get("/tickets?category=network").text.count("data-row ") == 1
        assert "没有符合条件" in client.get("/tickets?category=satellite").text
        assert "没有符合条件" in client.get("/tickets?state=waiting").text
        assert client.get("/tickets?state=open").text.count("data-row ") == 2


def test_a_one_of_two_townships_sees_the_tickets_of_both(office: Office) -> None:
    person = office.district.people["大石镇骨干"]
    more = [str(office.district.townships["宝轮镇"])]
    write(office.url, lambda connection: change_person(connection, 510802, person, version=1, more_areas=more))
    with office.signed_in("大石镇骨干") as client:
        assert client.get("/tickets/1").status_code == 200
        assert "爱国社区" in client.get("/tickets").text
