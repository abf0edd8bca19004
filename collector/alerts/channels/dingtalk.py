r"""DingTalk (钉钉): a robot in a group.

POST /robot/send?access_token=…&timestamp=…&sign=…, the sign being base64 of HMAC-SHA256 over `timestamp\nsecret` with
the secret as key. Twenty messages a minute, then it is deaf for ten. Every answer has status 200; `errcode` says how
it went.
"""

import base64
import hashlib
import hmac
from urllib.parse import urlencode

from pydantic import SecretStr

from collector.alerts.channels import _http
from collector.alerts.channels.base import (
    Budget,
    Channel,
    Message,
    PermanentError,
    Problem,
    Receipt,
    Send,
)
from collector.keys import Keys
from collector.people.queries import Person
from collector.web.i18n import msgid

_MOST_BYTES = 18_000
_CODES = _http.Codes(
    names=("errcode",),
    too_fast=frozenset({130101, 410100}),
    bad_key=frozenset({300001, 310000, 400101, 400102, 400106}),
    again=frozenset({-1}),
    deaf_s=600,
)


def address(person: Person, own: str) -> str:
    """A robot's name, with the phone of the person to call upon."""
    return f"{own}@{person.phone}" if own and person.phone else own


def destination(where: str) -> str:
    return where.partition("@")[0]


def open_dingtalk(keys: Keys) -> Send | None:
    if not keys.dingtalk_robots:
        return None

    async def send(message: Message, now_ms: int) -> Receipt:
        name, _, phone = message.address.partition("@")
        robot = keys.dingtalk_robots.get(name)
        if robot is None:
            raise PermanentError(Problem.BAD_ADDRESS)
        query = {"access_token": robot.token.get_secret_value()}
        if robot.secret is not None:
            query |= {"timestamp": str(now_ms), "sign": sign(now_ms, robot.secret)}
        value = {
            "msgtype": "text",
            "text": {"content": _http.fit(message.text, _MOST_BYTES)},
            "at": {"atMobiles": [phone] if phone else [], "isAtAll": False},
        }
        _CODES.judge(await _http.post_json(f"{keys.dingtalk_url}/robot/send?{urlencode(query)}", value, now_ms=now_ms))
        return Receipt()

    return send


def sign(timestamp_ms: int, secret: SecretStr) -> str:
    key = secret.get_secret_value()
    digest = hmac.new(key.encode(), f"{timestamp_ms}\n{key}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


CHANNEL = Channel(
    title=msgid("钉钉"),
    asks=msgid("群机器人的名称"),
    rank=20,
    address=address,
    open=open_dingtalk,
    destination=destination,
    budget=Budget(most=15, every_ms=4_000),
)
