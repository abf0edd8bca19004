"""WeCom, DingTalk and Feishu: the requests their documents ask for, and their answers read as they mean them."""

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from collector.alerts.channels import dingtalk, feishu, wecom
from collector.alerts.channels.base import Channel, DeliveryError, PermanentError, Problem, Receipt, TemporaryError
from collector.keys import Keys, Robot, WecomApp
from collector.people.queries import Person, Role
from tests.collector.alerts.gateways import Gateway, Reply, Taken, gateway, said
from tests.collector.alerts.letters import ACK, BODY, LINK, NOW_MS, SUBJECT, hand_over

TOKEN, SECRET = "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa", "SEC000geheim"
ROBOT = Robot(token=SecretStr(TOKEN), secret=SecretStr(SECRET))
APP = WecomApp(corp_id="ww1234", agent_id=1000002, secret=SecretStr("app-geheim"))
TEXT = "\n".join([SUBJECT, *BODY.splitlines()[1:]])
OK = said(errcode=0, errmsg="ok")
ZHANG = Person(510802, 2, "张三", None, "13800001111", "", "", Role.BACKBONE, None, None, "zh")


def wecom_keys(server: Gateway) -> Keys:
    return Keys(wecom_url=server.url, wecom_robots={"宝轮镇": ROBOT})


def dingtalk_keys(server: Gateway) -> Keys:
    return Keys(dingtalk_url=server.url, dingtalk_robots={"宝轮镇": ROBOT})


def feishu_keys(server: Gateway) -> Keys:
    return Keys(feishu_url=server.url, feishu_robots={"宝轮镇": ROBOT})


KINDS: dict[str, tuple[Channel, Callable[[Gateway], Keys], str]] = {
    "wecom": (wecom.CHANNEL, wecom_keys, "errcode"),
    "dingtalk": (dingtalk.CHANNEL, dingtalk_keys, "errcode"),
    "feishu": (feishu.CHANNEL, feishu_keys, "code"),
}


def _ask(kind: str, answer: Reply, **values: Any) -> tuple[Receipt | DeliveryError, list[Taken]]:
    channel, keys, _ = KINDS[kind]
    with gateway(answer) as server:
        return hand_over(channel, keys(server), "宝轮镇", **values), server.taken


def test_a_wecom_robot_gets_text_and_calls_upon_the_person() -> None:
    with gateway(OK) as server:
        assert hand_over(wecom.CHANNEL, wecom_keys(server), "宝轮镇@13800001111") == Receipt()
    (taken,) = server.taken
    assert (taken.method, taken.path, taken.query) == ("POST", "/cgi-bin/webhook/send", {"key": TOKEN})
    assert taken.headers["content-type"].startswith("application/json")
    text = {"content": TEXT, "mentioned_mobile_list": ["13800001111"]}
    assert taken.json == {"msgtype": "text", "text": text}


def test_wecom_text_keeps_to_2048_bytes_and_keeps_its_links() -> None:
    body = BODY.replace("课件盘只剩 1%", "很长" * 1000)
    _, ((taken),) = _ask("wecom", OK, body=body)
    content = taken.json["text"]["content"]
    assert 2040 <= len(content.encode()) <= 2048
    assert content.startswith(SUBJECT)
    assert content.splitlines()[-2:] == [f"一键受理：{ACK}", f"工单 3：{LINK}"]


def test_dingtalk_is_signed_with_the_time_of_sending() -> None:
    with gateway(OK) as server:
        assert hand_over(dingtalk.CHANNEL, dingtalk_keys(server), "宝轮镇@13800001111") == Receipt()
    (taken,) = server.taken
    digest = hmac.digest(SECRET.encode(), f"{NOW_MS}\n{SECRET}".encode(), hashlib.sha256)
    assert (taken.method, taken.path) == ("POST", "/robot/send")
    assert taken.query == {
        "access_token": TOKEN,
        "timestamp": str(NOW_MS),
        "sign": base64.b64encode(digest).decode(),
    }
    assert "charset=utf-8" in taken.headers["content-type"]
    at = {"atMobiles": ["13800001111"], "isAtAll": False}
    assert taken.json == {"msgtype": "text", "text": {"content": TEXT}, "at": at}


def test_a_dingtalk_robot_without_a_secret_signs_nothing() -> None:
    with gateway(OK) as server:
        keys = Keys(dingtalk_url=server.url, dingtalk_robots={"宝轮镇": Robot(token=SecretStr(TOKEN))})
        assert hand_over(dingtalk.CHANNEL, keys, "宝轮镇") == Receipt()
    assert server.taken[0].query == {"access_token": TOKEN}


def test_feishu_is_signed_in_its_body_in_seconds() -> None:
    outcome, (taken,) = _ask("feishu", said(code=0, msg="success", data={}))
    assert outcome == Receipt()
    digest = hmac.digest(f"{NOW_MS // 1000}\n{SECRET}".encode(), b"", hashlib.sha256)
    assert (taken.method, taken.path, taken.query) == ("POST", f"/open-apis/bot/v2/hook/{TOKEN}", {})
    assert taken.json == {
        "timestamp": str(NOW_MS // 1000),
        "sign": base64.b64encode(digest).decode(),
        "msg_type": "text",
        "content": {"text": TEXT},
    }


@pytest.mark.parametrize("kind", ["dingtalk", "feishu"])
def test_a_long_message_stays_under_20_kilobytes(kind: str) -> None:
    _, (taken,) = _ask(kind, said(errcode=0, code=0), body="长" * 50_000 + f"\n工单 3：{LINK}")
    assert 17_000 < len(taken.body) < 20_000
    assert LINK in taken.body.decode()


@pytest.mark.parametrize(
    ("kind", "code", "outcome"),
    [
        ("wecom", 45009, TemporaryError(Problem.BUSY, 45009, wait_s=60)),
        ("wecom", -1, TemporaryError(Problem.SERVER_FAILED, -1)),
        ("wecom", 93000, PermanentError(Problem.BAD_KEY, 93000)),
        ("wecom", 40008, PermanentError(Problem.REFUSED, 40008)),
        ("dingtalk", 130101, TemporaryError(Problem.BUSY, 130101, wait_s=600)),
        ("dingtalk", 310000, PermanentError(Problem.BAD_KEY, 310000)),
        ("dingtalk", 300001, PermanentError(Problem.BAD_KEY, 300001)),
        ("dingtalk", 430101, PermanentError(Problem.REFUSED, 430101)),
        ("feishu", 11232, TemporaryError(Problem.BUSY, 11232, wait_s=60)),
        ("feishu", 19021, PermanentError(Problem.BAD_KEY, 19021)),
        ("feishu", 9499, PermanentError(Problem.REFUSED, 9499)),
    ],
)
def test_status_200_with_an_error_code_is_no_success(kind: str, code: int, outcome: DeliveryError) -> None:
    problem, taken = _ask(kind, Reply(200, json.dumps({KINDS[kind][2]: code, "errmsg": "geheim"}).encode()))
    assert isinstance(problem, DeliveryError)
    assert (type(problem), str(problem), problem.wait_s) == (type(outcome), str(outcome), outcome.wait_s)
    assert len(taken) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(200, b"<html>captive portal</html>"), TemporaryError(Problem.GARBAGE)),
        (Reply(200, b"[]"), TemporaryError(Problem.GARBAGE)),
        (Reply(200, b'{"errmsg": "ok"}'), TemporaryError(Problem.GARBAGE)),
        (Reply(200, b'{"errcode": "0", "code": null}'), TemporaryError(Problem.GARBAGE)),
        (Reply(500), TemporaryError(Problem.SERVER_FAILED, 500)),
        (Reply(429, headers={"retry-after": "37"}), TemporaryError(Problem.BUSY, 429, wait_s=37)),
        (Reply(302, headers={"location": "http://127.0.0.1:1/"}), PermanentError(Problem.REFUSED, 302)),
        (Reply(403), PermanentError(Problem.BAD_KEY, 403)),
    ],
)
def test_answers_that_say_no_such_thing(kind: str, reply: Reply, outcome: DeliveryError) -> None:
    problem, _ = _ask(kind, reply)
    assert isinstance(problem, DeliveryError)
    assert (type(problem), str(problem), problem.wait_s) == (type(outcome), str(outcome), outcome.wait_s)


@pytest.mark.parametrize("kind", KINDS)
def test_a_receiver_that_drips_is_cut_off(kind: str) -> None:
    channel, keys, _ = KINDS[kind]
    with gateway(replace(said(errcode=0, code=0), drip_s=0.2)) as server:
        problem = hand_over(replace(channel, limit_s=1), keys(server), "宝轮镇")
    assert str(problem) == "timed_out 1"


@pytest.mark.parametrize("kind", KINDS)
def test_a_robot_nobody_has_named_is_given_up(kind: str) -> None:
    channel, keys, _ = KINDS[kind]
    with gateway(OK) as server:
        problem = hand_over(channel, keys(server), "大石镇")
    assert isinstance(problem, PermanentError)
    assert problem.problem is Problem.BAD_ADDRESS
    assert server.taken == []


@pytest.mark.parametrize("kind", KINDS)
def test_no_key_is_logged(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        _ask(kind, said(errcode=1, code=1, errmsg=SECRET))
    assert TOKEN not in caplog.text
    assert SECRET not in caplog.text


def test_who_is_called_upon() -> None:
    assert wecom.CHANNEL.address(ZHANG, "宝轮镇") == "宝轮镇@13800001111"
    assert wecom.CHANNEL.address(ZHANG, "") == ""
    assert wecom.CHANNEL.destination("宝轮镇@13800001111") == "宝轮镇"
    assert dingtalk.CHANNEL.address(replace(ZHANG, phone=""), "宝轮镇") == "宝轮镇"
    assert feishu.CHANNEL.address(ZHANG, "宝轮镇") == "宝轮镇"


class Wecom:
    """The application's side: a token on request, good until it is `stale`, then the message."""

    def __init__(self, **answer: Any) -> None:
        self.answer = {"errcode": 0, "msgid": "m-1", **answer}
        self.given = 0
        self.stale: set[str] = set()

    def __call__(self, taken: Taken) -> Reply:
        if taken.path == "/cgi-bin/gettoken":
            assert taken.method == "GET"
            assert taken.query == {"corpid": "ww1234", "corpsecret": "app-geheim"}
            self.given += 1
            return said(errcode=0, errmsg="ok", access_token=f"token-{self.given}", expires_in=7200)
        assert taken.path == "/cgi-bin/message/send"
        return said(errcode=42001) if taken.query["access_token"] in self.stale else said(**self.answer)


def app_keys(server: Gateway) -> Keys:
    return Keys(wecom_url=server.url, wecom_app=APP)


def test_the_wecom_application_writes_to_one_member() -> None:
    with gateway(Wecom()) as server:
        outcome = hand_over(wecom.CHANNEL, app_keys(server), "zhangsan@13800001111")
    assert outcome == Receipt(reference="m-1")
    taken = server.taken[-1]
    assert (taken.method, taken.query) == ("POST", {"access_token": "token-1"})
    assert taken.json == {
        "touser": "zhangsan",
        "msgtype": "text",
        "agentid": 1000002,
        "text": {"content": TEXT},
        "enable_duplicate_check": 1,
        "duplicate_check_interval": 1800,
    }


def test_a_token_that_has_gone_stale_is_renewed_at_once() -> None:
    side = Wecom()
    side.stale.add("token-1")
    with gateway(side) as server:
        assert hand_over(wecom.CHANNEL, app_keys(server), "zhangsan") == Receipt(reference="m-1")
    assert [each.path for each in server.taken] == ["/cgi-bin/gettoken", "/cgi-bin/message/send"] * 2


@pytest.mark.parametrize("answer", [{"invaliduser": "zhangsan"}, {"errcode": 81013}, {"unlicenseduser": "zhangsan"}])
def test_a_member_wecom_does_not_know_is_given_up(answer: dict[str, Any]) -> None:
    with gateway(Wecom(**answer)) as server:
        problem = hand_over(wecom.CHANNEL, app_keys(server), "zhangsan")
    assert isinstance(problem, PermanentError)
    assert problem.problem is Problem.BAD_ADDRESS


def test_a_wrong_secret_of_the_application_is_a_bad_key() -> None:
    with gateway(said(errcode=40001, errmsg="invalid credential")) as server:
        problem = hand_over(wecom.CHANNEL, app_keys(server), "zhangsan")
    assert isinstance(problem, PermanentError)
    assert problem.problem is Problem.BAD_KEY
    assert len(server.taken) == 1


def test_without_keys_they_stay_shut() -> None:
    assert [channel.open(Keys()) for channel, _, _ in KINDS.values()] == [None, None, None]
