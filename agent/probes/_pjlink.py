"""The conversation with a PJLink projector, forgiving what projectors in the field do and the specification forbids.

Only the standard library: an event loop and a client made for one would cost 3 MB. Whatever the peer does is a state,
and a look ends in time.
"""

import hashlib
import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field

from shared.wire.states import ProjectorState

_PUSHED = b"%2LKUP="
_MAX_NOISE = 8
_MAX_LINE = 1024
_MAX_LAMP_HOURS = 1_000_000
_MAX_NAME = 64
_POWERS = {"0": "off", "1": "on", "2": "cooling", "3": "warming"}
_PARTS = ("fan", "lamp", "temperature", "cover", "filter", "other")
_LEVELS = {"1": "warning", "2": "error"}


class PJLinkError(Exception):
    """The talk cannot go on; the message says why."""


class SilenceError(PJLinkError):
    """No connection, or no answer in time."""


class RefusedError(Exception):
    """The projector does not know the command or cannot do it now. Others may be answered."""


class FaultyError(Exception):
    """The projector answers that it is faulty itself."""


_ERRORS = {"ERR1": RefusedError, "ERR2": RefusedError, "ERR3": RefusedError, "ERR4": FaultyError}


@dataclass(slots=True)
class Link:
    """The way to one projector. `until` is the end of the whole talk by `time.monotonic()`, `step_s` that of one step.

    Each command has a connection of its own: many projectors close it after an answer, or let in one client at a time.
    `greeted` turns true once the peer has said "PJLINK": from then on it is a projector, whatever else goes wrong.
    """

    address: str
    port: int
    password: str | None
    step_s: float
    until: float
    greeted: bool = False

    def ask(self, command: str, *, language: int = 1) -> str:
        """What is answered to a question of this class of PJLink. Raises RefusedError, FaultyError or PJLinkError."""
        return self._say(f"%{language}{command}", "?")

    def order(self, command: str, value: str) -> None:
        """Have something done. Raises as `ask`."""
        if self._say(f"%1{command}", value).upper() != "OK":
            raise self._misunderstood()

    def explain_silence(self) -> str:
        return "the projector did not answer in time" if self.greeted else "no connection to the projector"

    def _say(self, head: str, value: str) -> str:
        try:
            connection = socket.create_connection((self.address, self.port), max(self._step_end() - _now(), 0.001))
        except OSError as error:
            raise SilenceError from error
        with connection:
            try:
                return self._talk(connection, head, value)
            except OSError as error:
                raise self._misunderstood() from error

    def _talk(self, connection: socket.socket, head: str, value: str) -> str:
        proof = self._prove(self._hear_greeting(connection))
        connection.sendall(f"{proof}{head} {value}\r".encode("ascii"))
        answer = self._hear(connection)
        if answer.upper() == "PJLINK ERRA":
            raise PJLinkError("the projector refuses the password")
        told, sign, result = answer[:6].upper(), answer[6:7], answer[7:]
        if told != head or sign != "=":
            raise self._misunderstood()
        refusal = _ERRORS.get(result.upper())
        if refusal is not None:
            raise refusal
        return result

    def _hear_greeting(self, connection: socket.socket) -> str:
        try:
            return self._hear(connection)
        except SilenceError as error:
            if _now() >= self.until:
                raise
            raise self._misunderstood() from error

    def _prove(self, greeting: str) -> str:
        """What goes before the command where the projector wants a password."""
        mode = greeting[7:9] if greeting.upper().startswith("PJLINK ") else ""
        if mode[:1] == "0":
            return ""
        if mode != "1 ":
            raise self._misunderstood()
        if self.password is None:
            raise PJLinkError("the projector asks for a password")
        salted = (greeting[9:] + self.password).encode("utf-8")
        return hashlib.md5(salted, usedforsecurity=False).hexdigest()

    def _hear(self, connection: socket.socket) -> str:
        """The next line that is meant for us; CRLF, NUL padding and notices pushed before it are forgiven."""
        until, heard = self._step_end(), b""
        for _ in range(_MAX_NOISE):
            while b"\r" not in heard:
                heard += self._receive(connection, until)
                if len(heard) > _MAX_LINE:
                    raise self._misunderstood()
            line, _, heard = heard.partition(b"\r")
            line = line.strip(b"\0\n \t")
            if line and not line.upper().startswith(_PUSHED):
                self.greeted = self.greeted or line.upper().startswith(b"PJLINK ")
                return _decode(line)
        raise self._misunderstood()

    def _receive(self, connection: socket.socket, until: float) -> bytes:
        left_s = until - _now()
        if left_s <= 0:
            raise SilenceError
        connection.settimeout(left_s)
        try:
            part = connection.recv(_MAX_LINE)
        except TimeoutError as error:
            raise SilenceError from error
        if not part:
            raise self._misunderstood()
        return part

    def _misunderstood(self) -> PJLinkError:
        if self.greeted:
            return PJLinkError("the projector broke off or answered something that is not PJLink")
        return PJLinkError("the address answers, but not as a PJLink projector")

    def _step_end(self) -> float:
        return min(self.until, _now() + self.step_s)


def _now() -> float:
    return time.monotonic()


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


Question = Callable[[Link, _Answers], None]


def look(address: str, *, port: int, password: str | None, timeout_s: float, identify: bool) -> ProjectorState:
    """Ask everything once; `timeout_s` seconds for one step, three times as long for the whole.

    `identify`: ask also who made it, its model and serial number, for as long again as one step.
    """
    link = Link(address, port, password, timeout_s, _now() + 3 * timeout_s)
    answers = _Answers()
    try:
        for question in (_ask_power, _ask_faults, _ask_lamp, _ask_name):
            _put(question, link, answers)
    except SilenceError:
        answers.error = link.explain_silence()
    except PJLinkError as error:
        answers.error = str(error)
    if identify and not answers.error:
        link.until = _now() + timeout_s
        _identify(link, answers)
    return ProjectorState(via="pjlink", reachable=link.greeted, **asdict(answers))


def switch(address: str, *, port: int, password: str | None, timeout_s: float, on: bool) -> str:
    """Switch it on or off; returns why it was not, or nothing. Takes at most three times `timeout_s`."""
    link = Link(address, port, password, timeout_s, _now() + 3 * timeout_s)
    try:
        link.order("POWR", "1" if on else "0")
    except (RefusedError, FaultyError):
        return "the projector cannot do it now: it is warming up, cooling down or faulty"
    except SilenceError:
        return link.explain_silence()
    except PJLinkError as error:
        return str(error)
    return ""


def _put(question: Question, link: Link, answers: _Answers) -> None:
    """Put one question. A refusal concerns that question only; PJLinkError is raised for all that ends the talk."""
    try:
        question(link, answers)
    except RefusedError:
        # Undefined, out of range, or not while off or warming up: what is not told is no fault.
        return
    except FaultyError:
        answers.faults.setdefault("other", "error")
        answers.error = answers.error or "the projector reports a failure of its own"
    except (ValueError, KeyError):
        answers.error = answers.error or f"unreadable answer about {question.__name__.removeprefix('_ask_')}"


def _ask_power(link: Link, answers: _Answers) -> None:
    answers.power = _POWERS[link.ask("POWR")]


def _ask_faults(link: Link, answers: _Answers) -> None:
    levels = link.ask("ERST")
    if not re.fullmatch("[012]{6}", levels):
        raise ValueError
    answers.faults |= {part: _LEVELS[level] for part, level in zip(_PARTS, levels, strict=True) if level in _LEVELS}


def _ask_lamp(link: Link, answers: _Answers) -> None:
    """Hours of the oldest lamp, which is the first to be replaced. Each is followed by whether it is lit."""
    lamps = re.fullmatch(r"\d+ [01](?: \d+ [01])*", link.ask("LAMP"), re.ASCII)
    if lamps is None:
        raise ValueError
    hours = max(int(each) for each in lamps[0].split()[::2])
    answers.lamp_hours = hours if hours < _MAX_LAMP_HOURS else None


def _ask_name(link: Link, answers: _Answers) -> None:
    answers.name = _clean(link.ask("NAME"))


def _identify(link: Link, answers: _Answers) -> None:
    """Who it is. A projector of class 1 may break off at the question of class 2, and is no worse for it."""
    with suppress(PJLinkError, RefusedError, FaultyError):
        answers.maker = _clean(link.ask("INF1"))
        answers.model = _clean(link.ask("INF2"))
        answers.serial = _clean(link.ask("SNUM", language=2))


def _clean(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:_MAX_NAME].strip()
