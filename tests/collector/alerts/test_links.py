"""The one-tap link: what it shows, what it does, and every way it can be of no use, each said in a sentence."""

import re
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update
from starlette.testclient import TestClient

from collector.alerts import links, queries, service
from collector.alerts.acknowledging import (
    LinkExpiredError,
    LinkForgedError,
    LinkOvertakenError,
    LinkOwnerGoneError,
    LinkUsedError,
)
from collector.alerts.queries import NewMessage
from collector.db.engine import Connection
from collector.errors import CentreError
from collector.people.models import audit, people
from collector.tickets import queries as tickets
from collector.tickets import service as decide
from collector.tickets.queries import Ticket
from tests.clocks import ManualClock
from tests.collector.people.test_access import new_ticket
from tests.office import Office, open_office, write

PLAN = {"宝轮镇": ["爱国社区"]}
AIGUO = "宝轮镇 爱国社区"
OWNER = "宝轮镇骨干"
KEY = "5e" * 32
DAY_S = 86_400


@pytest.fixture
def office(sqlite_url: str, clock: ManualClock) -> Office:
    opened = open_office(sqlite_url, PLAN, clock)
    write(sqlite_url, lambda connection: tickets.add_ticket(connection, 510802, new_ticket(opened, AIGUO), now_ms=1))
    return opened


def token_of(office: Office, person: str = OWNER, *, version: int = 1) -> str:
    async def make(connection: Connection) -> str:
        return links.make_token(
            await service.require_link_key(connection, 510802),
            district_id=510802,
            ticket_id=1,
            person_id=office.district.people[person],
            version=version,
            now_ms=office.now_ms,
        )

    return write(office.url, make)


def ticket_of(office: Office) -> Ticket:
    ticket = write(office.url, lambda connection: tickets.get_ticket(connection, 510802, 1))
    assert ticket is not None
    return ticket


def act(office: Office, deed: Callable[[Connection, Ticket], Awaitable[object]]) -> None:
    """Somebody does something to the ticket."""

    async def do(connection: Connection) -> None:
        ticket = await tickets.get_ticket(connection, 510802, 1)
        assert ticket is not None
        await deed(connection, ticket)

    write(office.url, do)


def tap(client: TestClient, token: str) -> int:
    return client.post(f"/a/{token}").status_code


def says(text: str, error: type[CentreError]) -> bool:
    return (error.__doc__ or "?") in text


def test_opening_a_link_shows_the_ticket_and_acknowledges_nothing(office: Office) -> None:
    token = token_of(office)
    with office.client() as client:
        pages = [client.get(f"/a/{token}"), client.get(f"/a/{token}"), client.head(f"/a/{token}")]
    assert [page.status_code for page in pages] == [200, 200, 405]
    assert AIGUO in pages[0].text
    assert len(re.findall(r"<form[^>]*action=\"/a/", pages[0].text)) == 1
    assert (ticket_of(office).state, ticket_of(office).version) == ("open", 1)


def test_one_tap_acknowledges_without_signing_in(office: Office) -> None:
    token = token_of(office)
    with office.client() as client:
        answer = client.post(f"/a/{token}")
        page = client.get(answer.headers["location"])
    assert answer.status_code == 303
    assert page.status_code == 200
    assert "您已经受理了这张工单" in page.text
    assert 'action="/a/' not in page.text
    ticket = ticket_of(office)
    assert (ticket.state, ticket.assignee_id) == ("acknowledged", office.district.people[OWNER])
    assert ticket.promised_ms is not None
    assert ticket.promised_ms > office.now_ms
    rows = write(office.url, _audit)
    assert rows == [(office.district.people[OWNER], "tickets/1")]


async def _audit(connection: Connection) -> list[tuple[int | None, str]]:
    statement = select(audit.c.person_id, audit.c.object).where(audit.c.action == "ticket.acknowledged_by_link")
    return [(person_id, thing) for person_id, thing in await connection.execute(statement)]


def test_a_link_is_used_once(office: Office) -> None:
    token = token_of(office)
    with office.client() as client:
        client.post(f"/a/{token}")
        again = client.post(f"/a/{token}")
    assert again.status_code == 410
    assert says(again.text, LinkUsedError)
    assert ticket_of(office).version == 2


def test_a_link_is_over_after_a_week(office: Office) -> None:
    token = token_of(office)
    office.clock.advance(seconds=6 * DAY_S)
    with office.client() as client:
        assert client.get(f"/a/{token}").status_code == 200
        office.clock.advance(seconds=DAY_S + 3600)
        late = client.post(f"/a/{token}")
    assert late.status_code == 410
    assert says(late.text, LinkExpiredError)
    assert ticket_of(office).state == "open"


def test_a_link_whose_ticket_has_moved_on_says_so(office: Office) -> None:
    token = token_of(office)
    act(
        office,
        lambda connection, ticket: decide.acknowledge(
            connection,
            ticket,
            person_id=office.district.people["主任"],
            version=ticket.version,
            promised_ms=office.now_ms + 1,
            now_ms=office.now_ms,
        ),
    )
    with office.client() as client:
        page, late = client.get(f"/a/{token}"), client.post(f"/a/{token}")
    assert 'action="/a/' not in page.text
    assert late.status_code == 409
    assert says(page.text, LinkOvertakenError)
    assert says(late.text, LinkOvertakenError)
    assert ticket_of(office).assignee_id == office.district.people["主任"]


def test_a_remark_on_the_ticket_leaves_the_link_good(office: Office) -> None:
    token = token_of(office)
    act(
        office,
        lambda connection, ticket: decide.comment(
            connection, ticket, person_id=1, version=ticket.version, note="请尽快", now_ms=office.now_ms
        ),
    )
    with office.client() as client:
        assert tap(client, token) == 303
    assert ticket_of(office).state == "acknowledged"


def test_a_link_of_a_person_who_has_left_is_dead(office: Office) -> None:
    token = token_of(office)
    mine = people.c.person_id == office.district.people[OWNER]
    write(office.url, lambda connection: connection.execute(update(people).where(mine).values(disabled_ms=1)))
    with office.client() as client:
        answer = client.post(f"/a/{token}")
    assert answer.status_code == 403
    assert says(answer.text, LinkOwnerGoneError)
    assert ticket_of(office).state == "open"


def test_two_people_with_a_link_each_leave_one_handler(office: Office) -> None:
    first, second = token_of(office), token_of(office, "主任")
    with office.client() as client:
        answers = [client.post(f"/a/{first}"), client.post(f"/a/{second}")]
    assert [answer.status_code for answer in answers] == [303, 409]
    assert ticket_of(office).assignee_id == office.district.people[OWNER]


@pytest.mark.parametrize("wrong", ["", "x", "A" * 31, "ä" * 20, "A" * 500, "../tickets", "%00"])
def test_what_is_no_link_of_ours_says_so(office: Office, wrong: str) -> None:
    token = token_of(office)
    with office.client() as client:
        answers = [client.get(f"/a/{wrong}x"), client.post(f"/a/{token[:-1]}{'A' if token[-1] != 'A' else 'B'}")]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert says(answers[1].text, LinkForgedError)
    assert ticket_of(office).state == "open"


def test_who_sends_many_forgeries_is_slowed_and_locks_out_no_good_link(office: Office) -> None:
    token = token_of(office)
    with office.client() as client:
        answers = [client.get("/a/AAAA") for _ in range(31)]
        good = client.post(f"/a/{token}")
        office.clock.advance(seconds=2)
        later = client.get("/a/AAAA")
    assert [answer.status_code for answer in answers] == [404] * 30 + [429]
    assert answers[-1].headers["retry-after"]
    assert good.status_code == 303
    assert later.status_code == 404


def test_a_good_link_cannot_be_hammered(office: Office) -> None:
    token = token_of(office)
    with office.client() as client:
        answers = {tap(client, token) for _ in range(40)}
        assert 429 in answers
    assert ticket_of(office).version == 2


def test_another_site_cannot_tap(office: Office) -> None:
    token = token_of(office)
    with office.client() as client:
        answer = client.post(f"/a/{token}", headers={"origin": "https://evil.example"})
    assert answer.status_code == 403
    assert ticket_of(office).state == "open"


def test_that_a_link_was_opened_is_noted_once(office: Office) -> None:
    token = token_of(office)

    async def send(connection: Connection) -> None:
        new = NewMessage(1, office.district.people[OWNER], [("log", "x")], "s", "b", {})
        message = await queries.add_message(connection, 510802, new, now_ms=1, not_before_ms=1, lease_ms=1)
        await queries.finish(connection, message, now_ms=2)

    write(office.url, send)
    opened_ms = office.now_ms
    with office.client() as client:
        client.get(f"/a/{token}")
        office.clock.advance(seconds=60)
        client.get(f"/a/{token}")
    (sent,) = write(office.url, lambda connection: queries.list_messages(connection, 510802))
    assert sent.opened_ms == opened_ms


NUMBERS = st.integers(0, 2**40)


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.integers(0, 2**45))
def test_a_token_says_what_was_put_in_and_only_its_key_makes_it(
    district: int, ticket: int, person: int, version: int, now_ms: int
) -> None:
    token = links.make_token(
        KEY, district_id=district, ticket_id=ticket, person_id=person, version=version, now_ms=now_ms
    )
    claim = links.read_token(token)
    assert claim is not None
    assert (claim.district_id, claim.ticket_id, claim.person_id, claim.version) == (district, ticket, person, version)
    assert 0 <= claim.until_ms - now_ms - links.GOOD_FOR_MS < 3_600_000
    assert links.is_signed(token, KEY)
    assert not links.is_signed(token, "00" * 32)


@given(st.integers(0, 30), st.integers(0, 63))
def test_no_other_spelling_of_a_token_is_good(place: int, letter: int) -> None:
    token = links.make_token(KEY, district_id=510802, ticket_id=3, person_id=2, version=1, now_ms=1_788_000_000_000)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    at = place % len(token)
    other = token[:at] + alphabet[letter] + token[at + 1 :]
    assert links.is_signed(other, KEY) == (other == token)
    assert len(token) <= 40


@given(st.text(max_size=100))
def test_any_text_can_be_read_as_no_token(text: str) -> None:
    assert not links.is_signed(text, KEY)
