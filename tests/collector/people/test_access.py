import pytest
from fastapi import FastAPI

from collector.app import MACHINE
from collector.db.engine import Connection
from collector.errors import SetupError
from collector.faults.rules.base import Category, Severity
from collector.people.access import RIGHTS, May, declared, require_declared
from collector.people.queries import Role, add_person
from collector.tickets.queries import NewTicket, add_ticket
from tests.office import Office, csrf_of, write

OPEN = {"/signin", "/signin/link/{token}", "/language", "/a/{token}"}


def test_every_route_declares_what_it_asks_for(office: Office) -> None:
    routes = list(declared(office.app.routes))
    assert {path for path, permission in routes if permission is None} <= MACHINE
    assert {path for path, permission in routes if permission is May.EVERYBODY} == OPEN
    assert len(routes) > 20


def test_a_route_that_declares_nothing_stops_the_start() -> None:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/forgotten")
    async def forgotten() -> None: ...

    with pytest.raises(SetupError, match="/forgotten"):
        require_declared(app)


def test_a_leader_reads_only() -> None:
    assert RIGHTS[Role.LEADER] == {May.SEE}


def new_ticket(office: Office, title: str) -> NewTicket:
    return NewTicket(
        dedup_key=title,
        rule="station_silent",
        category=Category.NETWORK,
        severity=Severity.MAJOR,
        station_id=office.district.stations[title],
        area_id=office.district.townships[title.split(maxsplit=1)[0]],
        place=title,
        facts={"last_ms": office.now_ms},
        since_ms=office.now_ms,
        assignee_id=None,
        step=1,
        previous_id=None,
    )


@pytest.fixture
def tickets(office: Office) -> dict[str, int]:
    """One open ticket in each township."""

    async def open_all(connection: Connection) -> None:
        for title in ("宝轮镇 爱国社区", "大石镇 红岩村"):
            await add_ticket(connection, 510802, new_ticket(office, title), now_ms=office.now_ms)

    write(office.url, open_all)
    return {"宝轮镇": 1, "大石镇": 2}


def test_a_township_sees_its_own_stations_and_tickets_only(office: Office, tickets: dict[str, int]) -> None:
    mine, other = office.district.stations["宝轮镇 爱国社区"], office.district.stations["大石镇 红岩村"]
    with office.signed_in("宝轮镇管理员") as client:
        assert client.get(f"/stations/{mine}").status_code == 200
        assert client.get(f"/stations/{other}").status_code == 403
        assert client.get(f"/tickets/{tickets['宝轮镇']}").status_code == 200
        assert client.get(f"/tickets/{tickets['大石镇']}").status_code == 403
        listed, overview = client.get("/tickets").text, client.get("/").text
        widened = client.get(f"/?township={office.district.townships['大石镇']}").text
    assert "爱国社区" in listed
    assert "红岩村" not in listed + overview + widened


def test_a_leader_sees_everything_and_changes_nothing(office: Office, tickets: dict[str, int]) -> None:
    office.district.people["领导"] = write(
        office.url,
        lambda connection: add_person(connection, 510802, name="领导", role=Role.LEADER, now_ms=office.now_ms),
    )
    station = office.district.stations["大石镇 红岩村"]
    with office.signed_in("领导") as client:
        page = client.get(f"/tickets/{tickets['大石镇']}")
        data = {"csrf": csrf_of(page.text), "version": "1"}
        assert page.status_code == 200
        assert "/acknowledge" not in page.text + client.get("/").text
        assert client.post(f"/tickets/{tickets['大石镇']}/acknowledge", data=data).status_code == 403
        assert client.post(f"/stations/{station}/code", data=data).status_code == 403


def test_a_plain_operator_sees_one_station(office: Office) -> None:
    mine, other = office.district.stations["宝轮镇 爱国社区"], office.district.stations["宝轮镇 红星村"]
    office.district.people["李四"] = write(
        office.url,
        lambda connection: add_person(
            connection, 510802, name="李四", role=Role.PLAIN, now_ms=office.now_ms, station_id=mine
        ),
    )
    with office.signed_in("李四") as client:
        assert client.get(f"/stations/{mine}").status_code == 200
        assert client.get(f"/stations/{other}").status_code == 403
        assert client.get("/reports/monthly").status_code == 403
        assert "红星村" not in client.get("/").text


@pytest.mark.parametrize("token", ["", "0" * 64])
def test_a_form_without_the_page_token_changes_nothing(office: Office, tickets: dict[str, int], token: str) -> None:
    with office.signed_in("主任") as client:
        answer = client.post(f"/tickets/{tickets['宝轮镇']}/acknowledge", data={"csrf": token, "version": "1"})
        assert answer.status_code == 403
        assert "已经过期" in answer.text


def test_a_form_from_another_site_is_refused(office: Office) -> None:
    with office.signed_in("主任") as client:
        csrf = csrf_of(client.get("/").text)
        foreign = client.post("/signout", data={"csrf": csrf}, headers={"origin": "https://evil.example"})
        hidden = client.post("/signout", data={"csrf": csrf}, headers={"sec-fetch-site": "cross-site"})
        own = client.post("/signout", data={"csrf": csrf}, headers={"origin": "http://127.0.0.1:8440"})
    assert [foreign.status_code, hidden.status_code, own.status_code] == [403, 403, 303]
