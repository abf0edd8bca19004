"""A projector on a serial cable: ESC/VP21 on a pseudo-terminal, with faults to switch on."""

import os
import select
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

Answer = Callable[[str], bytes]


class FakeProjector:
    """`values` are what it knows; `answer` may be replaced by a hostile one: it gets a command, returns raw bytes."""

    def __init__(self, near: int, device: Path) -> None:
        self.near, self.device = near, device
        self.values = {"PWR": "01", "ERR": "00", "LAMP": "1234", "SNO": "X8JK0000001", "SOURCE": "30"}
        self.heard: list[str] = []
        self.answer: Answer = self.reply
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def reply(self, command: str) -> bytes:
        """As the real one: in standby it knows its power and nothing else."""
        name = command.removesuffix("?")
        if not command:
            return b":"
        if command in {"PWR ON", "PWR OFF"}:
            self.values["PWR"] = "02" if command == "PWR ON" else "03"
            return b":"
        standby = self.values["PWR"] in {"00", "04"}
        if not command.endswith("?") or name not in self.values or (standby and name != "PWR"):
            return b"ERR\r:"
        return f"{name}={self.values[name]}\r:".encode()

    def push(self, words: bytes) -> None:
        os.write(self.near, words)

    def unplug(self) -> None:
        """The far end goes away, as when the USB adapter is pulled. Also from within an answer."""
        self._over.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(5)
        near, self.near = self.near, -1
        with suppress(OSError):
            os.close(near)

    def _serve(self) -> None:
        heard = b""
        while not self._over.is_set():
            if not select.select([self.near], [], [], 0.05)[0]:
                continue
            try:
                heard += os.read(self.near, 256)
            except OSError:
                self._over.wait(0.02)
                continue
            while b"\r" in heard:
                line, _, heard = heard.partition(b"\r")
                command = line.decode("ascii", "replace").strip()
                self.heard.append(command)
                with suppress(OSError):
                    os.write(self.near, self.answer(command))


@contextmanager
def serial_projector() -> Iterator[FakeProjector]:
    near, far = os.openpty()
    tty.setraw(near)
    tty.setraw(far)
    os.set_blocking(near, False)
    fake = FakeProjector(near, Path(os.ttyname(far)))
    os.close(far)
    try:
        yield fake
    finally:
        fake.unplug()
