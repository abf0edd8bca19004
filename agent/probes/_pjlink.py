"""The conversation with a PJLink projector, forgiving what projectors in the field do and the specification forbids.

Imported only when a projector is configured: with asyncio it costs 3 MB of memory.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field

from aiopjlink import (
    PJLink,
    PJLinkERR1,
    PJLinkERR2,
    PJLinkERR3,
    PJLinkERR4,
    PJLinkException,
    PJLinkNoConnection,
    PJLinkPassword,
    PJLinkProtocolError,
    PJLinkUnexpectedResponseParameter,
)

from shared.wire.states import ProjectorState

_PUSHED = b"%2LKUP="
_MAX_NOISE = 8
_MAX_LAMP_HOURS = 1_000_000
_MAX_NAME = 64
_LEVELS = {"1": "warning", "2": "error"}


class TolerantPJLink(PJLink):
    """Accepts CRLF, NUL padding, lamp-on notices pushed before the answer, and names in GB18030.

    `greeted` turns true once the peer has said "PJLINK": from then on it is a projector, whatever else goes wrong.
    Every failure is a PJLinkException, as in the parent.
    """

    def __init__(self, address: str, *, port: int, password: str | None, timeout: float) -> None:
        # Latin-1 maps every byte to a character, so the parent never fails on bytes; `_decode` then reads the text.
        super().__init__(address, port=port, password=password, timeout=timeout, encoding="latin-1")
        self.greeted = False
        self.has_password = password is not None

    async def _read_next(self, reader: asyncio.StreamReader) -> str:
        for _ in range(_MAX_NOISE):
            line = (await super()._read_next(reader)).encode("latin-1").strip(b"\0\r\n \t")
            if line and not line.upper().startswith(_PUSHED):
                self.greeted = self.greeted or line.upper().startswith(b"PJLINK ")
                return _decode(line) + "\r"
        raise PJLinkProtocolError("only noise from the projector")


def _decode(line: bytes) -> str:
    for encoding in ("utf-8", "gb18030"):
        try:
            return line.decode(encoding)
        except UnicodeDecodeError:
            continue
    return line.decode("latin-1")


@dataclass(slots=True)
class _Answers:
    """What the projector has told so far; a look that is cut short keeps it."""

    power: str | None = None
    faults: dict[str, str] = field(default_factory=dict)
    lamp_hours: int | None = None
    name: str = ""
    maker: str = ""
    model: str = ""
    serial: str = ""
    error: str = ""


Question = Callable[[TolerantPJLink, _Answers], Awaitable[None]]


def look(address: str, *, port: int, password: str | None, timeout_s: float, identify: bool) -> ProjectorState:
    """Ask everything once; `timeout_s` seconds for one step, three times as long for the whole.

    `identify`: ask also who made it, its model and serial number, for as long again as one step. Whatever the peer
    does is a state; nothing is raised for it.
    """
    return asyncio.run(
        _look(TolerantPJLink(address, port=port, password=password, timeout=timeout_s), timeout_s, identify=identify)
    )


def switch(address: str, *, port: int, password: str | None, timeout_s: float, on: bool) -> str:
    """Switch it on or off; returns why it was not, or nothing. Takes at most three times `timeout_s`."""
    link = TolerantPJLink(address, port=port, password=password, timeout=timeout_s)
    return asyncio.run(_switch(link, 3 * timeout_s, on=on))


async def _switch(link: TolerantPJLink, whole_s: float, *, on: bool) -> str:
    try:
        async with asyncio.timeout(whole_s):
            await (link.power.turn_on() if on else link.power.turn_off())
    except TimeoutError:
        return _explain_silence(link)
    except (PJLinkERR3, PJLinkERR4):
        return "the projector cannot do it now: it is warming up, cooling down or faulty"
    except PJLinkException as problem:
        return _explain(problem, link)
    return ""


async def _look(link: TolerantPJLink, step_s: float, *, identify: bool) -> ProjectorState:
    answers = _Answers()
    try:
        async with asyncio.timeout(3 * step_s):
            for question in (_ask_power, _ask_faults, _ask_lamp, _ask_name):
                await _ask(question, link, answers)
    except TimeoutError:
        answers.error = _explain_silence(link)
    except PJLinkException as problem:
        answers.error = _explain(problem, link)
    if identify and not answers.error:
        with suppress(TimeoutError):
            async with asyncio.timeout(step_s):
                await _identify(link, answers)
    return ProjectorState(
        via="pjlink",
        reachable=link.greeted,
        **asdict(answers),
    )


async def _ask(question: Question, link: TolerantPJLink, answers: _Answers) -> None:
    """Put one question. A refusal concerns that question only; PJLinkException is raised for all that ends the talk."""
    try:
        await question(link, answers)
    except (PJLinkERR1, PJLinkERR2, PJLinkERR3):
        # Undefined, out of range, or not while off or warming up: what is not told is no fault.
        return
    except PJLinkERR4:
        answers.faults.setdefault("other", "error")
        answers.error = answers.error or "the projector reports a failure of its own"
    except PJLinkUnexpectedResponseParameter:
        answers.error = answers.error or f"unreadable answer about {question.__name__.removeprefix('_ask_')}"


async def _ask_power(link: TolerantPJLink, answers: _Answers) -> None:
    answers.power = (await link.power.get()).name.lower()


async def _ask_faults(link: TolerantPJLink, answers: _Answers) -> None:
    told = await link.errors.query()
    answers.faults |= {part.value: _LEVELS[level.value] for part, level in told.items() if level.value in _LEVELS}


async def _ask_lamp(link: TolerantPJLink, answers: _Answers) -> None:
    """Hours of the oldest lamp, which is the first to be replaced."""
    hours = max(hours for hours, _ in await link.lamps.status())
    answers.lamp_hours = hours if 0 <= hours < _MAX_LAMP_HOURS else None


async def _ask_name(link: TolerantPJLink, answers: _Answers) -> None:
    answers.name = _clean(await link.info.projector_name())


async def _identify(link: TolerantPJLink, answers: _Answers) -> None:
    """Who it is. A projector of class 1 may break off at the question of class 2, and is no worse for it."""
    with suppress(PJLinkException):
        answers.maker = _clean(await link.info.manufacturer_name())
        answers.model = _clean(await link.info.product_name())
        answers.serial = _clean(await link.info.serial_number())


def _clean(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:_MAX_NAME].strip()


def _explain(problem: PJLinkException, link: TolerantPJLink) -> str:
    if isinstance(problem, PJLinkPassword):
        return "the projector refuses the password" if link.has_password else "the projector asks for a password"
    if isinstance(problem, PJLinkNoConnection):
        return _explain_silence(link)
    if link.greeted:
        return "the projector broke off or answered something that is not PJLink"
    return "the address answers, but not as a PJLink projector"


def _explain_silence(link: TolerantPJLink) -> str:
    return "the projector did not answer in time" if link.greeted else "no connection to the projector"
