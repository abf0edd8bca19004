"""WeCom (企业微信): a robot in a group, or an application of the office's own that writes to one member.

Robot: POST /cgi-bin/webhook/send?key=… (document 91770; 20 messages a minute). Application: GET /cgi-bin/gettoken, POST
/cgi-bin/message/send (documents 91039, 90236; 30 a minute and member, and the rest is dropped without a word). Text
is at most 2048 bytes. Every answer has status 200; `errcode` says how it went (document 90313).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from collector.alerts.channels import _http
from collector.alerts.channels.base import (
    Budget,
    Channel,
    Message,
    PermanentError,
    Problem,
    Receipt,
    Send,
    TemporaryError,
)
from collector.keys import Keys, Robot, WecomApp
from collector.people.queries import Person
from collector.web.i18n import msgid

_MOST_BYTES = 2048
_CODES = _http.Codes(
    names=("errcode",),
    too_fast=frozenset({45009, 45033}),
    bad_key=frozenset({40013, 40056, 60020, 93000, 93004}),
    again=frozenset({-1, 6000}),
    bad_address=frozenset({40003, 60111, 81013, 82001}),
)
_STALE_TOKEN = frozenset({40001, 40014, 41001, 42001})
_EARLY_MS = 300_000


def address(person: Person, own: str) -> str:
    """A robot's name, with the phone of the person to call upon, or a member's userid."""
    return f"{own}@{person.phone}" if own and person.phone else own


def destination(where: str) -> str:
    return where.partition("@")[0]


def open_wecom(keys: Keys) -> Send | None:
    app = None if keys.wecom_app is None else _App(keys.wecom_url, keys.wecom_app)
    if app is None and not keys.wecom_robots:
        return None

    async def send(message: Message, now_ms: int) -> Receipt:
        name, _, phone = message.address.partition("@")
        robot = keys.wecom_robots.get(name)
        if robot is not None:
            return await _to_group(keys.wecom_url, robot, message, phone, now_ms)
        if app is None:
            raise PermanentError(Problem.BAD_ADDRESS)
        return await app.send(message, name, now_ms)

    return send


async def _to_group(base: str, robot: Robot, message: Message, phone: str, now_ms: int) -> Receipt:
    url = f"{base}/cgi-bin/webhook/send?{urlencode({'key': robot.token.get_secret_value()})}"
    text: dict[str, Any] = {"content": _http.fit(message.text, _MOST_BYTES)}
    if phone:
        text["mentioned_mobile_list"] = [phone]
    _CODES.judge(await _http.post_json(url, {"msgtype": "text", "text": text}, now_ms=now_ms))
    return Receipt()


@dataclass(slots=True)
class _App:
    """The application with its access token, which is good for two hours and asked for anew when it is not."""

    base: str
    app: WecomApp
    token: str = ""
    until_ms: int = 0

    async def send(self, message: Message, userid: str, now_ms: int) -> Receipt:
        value = {
            "touser": userid,
            "msgtype": "text",
            "agentid": self.app.agent_id,
            "text": {"content": _http.fit(message.text, _MOST_BYTES)},
            "enable_duplicate_check": 1,
            "duplicate_check_interval": 1800,
        }
        answer = await self._post(value, now_ms)
        if _CODES.read(answer) in _STALE_TOKEN:
            self.token = ""
            answer = await self._post(value, now_ms)
        _CODES.judge(answer)
        if answer.get("invaliduser") or answer.get("unlicenseduser"):
            raise PermanentError(Problem.BAD_ADDRESS)
        return Receipt(reference=str(answer.get("msgid", ""))[:100])

    async def _post(self, value: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        if not self.token or not now_ms < self.until_ms < now_ms + 7_200_000:
            await self._renew(now_ms)
        url = f"{self.base}/cgi-bin/message/send?{urlencode({'access_token': self.token})}"
        answer: dict[str, Any] = await _http.post_json(url, value, now_ms=now_ms)
        return answer

    async def _renew(self, now_ms: int) -> None:
        asked = {"corpid": self.app.corp_id, "corpsecret": self.app.secret.get_secret_value()}
        answer = await _http.exchange("GET", f"{self.base}/cgi-bin/gettoken?{urlencode(asked)}")
        value = _http.read_json(answer, now_ms=now_ms)
        code = _CODES.read(value)
        if code in _STALE_TOKEN:
            raise PermanentError(Problem.BAD_KEY, code)
        _CODES.judge(value)
        token, seconds = value.get("access_token"), value.get("expires_in")
        if not isinstance(token, str) or not token or not isinstance(seconds, int):
            raise TemporaryError(Problem.GARBAGE)
        self.token, self.until_ms = token, now_ms + max(60_000, seconds * 1000 - _EARLY_MS)


CHANNEL = Channel(
    title=msgid("企业微信"),
    asks=msgid("群机器人的名称，或成员账号"),
    rank=10,
    address=address,
    open=open_wecom,
    destination=destination,
    budget=Budget(most=15, every_ms=4_000),
)
