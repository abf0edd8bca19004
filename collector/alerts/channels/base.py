"""What a channel is. A channel says only what is special: how a person is reached and how one message is handed over.

`deliver` bounds every attempt in time and sorts what went wrong: worth another try, or never. An error text may end
on a page, so it is a sentence of ours or the name of an exception, never its text, which can hold a secret.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from collector.people.queries import Person


@dataclass(frozen=True, slots=True)
class Message:
    """One row of the outbox, as a channel sees it. `data` is the same news for machines; plain JSON."""

    district_id: int
    message_id: int
    ticket_id: int | None
    person_id: int | None
    channel: str
    address: str
    subject: str
    body: str
    data: Mapping[str, Any]
    tries: int
    created_ms: int


@dataclass(frozen=True, slots=True)
class Keys:
    """The secrets of this centre. Never logged, never shown."""

    mail_url: SecretStr | None = None
    webhook_secret: SecretStr | None = None


Send = Callable[[Message, int], Awaitable[None]]
"""Hand over one message (with the time, epoch ms). Raises TemporaryError or PermanentError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """The plugin a module exports as `CHANNEL`.

    `address` says how a person is reached, empty when not at all. `open` gives the sender, None when the centre has
    no keys for it. `limit_s` seconds for one attempt; `waits_s` seconds before each further one, then it has failed.
    """

    address: Callable[[Person], str]
    open: Callable[[Keys], Send | None]
    limit_s: float = 15
    waits_s: tuple[int, ...] = (30, 120, 600, 1800, 7200)


@dataclass(frozen=True, slots=True)
class OpenChannel:
    """A channel with its keys in place."""

    channel: Channel
    send: Send


class DeliveryError(Exception):
    """The message was not delivered."""


class TemporaryError(DeliveryError):
    """Not delivered this time; another try may do."""


class PermanentError(DeliveryError):
    """It will never be delivered like this; somebody must change something."""


async def deliver(opened: OpenChannel, message: Message, *, now_ms: int) -> DeliveryError | None:
    """One attempt. None: it is delivered."""
    try:
        async with asyncio.timeout(opened.channel.limit_s):
            await opened.send(message, now_ms)
    except DeliveryError as problem:
        return problem
    except TimeoutError:
        return TemporaryError(f"no answer within {opened.channel.limit_s:g} s")
    except Exception as problem:  # noqa: BLE001 - one channel's defect must not stop the others
        return TemporaryError(type(problem).__name__)
    return None
