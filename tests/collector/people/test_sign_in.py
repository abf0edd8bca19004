import hashlib

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from collector.people import service
from collector.people.models import sign_in_links, web_sessions
from tests.office import PASSWORD, Office, csrf_of, write

WRONG = "账号或密码不对"


def sign_in(client: TestClient, account: str = "zhuren", password: str = PASSWORD, **more: str) -> tuple[int, str]:
    """Status, and where it leads or what it says."""
    answer = client.post("/signin", data={"account": account, "password": password, **more})
    return answer.status_code, answer.headers.get("location", answer.text)


def link_for(office: Office, name: str, hours: int = 24) -> str:
    return write(
        office.url,
        lambda connection: service.make_link(
            connection, office.district.district_id, office.district.people[name], now_ms=office.now_ms, hours=hours
        ),
    )


def test_the_right_password_opens_the_page_that_was_asked_for(office: Office) -> None:
    with office.client() as client:
        asked = client.get("/tickets?show=all")
        assert asked.headers["location"] == "/signin?next=/tickets%3Fshow%3Dall"
        assert sign_in(client, next="/tickets?show=all") == (303, "/tickets?show=all")
        assert client.get("/tickets?show=all").status_code == 200


def test_the_cookie_is_hidden_from_scripts_and_other_sites(office: Office) -> None:
    with office.client() as client:
        cookie = client.post("/signin", data={"account": "zhuren", "password": PASSWORD}).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_only_hashes_of_tokens_are_stored(office: Office) -> None:
    with office.client() as client:
        sign_in(client)
        token = client.cookies[service.COOKIE]
    stored = write(office.url, lambda connection: connection.scalar(select(web_sessions.c.token_hash)))
    assert stored == hashlib.sha256(token.encode()).hexdigest()
    assert token.startswith("510802.")


def test_an_unknown_account_and_a_wrong_password_are_told_the_same(office: Office) -> None:
    with office.client() as client:
        unknown = sign_in(client, account="nobody")
        wrong = sign_in(client, password="wrong password")
    assert unknown[0] == wrong[0] == 422
    assert WRONG in unknown[1]
    assert unknown[1].replace("nobody", "zhuren") == wrong[1]


def test_after_five_wrong_tries_even_the_right_password_waits(office: Office) -> None:
    with office.client() as client:
        tries = [sign_in(client, password=f"wrong {number}")[0] for number in range(5)]
        waiting = client.post("/signin", data={"account": "zhuren", "password": PASSWORD})
        office.clock.advance(seconds=31)
        after = sign_in(client)
    assert tries == [422] * 5
    assert waiting.status_code == 429
    assert "输错次数过多" in waiting.text
    assert after[0] == 303


def test_an_account_that_does_not_exist_is_slowed_down_as_well(office: Office) -> None:
    with office.client() as client:
        tries = [sign_in(client, account="nobody")[0] for _ in range(6)]
    assert tries == [422] * 5 + [429]


def test_waits_double_up_to_a_quarter_of_an_hour() -> None:
    waits = [service.wait_after(number) // 1000 for number in (1, 4, 5, 6, 7, 9, 30, 10_000)]
    assert waits == [0, 0, 30, 60, 120, 480, 900, 900]


def test_signing_in_forgets_the_wrong_tries(office: Office) -> None:
    with office.client() as client:
        before = [sign_in(client, password="wrong")[0] for _ in range(4)]
        right = sign_in(client)[0]
        client.cookies.clear()
        after = [sign_in(client, password="wrong")[0] for _ in range(5)]
    assert [*before, right, *after] == [422] * 4 + [303] + [422] * 5


def test_signing_out_ends_the_session_at_the_centre(office: Office) -> None:
    with office.client() as client:
        sign_in(client)
        token = client.cookies[service.COOKIE]
        csrf = csrf_of(client.get("/").text)
        assert client.post("/signout", data={"csrf": csrf}).headers["location"] == "/signin"
        client.cookies.set(service.COOKIE, token)
        assert client.get("/").headers["location"].startswith("/signin")


def test_a_session_ends_after_a_week(office: Office) -> None:
    with office.client() as client:
        sign_in(client)
        office.clock.advance(days=6.9)
        assert client.get("/").status_code == 200
        office.clock.advance(days=0.2)
        assert client.get("/").status_code == 303


def test_looking_at_a_link_does_not_use_it_up(office: Office) -> None:
    token = link_for(office, "主任")
    with office.client() as client:
        scans = [client.get(f"/signin/link/{token}").status_code for _ in range(3)]
        first = client.post(f"/signin/link/{token}")
        again = client.post(f"/signin/link/{token}")
    assert scans == [200] * 3
    assert (first.status_code, first.headers["location"]) == (303, "/")
    assert again.status_code == 410
    assert "已经用过或已过期" in again.text


def test_a_link_is_over_after_its_hours(office: Office) -> None:
    token = link_for(office, "主任", hours=2)
    office.clock.advance(hours=2, seconds=1)
    with office.client() as client:
        assert client.post(f"/signin/link/{token}").status_code == 410


def test_a_link_is_stored_as_a_hash(office: Office) -> None:
    token = link_for(office, "主任")
    stored = write(office.url, lambda connection: connection.scalar(select(sign_in_links.c.token_hash)))
    assert stored == hashlib.sha256(token.encode()).hexdigest()


def test_the_first_sign_in_asks_for_an_account_and_signs_out_everywhere_else(office: Office) -> None:
    here, there = link_for(office, "宝轮镇骨干"), link_for(office, "宝轮镇骨干")
    with office.client() as client:
        client.post(f"/signin/link/{there}")
        elsewhere = client.cookies[service.COOKIE]
        client.cookies.clear()
        used = client.post(f"/signin/link/{here}")
        page = client.get(used.headers["location"])
        form = {"csrf": csrf_of(page.text), "account": "baolun", "password": "a long new password"}
        assert client.post("/account", data=form).headers["location"] == "/"
        assert client.get("/").status_code == 200
        client.cookies.clear()
        client.cookies.set(service.COOKIE, elsewhere)
        assert client.get("/").status_code == 303
        client.cookies.clear()
        assert sign_in(client, "baolun", "a long new password")[0] == 303


def test_a_short_password_and_a_taken_account_are_refused_in_words(office: Office) -> None:
    with office.signed_in("宝轮镇骨干") as client:
        csrf = csrf_of(client.get("/account").text)
        short = client.post("/account", data={"csrf": csrf, "account": "baolun", "password": "short"})
        taken = client.post("/account", data={"csrf": csrf, "account": "zhuren", "password": "a long new password"})
    assert "密码至少 10 个字" in short.text
    assert "已经有人用了" in taken.text


@pytest.mark.parametrize("trap", ["https://evil.example", "//evil.example", "/\\evil.example", "/\r\nSet-Cookie: x"])
def test_nobody_is_sent_to_another_site_after_signing_in(office: Office, trap: str) -> None:
    with office.client() as client:
        assert sign_in(client, next=trap)[1] == "/"


@pytest.mark.parametrize("token", ["x", "abc.def", "510802", "9" * 40 + ".x"])
def test_a_token_without_a_district_is_nobody(office: Office, token: str) -> None:
    with office.client() as client:
        client.cookies.set(service.COOKIE, token)
        assert client.get("/").status_code == 303
