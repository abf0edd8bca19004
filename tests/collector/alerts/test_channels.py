"""Mail, webhooks and the log against real servers on this machine."""

import base64
import hashlib
import hmac
import json
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from pydantic import SecretStr

from collector.alerts.channels import log, mail, webhook
from collector.alerts.channels.base import DeliveryError, PermanentError, Receipt, TemporaryError
from collector.keys import Keys
from tests.collector.alerts.gateways import Reply, gateway
from tests.collector.alerts.letters import BODY, hand_over

# apprise imports a module of the standard library that Python 3.13 drops; it has a way of its own for then.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

SECRET = SecretStr("whsec-geheim")


class Mailbox:
    """What an SMTP server took in; it answers `reply`."""

    def __init__(self, reply: str = "250 OK") -> None:
        self.reply = reply
        self.letters: list[tuple[list[str], EmailMessage]] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        letter = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        self.letters.append((envelope.rcpt_tos, letter))
        return self.reply


@contextmanager
def smtp(mailbox: Mailbox) -> Iterator[Keys]:
    controller = Controller(mailbox, hostname="127.0.0.1", port=_free_port())
    controller.start()
    try:
        yield Keys(mail_url=SecretStr(f"mailto://127.0.0.1:{controller.port}?from=centre@example.cn"))
    finally:
        controller.stop()


def test_mail_arrives_in_plain_text_at_one_address() -> None:
    mailbox = Mailbox()
    with smtp(mailbox) as keys:
        assert hand_over(mail.CHANNEL, keys, "zhang+1@example.cn") == Receipt()
    ((recipients, letter),) = mailbox.letters
    assert recipients == ["zhang+1@example.cn"]
    assert letter["subject"] == "▲重要 · 宝轮镇 红星村 · 磁盘快满了"
    assert "centre@example.cn" in letter["from"]
    body = letter.get_body(("plain",))
    assert body is not None
    assert body.get_content().splitlines() == BODY.splitlines()


def test_a_recipient_written_into_the_centres_own_mail_url_gets_nobody_elses_mail() -> None:
    mailbox = Mailbox()
    with smtp(mailbox) as keys:
        assert keys.mail_url is not None
        curious = Keys(mail_url=SecretStr(f"{keys.mail_url.get_secret_value()}&to=director@example.cn"))
        assert hand_over(mail.CHANNEL, curious, "zhang@example.cn") == Receipt()
    assert [recipients for recipients, _ in mailbox.letters] == [["zhang@example.cn"]]


def test_a_mail_server_that_refuses_is_tried_again() -> None:
    with smtp(Mailbox("451 try later")) as keys:
        problem = hand_over(mail.CHANNEL, keys, "zhang@example.cn")
    assert isinstance(problem, TemporaryError)


def test_a_mail_server_that_is_not_there_is_tried_again() -> None:
    keys = Keys(mail_url=SecretStr(f"mailto://user:hunter2@127.0.0.1:{_free_port()}?from=centre@example.cn"))
    problem = hand_over(mail.CHANNEL, keys, "zhang@example.cn")
    assert isinstance(problem, TemporaryError)
    assert "hunter2" not in str(problem)


def test_a_mail_address_that_is_none_is_given_up() -> None:
    keys = Keys(mail_url=SecretStr("nonsense://"))
    assert isinstance(hand_over(mail.CHANNEL, keys, "zhang@example.cn"), PermanentError)


def _keys() -> Keys:
    return Keys(webhook_secret=SECRET, named_hosts=frozenset({"127.0.0.1"}))


def test_a_webhook_gets_a_cloud_event() -> None:
    with gateway(Reply(204, headers={"location": "/elsewhere"})) as server:
        assert hand_over(webhook.CHANNEL, _keys(), f"{server.url}/in?key=geheim") == Receipt(delivered=True)
    ((taken),) = server.taken
    headers, body = taken.headers, taken.body
    assert headers["content-type"].startswith("application/cloudevents+json")
    event = json.loads(body)
    assert event | {"data": None} == {
        "specversion": "1.0",
        "id": "510802-7",
        "source": "/districts/510802",
        "type": "cn.yuanjiao.ticket.opened",
        "subject": "tickets/3",
        "time": "2026-08-29T10:40:00.000+00:00",
        "datacontenttype": "application/json",
        "data": None,
    }
    assert event["data"]["ticket"] == 3


def test_a_webhooks_receiver_can_check_that_the_centre_signed_these_bytes() -> None:
    with gateway(Reply(204, headers={"location": "/elsewhere"})) as server:
        hand_over(webhook.CHANNEL, _keys(), f"{server.url}/in?key=geheim")
    ((taken),) = server.taken
    headers, body = taken.headers, taken.body
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("510802-7", "1788000000")
    digest = hmac.digest(b"whsec-geheim", b"510802-7.1788000000." + body, hashlib.sha256)
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(301, PermanentError), (404, PermanentError), (410, PermanentError), (429, TemporaryError), (503, TemporaryError)],
)
def test_a_webhooks_answer_decides_whether_it_is_tried_again(status: int, kind: type[DeliveryError]) -> None:
    with gateway(Reply(status, headers={"location": "/elsewhere"})) as server:
        problem = hand_over(webhook.CHANNEL, _keys(), f"{server.url}/in?key=geheim")
    assert type(problem) is kind
    assert str(problem).endswith(str(status))
    assert len(server.taken) == 1


@pytest.mark.parametrize("address", ["zhang", "ftp://example.cn/x", "http://[::bad"])
def test_a_webhook_address_that_is_none_is_given_up(address: str) -> None:
    assert isinstance(hand_over(webhook.CHANNEL, _keys(), address), PermanentError)


def test_a_webhook_nobody_listens_at_is_tried_again() -> None:
    address = f"http://127.0.0.1:{_free_port()}/"
    problem = hand_over(webhook.CHANNEL, _keys(), address)
    assert isinstance(problem, TemporaryError)
    assert str(problem) == "unreachable ConnectError"


def test_neither_the_secret_nor_the_webhooks_address_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), gateway(Reply(500)) as server:
        hand_over(webhook.CHANNEL, _keys(), f"{server.url}/in?key=geheim")
    assert "geheim" not in caplog.text


def test_the_log_names_ticket_and_person(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert hand_over(log.CHANNEL, Keys(), "person/2") == Receipt()
    assert "alert.told ticket=3 person=2 ▲重要 · 宝轮镇 红星村 · 磁盘快满了" in caplog.text


def test_channels_without_keys_stay_shut() -> None:
    assert mail.CHANNEL.open(Keys()) is None
    assert webhook.CHANNEL.open(Keys()) is None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
