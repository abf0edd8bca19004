"""What a channel is. A channel says only what is special: how a person is reached and how one message is handed over.

`deliver` bounds every attempt in time and sorts what went wrong: worth another try, or never. What went wrong is one
of the few `Problem`s with at most a number beside it, never an answer's or exception's text, which can hold a secret.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from collector.keys import Keys
from collector.people.queries import Person


class Problem(StrEnum):
    """Why a message was not delivered. `collector.alerts.words` says each as a sentence."""

    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed_out"
    BUSY = "busy"
    SERVER_FAILED = "server_failed"
    GARBAGE = "garbage"
    REFUSED = "refused"
    BAD_KEY = "bad_key"
    BAD_ADDRESS = "bad_address"
    NOT_NAMED = "not_named"
    NOT_TAKEN = "not_taken"
    NOT_DELIVERED = "not_delivered"
    DEFECT = "defect"
    PERSON_GONE = "person_gone"
    CHANNEL_SHUT = "channel_shut"


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

    @property
    def key(self) -> str:
        """The same at every try, so that a receiver can drop doubles."""
        return f"{self.district_id}-{self.message_id}"

    @property
    def text(self) -> str:
        """Subject and body in one, for channels without subjects. A body's first line that only repeats it goes."""
        first, _, rest = self.body.partition("\n")
        return f"{self.subject}\n{rest if self.subject.startswith(first) else self.body}"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the other side said when it took a message: only that, or that it has arrived; its own number for it."""

    delivered: bool = False
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Budget:
    """A token bucket: so many at once, then one every so often."""

    most: int
    every_ms: int


Send = Callable[[Message, int], Awaitable[Receipt]]
"""Hand over one message (with the time, epoch ms). Raises TemporaryError or PermanentError."""


def _as_it_is(address: str) -> str:
    return address


def _no_budget(_keys: Keys) -> Budget | None:
    return None


def _one(_keys: Keys, _message: Message) -> int:
    return 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """The plugin a module exports as `CHANNEL`.

    `title` and `asks` are Chinese msgids: its name, and what a person's own address on it is. `address` says how a
    person is reached, given that address, empty when not at all. `open` gives the sender, None when the centre has no
    keys for it. Of two channels the lower `rank` is tried first. `destination` is what an address's budget is kept
    for; `bill` is a budget for the whole channel, of which a message takes `cost`. Where `for_people` is false no human
    reads along whose attention had to be spared. `limit_s` seconds for one attempt;
    `waits_s` seconds before each further one, then it has failed.
    """

    title: str
    asks: str = ""
    rank: int = 50
    address: Callable[[Person, str], str]
    open: Callable[[Keys], Send | None]
    destination: Callable[[str], str] = _as_it_is
    budget: Budget | None = None
    bill: Callable[[Keys], Budget | None] = _no_budget
    cost: Callable[[Keys, Message], int] = _one
    for_people: bool = True
    limit_s: float = 15
    waits_s: tuple[int, ...] = (30, 120, 600, 1800, 7200)


@dataclass(frozen=True, slots=True)
class OpenChannel:
    """A channel with its keys in place."""

    channel: Channel
    send: Send
    keys: Keys = Keys()  # noqa: RUF009 - frozen


class DeliveryError(Exception):
    """The message was not delivered. `detail` is a status or an error code of the other side."""

    def __init__(self, problem: Problem, detail: object = "", *, wait_s: int = 0) -> None:
        super().__init__(f"{problem} {detail}".strip())
        self.problem = problem
        self.wait_s = wait_s
        """The other side asks to be left alone for so long."""


class TemporaryError(DeliveryError):
    """Not delivered this time; another try may do."""


class PermanentError(DeliveryError):
    """It will never be delivered like this; somebody must change something."""


async def deliver(opened: OpenChannel, message: Message, *, now_ms: int) -> Receipt | DeliveryError:
    """One attempt."""
    try:
        async with asyncio.timeout(opened.channel.limit_s):
            return await opened.send(message, now_ms)
    except DeliveryError as problem:
        return problem
    except TimeoutError:
        return TemporaryError(Problem.TIMED_OUT, f"{opened.channel.limit_s:g}")
    except Exception as problem:  # noqa: BLE001 - one channel's defect must not stop the others
        return TemporaryError(Problem.DEFECT, type(problem).__name__)
