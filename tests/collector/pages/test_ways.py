"""Nobody is led to a dead end: every entry of the menu opens, every refusal shows the way back."""

import re
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from collector.people.queries import Role, add_person
from tests.office import Office, write

AIGUO = "宝轮镇 爱国社区"


@pytest.fixture
def everybody(office: Office) -> Office:
    station = office.district.stations[AIGUO]
    office.district.people["李四"] = write(
        office.url,
        lambda connection: add_person(
            connection, 510802, name="李四", role=Role.PLAIN, now_ms=office.now_ms, station_id=station
        ),
    )
    return office


def menu_of(page: str) -> list[str]:
    (menu,) = re.findall(r'<nav class="menu".*?</nav>', page, re.DOTALL)
    return re.findall(r'href="([^"]+)"', menu)


def follow(client: TestClient, address: str) -> Iterator[tuple[str, int]]:
    for each in menu_of(client.get(address, follow_redirects=True).text):
        yield each, client.get(each, follow_redirects=True).status_code


@pytest.mark.parametrize("name", ["主任", "宝轮镇管理员", "宝轮镇骨干", "李四"])
def test_every_entry_of_the_menu_opens_for_whoever_sees_it(everybody: Office, name: str) -> None:
    with everybody.signed_in(name) as client:
        opened = dict(follow(client, "/"))
    assert set(opened.values()) == {200}


def test_a_plain_operator_comes_home_to_the_own_station(everybody: Office) -> None:
    with everybody.signed_in("李四") as client:
        answer = client.get("/")
        page = client.get(answer.headers["location"]).text
    assert answer.headers["location"] == f"/stations/{everybody.district.stations[AIGUO]}"
    assert "本站" in page
    assert f"/tickets/report?station={everybody.district.stations[AIGUO]}" in page


def test_the_overview_says_who_has_a_ticket(everybody: Office) -> None:
    with everybody.signed_in("主任") as client:
        assert "还没有人处理（骨干操作员）" in client.get("/").text


@pytest.mark.parametrize(
    ("referer", "back"),
    [
        ("http://127.0.0.1:8440/tickets?show=all", 'href="/tickets?show=all"'),
        ("http://elsewhere.example/tickets", None),
        ("http://127.0.0.1:8440/tickets/999", None),
        ("", None),
    ],
)
def test_a_refusal_leads_back_to_the_page_before(everybody: Office, referer: str, back: str | None) -> None:
    with everybody.signed_in("主任") as client:
        page = client.get("/tickets/999", headers={"referer": referer}).text
    assert re.findall(r'href="[^"]+"(?=>返回上一页)', page) == ([] if back is None else [back])


@pytest.mark.parametrize("address", ["/tickets", "/stations", "/operators", "/messages/people"])
def test_a_number_beyond_all_numbers_is_not_found(everybody: Office, address: str) -> None:
    with everybody.signed_in("主任") as client:
        assert client.get(f"{address}/{10**30}").status_code in {404, 422}
