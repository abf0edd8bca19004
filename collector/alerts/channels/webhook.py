"""A signed CloudEvent to a person's or office's own address.

Body: CloudEvents 1.0, structured JSON. Headers of Standard Webhooks: `webhook-id` (the same at every retry, so that
the receiver can drop doubles), `webhook-timestamp` (seconds), `webhook-signature` = `v1,` + base64 of HMAC-SHA256
over `id.timestamp.body`. Redirects are not followed and the answer's body is not read.
"""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime

import httpx
from pydantic import SecretStr

from collector.alerts.channels.base import Channel, Keys, Message, PermanentError, Send, TemporaryError
from collector.people.queries import Person

_LIMITS = httpx.Timeout(5).as_dict()
_WORTH_ANOTHER_TRY = frozenset({408, 425, 429})


def address(person: Person) -> str:
    return person.webhook


def open_webhook(keys: Keys) -> Send | None:
    secret = keys.webhook_secret
    if secret is None:
        return None

    async def send(message: Message, now_ms: int) -> None:
        body = make_event(message)
        headers = sign(_id(message), now_ms // 1000, body, secret)
        headers["content-type"] = "application/cloudevents+json; charset=utf-8"
        _judge(await _post(message.address, body, headers))

    return send


def make_event(message: Message) -> bytes:
    event = {
        "specversion": "1.0",
        "id": _id(message),
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


async def _post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """Status of the answer. Goes below httpx's client, which would log the address, and that can hold a key."""
    try:
        request = httpx.Request("POST", url, content=body, headers=headers, extensions={"timeout": _LIMITS})
        async with httpx.AsyncHTTPTransport() as transport:
            answer = await transport.handle_async_request(request)
            await answer.aclose()
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as problem:
        raise PermanentError("the webhook address is not a web address") from problem
    except httpx.TransportError as problem:
        raise TemporaryError(f"the webhook could not be reached ({type(problem).__name__})") from problem
    return answer.status_code


def _judge(status: int) -> None:
    if status < 300:
        return
    if status >= 500 or status in _WORTH_ANOTHER_TRY:
        raise TemporaryError(f"the webhook answered {status}")
    raise PermanentError(f"the webhook answered {status}")


def _id(message: Message) -> str:
    return f"{message.district_id}-{message.message_id}"


CHANNEL = Channel(address=address, open=open_webhook, limit_s=10)
