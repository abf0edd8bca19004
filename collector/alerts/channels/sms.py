"""Short messages through a JSON gateway: the office's provider, or a modem box, behind a few lines of their own.

POST to `url`, `Authorization: Bearer <token>`, `Idempotency-Key` the same at every try:
`{"id": "510802-7", "to": "13800000000", "text": "【远教】…", "parts": 2}`. It answers 200 with `{"code": 0, "id": "…"}`
and `"delivered": true` where it already knows; any other `code` is a refusal for good, 429 and 5xx are not. What it
learns later it tells by `collector.alerts.receipts`.

Chinese is sent in UCS-2: 70 characters alone, 67 a part. Each part costs money, so a message is cut to `most_parts`
and a day has `parts_a_day`.
"""

import re

from collector.alerts.channels import _http
from collector.alerts.channels.base import Budget, Channel, Message, Receipt, Send
from collector.keys import Keys, SmsGateway
from collector.people.queries import Person
from collector.web.i18n import msgid

_CODES = _http.Codes(names=("code",))
_ALONE, _PART = 70, 67
_DAY_MS = 86_400_000
_MOBILE = re.compile(r"(?:\+?86)?(1\d{10})")


def address(person: Person, own: str) -> str:
    found = _MOBILE.fullmatch(re.sub(r"[\s-]", "", own or person.phone))
    return found[1] if found else ""


def open_sms(keys: Keys) -> Send | None:
    gateway = keys.sms
    if gateway is None:
        return None

    async def send(message: Message, now_ms: int) -> Receipt:
        text = write(gateway, message)
        value = {"id": message.key, "to": message.address, "text": text, "parts": count_parts(text)}
        headers = {"authorization": f"Bearer {gateway.token.get_secret_value()}", "idempotency-key": message.key}
        answer = await _http.post_json(gateway.url, value, now_ms=now_ms, headers=headers)
        _CODES.judge(answer)
        return Receipt(delivered=answer.get("delivered") is True, reference=str(answer.get("id", ""))[:100])

    return send


def write(gateway: SmsGateway, message: Message) -> str:
    """Signature, what the subject says, one link; the middle is cut so that the parts suffice."""
    links = [message.data.get(name) for name in ("acknowledge", "link")]
    end = next((f" {each}" for each in links if isinstance(each, str) and each), "")
    begin = f"【{gateway.sign}】"
    most = _ALONE if gateway.most_parts == 1 else _PART * gateway.most_parts
    room = most - measure(begin) - measure(end)
    subject = message.subject
    if measure(subject) > room:
        while subject and measure(subject) > room - 1:
            subject = subject[:-1]
        subject += "…"
    return f"{begin}{subject}{end}"


def measure(text: str) -> int:
    """Length in UCS-2 units; what lies beyond the first plane takes two."""
    return len(text.encode("utf-16-le")) // 2


def count_parts(text: str) -> int:
    length = measure(text)
    return 1 if length <= _ALONE else -(-length // _PART)


def bill(keys: Keys) -> Budget | None:
    return None if keys.sms is None else Budget(keys.sms.parts_a_day, _DAY_MS // keys.sms.parts_a_day)


def cost(keys: Keys, message: Message) -> int:
    return 1 if keys.sms is None else count_parts(write(keys.sms, message))


CHANNEL = Channel(
    title=msgid("短信"),
    asks=msgid("手机号；空着就用档案里的"),
    rank=50,
    address=address,
    open=open_sms,
    budget=Budget(most=5, every_ms=300_000),
    bill=bill,
    cost=cost,
)
