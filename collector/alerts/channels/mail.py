"""Mail over SMTP, by apprise. `mail_url` is apprise's: `mailto://user:password@host:port?from=centre@example.cn`."""

import asyncio
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import SecretStr

from collector.alerts.channels.base import Channel, Message, PermanentError, Problem, Receipt, Send, TemporaryError
from collector.keys import Keys
from collector.people.queries import Person
from collector.web.i18n import msgid


def address(person: Person, own: str) -> str:
    return own or person.email


def open_mail(keys: Keys) -> Send | None:
    url = keys.mail_url
    if url is None:
        return None

    async def send(message: Message, _now_ms: int) -> Receipt:
        await asyncio.to_thread(_post, url, message)
        return Receipt()

    return send


def _post(url: SecretStr, message: Message) -> None:
    from apprise import Apprise, NotifyFormat  # noqa: PLC0415 - 30 MB that a centre without mail does not pay

    server = Apprise.instantiate(_to(url.get_secret_value(), message.address), suppress_exceptions=True)
    if server is None:
        raise PermanentError(Problem.BAD_ADDRESS)
    if not server.notify(body=message.body, title=message.subject, body_format=NotifyFormat.TEXT):
        raise TemporaryError(Problem.NOT_TAKEN)


def _to(url: str, recipient: str) -> str:
    """The centre's mail URL with this one recipient, in plain text."""
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name not in {"to", "format"}]
    return urlunsplit(parts._replace(query=urlencode([*query, ("to", recipient), ("format", "text")])))


CHANNEL = Channel(
    title=msgid("电子邮件"),
    asks=msgid("邮箱；空着就用档案里的"),
    rank=40,
    address=address,
    open=open_mail,
    limit_s=30,
)
