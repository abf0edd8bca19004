r"""Feishu (飞书): a custom bot in a group.

POST /open-apis/bot/v2/hook/<token>; the sign goes into the body with a timestamp in seconds: base64 of HMAC-SHA256 over
nothing, with `timestamp\nsecret` as key. A request has at most 20 KB; a hundred a minute and five a second. `code`
(`StatusCode` in old answers) says how it went.
"""

import base64
import hashlib
import hmac
from typing import Any
from urllib.parse import quote

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
    names=("code", "StatusCode"),
    too_fast=frozenset({11232, 99991400}),
    bad_key=frozenset({19001, 19021, 19022, 19024}),
)


def address(_person: Person, own: str) -> str:
    """A bot's name. It can call upon a member only by an id Feishu gives out to its own applications."""
    return own


def open_feishu(keys: Keys) -> Send | None:
    if not keys.feishu_robots:
        return None

    async def send(message: Message, now_ms: int) -> Receipt:
        robot = keys.feishu_robots.get(message.address)
        if robot is None:
            raise PermanentError(Problem.BAD_ADDRESS)
        value: dict[str, Any] = {
            "msg_type": "text",
            "content": {"text": _http.fit(message.text, _MOST_BYTES)},
        }
        if robot.secret is not None:
            seconds = now_ms // 1000
            value |= {"timestamp": str(seconds), "sign": sign(seconds, robot.secret)}
        hook = quote(robot.token.get_secret_value(), safe="")
        _CODES.judge(await _http.post_json(f"{keys.feishu_url}/open-apis/bot/v2/hook/{hook}", value, now_ms=now_ms))
        return Receipt()

    return send


def sign(timestamp_s: int, secret: SecretStr) -> str:
    key = f"{timestamp_s}\n{secret.get_secret_value()}".encode()
    return base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()


CHANNEL = Channel(
    title=msgid("飞书"),
    asks=msgid("群机器人的名称"),
    rank=30,
    address=address,
    open=open_feishu,
    budget=Budget(most=5, every_ms=1_000),
)
