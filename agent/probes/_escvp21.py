"""The conversation with a projector on a serial cable, in ESC/VP21: a command, CR, an answer, and the prompt `:`.

Only the standard library; whatever the peer or the cable does is a state, and a look ends in time.
"""

import errno
import fcntl
import os
import re
import select
import termios
import time
import tty
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from shared.wire.states import ProjectorState

SPEEDS = {9600: termios.B9600, 19200: termios.B19200, 38400: termios.B38400, 115200: termios.B115200}

_PROMPT = b":"
_NOTICE = "IMEVENT"
_MAX_NOTICES = 8
_MAX_ANSWER = 512
_NOISE = "only noise from the serial port: check its speed and cable"
_STRANGER = "the serial port answers, but not as a projector"
_BROKE_OFF = "the serial port broke off"
_MAX_LAMP_HOURS = 1_000_000
_POWERS = {"00": "off", "01": "on", "02": "warming", "03": "cooling", "04": "off", "05": "off"}
_ABNORMAL = "05"
_NO_FAULT = "00"
# Error codes as the makers' command lists print them, put into the six parts that PJLink knows.
_PARTS: Mapping[str, tuple[str, str]] = {
    "01": ("fan", "error"),
    "03": ("lamp", "error"),
    "04": ("temperature", "error"),
    "06": ("lamp", "error"),
    "07": ("cover", "error"),
    "0C": ("filter", "warning"),
    "0D": ("filter", "error"),
    "10": ("temperature", "error"),
    "11": ("temperature", "error"),
}
_OTHER = ("other", "error")
_REASONS = {
    errno.ENOENT: "the serial port is not there",
    errno.EACCES: "this program may not use the serial port",
    errno.EPERM: "this program may not use the serial port",
    errno.EWOULDBLOCK: "another program is using the serial port",
    errno.ENOTTY: "this is no serial port",
    errno.EINVAL: "this is no serial port",
    errno.ENXIO: "this is no serial port",
    errno.EISDIR: "this is no serial port",
}


class SerialError(Exception):
    """The talk cannot go on; the message says why."""


class SilenceError(SerialError):
    """No answer in time."""


class RefusedError(Exception):
    """The projector does not know the command or cannot do it now. Others may be answered."""


@dataclass(slots=True)
class Line:
    """An open port. `until` is the end of the whole talk by `time.monotonic()`, `step_s` that of one answer."""

    port: int
    step_s: float
    until: float
    _rest: bytes = b""

    def ask(self, name: str) -> str:
        """The value of `name`. Raises RefusedError, SerialError, or ValueError for an answer to another question."""
        for answer in self.say(f"{name}?"):
            key, sign, value = answer.partition("=")
            if sign and key.strip().upper() == name:
                return value.strip()
        raise ValueError(name)

    def say(self, command: str) -> list[str]:
        """The lines of the answer to a command. Raises RefusedError or SerialError."""
        until = min(self.until, time.monotonic() + self.step_s)
        termios.tcflush(self.port, termios.TCIFLUSH)
        self._rest = b""
        self._write(command.encode("ascii") + b"\r", until)
        for _ in range(_MAX_NOTICES):
            told = self._read(until)
            lines = [each for each in told if not each.startswith(_NOTICE)]
            if "ERR" in lines:
                raise RefusedError
            if lines or not told:
                return lines
        raise SerialError(_NOISE)

    def _write(self, words: bytes, until: float) -> None:
        while words:
            _wait(self.port, until, writing=True)
            words = words[os.write(self.port, words) :]

    def _read(self, until: float) -> list[str]:
        """Lines up to the next prompt."""
        while _PROMPT not in self._rest:
            _wait(self.port, until, writing=False)
            part = os.read(self.port, _MAX_ANSWER)
            if not part:
                raise SerialError(_BROKE_OFF)
            self._rest += part
            if len(self._rest) > _MAX_ANSWER:
                raise SerialError(_NOISE)
        raw, _, self._rest = self._rest.partition(_PROMPT)
        try:
            text = raw.decode("ascii")
        except UnicodeDecodeError as error:
            raise SerialError(_NOISE) from error
        return [line.strip("\0 ") for line in re.split(r"[\r\n]+", text) if line.strip("\0 ")]


def _wait(port: int, until: float, *, writing: bool) -> None:
    left_s = until - time.monotonic()
    ready = left_s > 0 and any(select.select([] if writing else [port], [port] if writing else [], [], left_s))
    if not ready:
        raise SilenceError


@contextmanager
def opened(device: Path, *, speed: int, step_s: float, whole_s: float) -> Iterator[Line]:
    """The port, raw and for nobody else. Raises SerialError."""
    until = time.monotonic() + whole_s
    try:
        port = os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _explain(error) from error
    try:
        fcntl.flock(port, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _set_up(port, SPEEDS[speed])
        yield Line(port, step_s, until)
    except OSError as error:
        raise _explain(error) from error
    except termios.error as error:
        raise _explain(OSError(*error.args)) from error
    finally:
        # Closing a port waits for what is not sent yet, half a minute long when the cable is gone.
        with suppress(termios.error):
            termios.tcflush(port, termios.TCOFLUSH)
        os.close(port)


def _set_up(port: int, speed: int) -> None:
    """8 bits, no parity, one stop bit, no flow control."""
    tty.setraw(port, termios.TCSANOW)
    flags = termios.tcgetattr(port)
    flags[2] = (flags[2] | termios.CLOCAL | termios.CREAD) & ~(termios.CSTOPB | termios.CRTSCTS | termios.PARENB)
    flags[4] = flags[5] = speed
    termios.tcsetattr(port, termios.TCSANOW, flags)


def _explain(error: OSError) -> SerialError:
    return SerialError(_REASONS.get(error.errno or 0, _BROKE_OFF))


def look(device: Path, *, speed: int, timeout_s: float) -> ProjectorState:
    """Ask everything once; `timeout_s` seconds for one answer, three times as long for the whole."""
    told: dict[str, object] = {"via": "serial", "reachable": False}
    try:
        with opened(device, speed=speed, step_s=timeout_s, whole_s=3 * timeout_s) as line:
            _greet(line)
            told["reachable"] = True
            for question in (_ask_power, _ask_faults, _ask_lamp, _ask_serial):
                _put(question, line, told)
    except SilenceError:
        told["error"] = "the projector did not answer in time" if told["reachable"] else "no answer on the serial port"
    except SerialError as error:
        told["error"] = str(error)
    return ProjectorState.model_validate(told)


def switch(device: Path, *, speed: int, timeout_s: float, on: bool) -> str:
    """Switch it on or off; returns why it was not, or nothing. Takes at most three times `timeout_s`."""
    try:
        with opened(device, speed=speed, step_s=timeout_s, whole_s=3 * timeout_s) as line:
            _greet(line)
            line.say("PWR ON" if on else "PWR OFF")
    except RefusedError:
        return "the projector cannot do it now: it is warming up, cooling down or faulty"
    except SilenceError:
        return "the projector did not answer in time"
    except SerialError as error:
        return str(error)
    return ""


Question = Callable[[Line, dict[str, object]], None]


def _put(question: Question, line: Line, told: dict[str, object]) -> None:
    """In standby a projector refuses all but the question about power: what is not told is no fault."""
    try:
        question(line, told)
    except RefusedError:
        return
    except (ValueError, KeyError):
        told.setdefault("error", f"unreadable answer about {question.__name__.removeprefix('_ask_')}")


def _greet(line: Line) -> None:
    """A bare CR is answered by the bare prompt, in every state a projector can be in."""
    with suppress(RefusedError):
        if line.say(""):
            raise SerialError(_STRANGER)


def _ask_power(line: Line, told: dict[str, object]) -> None:
    code = line.ask("PWR")
    told["power"] = _POWERS[code]
    if code == _ABNORMAL:
        told["faults"] = dict([_OTHER])


def _ask_faults(line: Line, told: dict[str, object]) -> None:
    code = line.ask("ERR").upper()
    if not re.fullmatch(r"[0-9A-F]{2}", code):
        raise ValueError
    if code != _NO_FAULT:
        told["faults"] = dict([_PARTS.get(code, _OTHER)])


def _ask_lamp(line: Line, told: dict[str, object]) -> None:
    """Hours of the oldest lamp, which is the first to be replaced."""
    hours = max(int(each) for each in line.ask("LAMP").split())
    told["lamp_hours"] = hours if 0 <= hours < _MAX_LAMP_HOURS else None


def _ask_serial(line: Line, told: dict[str, object]) -> None:
    told["serial"] = _clean(line.ask("SNO"))


def _clean(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:64]
