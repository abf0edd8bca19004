"""Mail over SMTP, by apprise. `mail_url` is apprise's: `mailto://user:password@host:port?from=centre@example.cn`."""

import asyncio
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import SecretStr

from collector.alerts.channels.base import Channel, Keys, Message, PermanentError, Send, TemporaryError
from collector.people.queries import Person


def address(person: Person) -> str:
    return person.email


def open_mail(keys: Keys) -> Send | None:
    url = keys.mail_url
    if url is None:
        return None

    async def send(message: Message, _now_ms: int) -> None:
        await asyncio.to_thread(_post, url, message)

    return send


def _post(url: SecretStr, message: Message) -> None:
    from apprise import Apprise, NotifyFormat  # noqa: PLC0415 - 30 MB that a centre without mail does not pay

    server = Apprise.instantiate(_to(url.get_secret_value(), message.address), suppress_exceptions=True)
    if server is None:
        raise PermanentError("the mail address, or the centre's mail_url, cannot be read")
    if not server.notify(body=message.body, title=message.subject, body_format=NotifyFormat.TEXT):
        raise TemporaryError("the mail server did not take the message")


def _to(url: str, recipient: str) -> str:
    """The centre's mail URL with this one recipient, in plain text."""
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name not in {"to", "format"}]
    return urlunsplit(parts._replace(query=urlencode([*query, ("to", recipient), ("format", "text")])))


CHANNEL = Channel(address=address, open=open_mail, limit_s=30)
