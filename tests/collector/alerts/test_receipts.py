"""What the gateway of short messages tells afterwards: arrived, never arrived, too early, twice, by a stranger."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from collector.alerts import queries
from collector.alerts.queries import NewMessage, Sent
from collector.alerts.receipts import NEWS_MS, PATH
from collector.alerts.words import explain
from collector.db.engine import Connection
from collector.keys import SmsGateway
from tests.clocks import ManualClock
from tests.office import Office, open_office, write

Tell = Callable[..., Any]
TOKEN = "gateway-geheim"
WAYS = [("sms", "13800001111"), ("shut", "x"), ("mail", "a@example.cn")]


@pytest.fixture
def office(database_url: str, clock: ManualClock) -> Office:
    gateway = SmsGateway(url="http://127.0.0.1:1/send", token=SecretStr(TOKEN))
    return open_office(
        database_url, {"宝轮镇": ["爱国社区"]}, clock, sms=gateway, mail_url=SecretStr("mailto://localhost")
    )


def post(office: Office, *, sent: bool = True, ways: Any = WAYS) -> str:
    """A message the gateway has taken, or is just being asked to take. Returns its id there."""

    async def do(connection: Connection) -> str:
        new = NewMessage(None, office.district.people["宝轮镇骨干"], ways, "磁盘快满了", "b", {}, wakes=True)
        times = {"now_ms": office.now_ms, "not_before_ms": office.now_ms}
        message = await queries.add_message(connection, office.district.district_id, new, lease_ms=60_000, **times)
        if sent:
            await queries.finish(connection, message, now_ms=office.now_ms, reference="gw-1")
        return message.key

    return write(office.url, do)


@pytest.fixture
def tell(office: Office) -> Iterator[Tell]:
    with office.client() as client:
        yield partial(call, client)


def call(client: TestClient, *receipts: dict[str, Any], token: str = TOKEN) -> Any:
    return client.post(PATH, json={"receipts": receipts}, headers={"authorization": f"Bearer {token}"})


def written(office: Office) -> list[Sent]:
    return write(office.url, lambda connection: queries.list_messages(connection, office.district.district_id))[::-1]


def test_what_arrived_is_marked_and_told_twice_is_no_news(office: Office, tell: Tell) -> None:
    key = post(office)
    answers = [tell({"id": key, "delivered": True}) for _ in range(2)]
    assert [(each.status_code, each.json()) for each in answers] == [(200, {"noted": 1}), (200, {"noted": 0})]
    (message,) = written(office)
    assert (str(message.state), message.delivered_ms) == ("sent", office.now_ms)


def test_what_never_arrived_goes_out_on_the_next_channel_once(office: Office, tell: Tell) -> None:
    key = post(office)
    for _ in range(2):
        assert tell({"id": key, "delivered": False, "code": "UNDELIV <b>"}).status_code == 200
    first, second = written(office)
    assert (str(first.state), first.error) == ("moved", "not_delivered UNDELIVb")
    assert explain(first.error)[1] == "UNDELIVb"
    assert (second.channel, str(second.state), second.subject) == ("mail", "pending", "磁盘快满了")


def test_what_has_no_other_channel_or_is_no_longer_news_has_failed(office: Office, tell: Tell) -> None:
    alone, old = post(office, ways=WAYS[:1]), post(office)
    assert tell({"id": alone, "delivered": False}).json() == {"noted": 1}
    office.clock.advance(seconds=NEWS_MS / 1000)
    assert tell({"id": old, "delivered": False, "code": "EXPIRED"}).json() == {"noted": 1}
    assert [(str(each.state), each.error) for each in written(office)] == [
        ("failed", "not_delivered"),
        ("failed", "not_delivered EXPIRED"),
    ]


def test_a_receipt_that_is_quicker_than_our_own_note_is_asked_for_again(office: Office, tell: Tell) -> None:
    flying, sent = post(office, sent=False), post(office)
    answer = tell({"id": flying, "delivered": False}, {"id": sent, "delivered": True})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    first, second = written(office)
    assert (str(first.state), second.delivered_ms) == ("pending", office.now_ms)


@pytest.mark.parametrize("key", ["", "7", "510802-999", "999999-1", "510802-1; DROP", "9" * 40])
def test_what_nobody_sent_is_no_news(office: Office, tell: Tell, key: str) -> None:
    post(office)
    assert tell({"id": key, "delivered": False}).json() == {"noted": 0}
    assert [str(each.state) for each in written(office)] == ["sent"]


def test_a_message_of_another_channel_cannot_be_told_of(office: Office, tell: Tell) -> None:
    key = post(office, ways=[("mail", "a@example.cn")])
    assert tell({"id": key, "delivered": False}).json() == {"noted": 0}


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x"])
def test_a_stranger_is_refused(office: Office, tell: Tell, token: str) -> None:
    key = post(office)
    assert tell({"id": key, "delivered": False}, token=token).status_code == 401
    assert [str(each.state) for each in written(office)] == ["sent"]


def test_without_a_gateway_there_is_nobody_to_tell(database_url: str, clock: ManualClock) -> None:
    shut = open_office(database_url, {"宝轮镇": ["爱国社区"]}, clock)
    with shut.client() as client:
        assert [call(client, token=token).status_code for token in ("", TOKEN)] == [401, 401]


def test_garbage_is_refused_as_a_whole(office: Office, tell: Tell) -> None:
    assert tell({"id": 5}).status_code == 422
    assert tell(*[{"id": "x", "delivered": True}] * 501).status_code == 422
