"""The centre's page of messages: what became of each, how channels do, a trial, how a person is reached."""

import asyncio
from pathlib import Path

import pytest
from pydantic import SecretStr

from collector.alerts import queries, sending, service
from collector.alerts.channels.base import Problem
from collector.alerts.queries import NewMessage, State
from collector.alerts.words import PROBLEMS, explain
from collector.db.engine import Connection, Database
from collector.keys import Keys, Robot
from tests.clocks import ManualClock
from tests.office import Office, csrf_of, open_office, write

PLAN = {"宝轮镇": ["爱国社区"], "大石镇": ["红岩村"]}


@pytest.fixture
def office(sqlite_url: str, clock: ManualClock) -> Office:
    robots = {"宝轮镇": Robot(token=SecretStr("key-geheim"))}
    return open_office(sqlite_url, PLAN, clock, wecom_robots=robots, mail_url=SecretStr("mailto://localhost"))


def put(office: Office, person: str, *, fail: bool = False) -> None:
    async def do(connection: Connection) -> None:
        new = NewMessage(None, office.district.people[person], [("mail", "a@example.cn")], f"给{person}", "b", {})
        message = await queries.add_message(
            connection, 510802, new, now_ms=office.now_ms, not_before_ms=office.now_ms, lease_ms=1
        )
        if fail:
            await queries.give_up(connection, message, error=f"{Problem.BAD_ADDRESS} 550")
        else:
            await queries.finish(connection, message, now_ms=office.now_ms, delivered=True)

    write(office.url, do)


def test_a_dead_letter_is_shown_with_what_to_do(office: Office) -> None:
    put(office, "宝轮镇骨干", fail=True)
    put(office, "大石镇骨干")
    with office.signed_in("主任") as client:
        page = client.get("/messages").text
    assert "没有送到的消息" in page
    assert PROBLEMS[Problem.BAD_ADDRESS] in page
    assert "(550)" in page
    assert "对方已收到" in page
    assert "key-geheim" not in page


def test_messages_are_found_by_person_and_state(office: Office) -> None:
    put(office, "宝轮镇骨干")
    put(office, "大石镇骨干")
    number = office.district.people["大石镇骨干"]
    with office.signed_in("主任") as client:
        page = client.get(f"/messages?person={number}&state=sent&ticket=").text
        none = client.get("/messages?state=failed").text
    assert "给大石镇骨干" in page
    assert "给宝轮镇骨干" not in page
    assert "没有符合条件的消息" in none


@pytest.mark.parametrize("name", ["宝轮镇骨干", "宝轮镇管理员"])
def test_only_the_centre_sees_everybodys_messages(office: Office, name: str) -> None:
    with office.signed_in(name) as client:
        answers = [client.get("/messages"), client.get("/messages/people/1"), client.post("/messages/trial")]
    assert [answer.status_code for answer in answers] == [403, 403, 403]


def test_how_a_person_is_reached_can_be_set(office: Office) -> None:
    number = office.district.people["宝轮镇骨干"]
    address = f"/messages/people/{number}"
    with office.signed_in("主任") as client:
        before = client.get(address).text
        form = {"csrf": csrf_of(before), "place_wecom": "2", "address_wecom": "宝轮镇", "place_mail": "0"}
        answer = client.post(address, data=form)
        after = client.get(address).text
        wrong = client.post(address, data={**form, "place_wecom": "77"})
    assert answer.status_code == 303
    assert "现在依次用：电子邮件" in before
    assert "现在依次用：企业微信<" in after
    assert wrong.status_code == 422


def test_a_trial_goes_the_way_of_every_message(office: Office) -> None:
    number = office.district.people["宝轮镇骨干"]
    with office.signed_in("主任") as client:
        csrf = csrf_of(client.get("/messages").text)
        sent = client.post("/messages/trial", data={"csrf": csrf, "channel": "log", "person_id": number})
        shut = client.post("/messages/trial", data={"csrf": csrf, "channel": "sms", "person_id": number})
        nowhere = client.post("/messages/trial", data={"csrf": csrf, "channel": "wecom", "person_id": number})
        nobody = client.post("/messages/trial", data={"csrf": csrf, "channel": "log", "person_id": 999})
        unsaid = client.post("/messages/trial", data={"csrf": csrf, "person_id": number})
    assert [each.status_code for each in (sent, shut, nowhere, nobody, unsaid)] == [303, 422, 422, 404, 422]
    for refused, said in (
        (shut, "这个渠道没有设置密钥"),
        (nowhere, "这个人在这个渠道上没有地址"),
        (unsaid, "没有设置密钥"),
    ):
        assert said in refused.text
        assert 'action="/messages/trial#trial"' in refused.text, "the form is there to try again"
        assert f'<option value="{number}" selected>' in refused.text
    (message,) = write(office.url, lambda connection: queries.list_messages(connection, 510802))
    assert (message.channel, message.state, message.person_id) == ("log", State.PENDING, number)
    assert asyncio.run(_send(office)) == 1


async def _send(office: Office) -> int:
    database = Database(office.url)
    channels = service.open_channels(Keys())
    try:
        return await sending.send(database, 510802, channels=channels, now_ms=office.now_ms)
    finally:
        await database.close()


def test_every_problem_has_its_sentence() -> None:
    assert set(PROBLEMS) == set(Problem)
    assert explain(f"{Problem.BUSY} 130101") == (PROBLEMS[Problem.BUSY], "130101")
    assert explain("") == ("", "")


def test_no_template_shows_an_address_or_key_of_a_message() -> None:
    templates = Path(service.__file__).parent / "templates"
    assert "each.address" not in "".join(path.read_text("utf-8") for path in templates.glob("*.html"))
