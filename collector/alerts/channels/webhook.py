"""A signed CloudEvent to a person's or office's own address, on hosts the settings name.

Body: CloudEvents 1.0, structured JSON. Headers of Standard Webhooks: `webhook-id` (the same at every retry, so that
the receiver can drop doubles), `webhook-timestamp` (seconds), `webhook-signature` = `v1,` + base64 of HMAC-SHA256
over `id.timestamp.body`. Redirects are not followed and the answer's body means nothing.
"""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime

from pydantic import SecretStr

from collector.alerts.channels import _hosts, _http
from collector.alerts.channels.base import Channel, Message, Receipt, Send
from collector.keys import Keys
from collector.people.queries import Person
from collector.web.i18n import msgid


def address(person: Person, own: str) -> str:
    return own or person.webhook


def open_webhook(keys: Keys) -> Send | None:
    secret = keys.webhook_secret
    if secret is None:
        return None

    async def send(message: Message, now_ms: int) -> Receipt:
        url, host, name = await _hosts.pin(message.address, keys.named_hosts)
        body = make_event(message)
        headers = sign(message.key, now_ms // 1000, body, secret)
        headers |= {"host": host, "content-type": "application/cloudevents+json; charset=utf-8"}
        _http.judge(await _http.exchange("POST", url, body, headers, sni_hostname=name), now_ms=now_ms)
        return Receipt(delivered=True)

    return send


def make_event(message: Message) -> bytes:
    event = {
        "specversion": "1.0",
        "id": message.key,
        "source": f"/districts/{message.district_id}",
        "type": f"cn.yuanjiao.ticket.{message.data.get('action', 'changed')}",
        "subject": None if message.ticket_id is None else f"tickets/{message.ticket_id}",
        "time": datetime.fromtimestamp(message.created_ms / 1000, UTC).isoformat(timespec="milliseconds"),
        "datacontenttype": "application/json",
        "data": {**message.data, "title": message.subject, "text": message.body},
    }
    kept = {name: value for name, value in event.items() if value is not None}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode()


def sign(message_id: str, timestamp: int, body: bytes, secret: SecretStr) -> dict[str, str]:
    """The three headers of Standard Webhooks."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(secret.get_secret_value().encode(), signed, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


CHANNEL = Channel(
    title=msgid("网络回调"),
    asks=msgid("回调网址；空着就用档案里的"),
    rank=60,
    address=address,
    open=open_webhook,
    for_people=False,
    limit_s=10,
)
