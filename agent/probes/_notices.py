"""Hears the notices a PJLink class 2 projector sends by UDP when something about it changes: LKUP, POWR, ERST, INPT.

A notice is only a knock: it makes the sensor ask sooner. What it says is not believed, for anybody can send one.
"""

import logging
import re
import socket
import threading
from contextlib import suppress

log = logging.getLogger("yuanjiao.notices")

PORT = 4352

_NOTICE = re.compile(rb"%2(LKUP|POWR|ERST|INPT)=[\x20-\x7e]{1,64}[\r\n\0]*", re.IGNORECASE)
_MAX_BYTES = 256
_BREATH_S = 0.02
"""Between two datagrams: a flood costs fifty looks a second and no more; the rest is dropped by the kernel."""


class Doorbell(threading.Thread):
    """Listens until closed. Only the projector's own address is heard."""

    def __init__(self, sender: str, door: socket.socket) -> None:
        super().__init__(name="projector-notices", daemon=True)
        self._sender, self._door = sender, door
        self._over = threading.Event()
        self._rung = threading.Event()
        self.port: int = door.getsockname()[1]

    def is_rung(self) -> bool:
        return self._rung.is_set()

    def calm(self) -> None:
        self._rung.clear()

    def close(self) -> None:
        self._over.set()
        if self.is_alive():
            self.join(2)
        self._door.close()

    def run(self) -> None:
        while not self._over.is_set():
            with suppress(OSError):
                words, sender = self._door.recvfrom(_MAX_BYTES)
                if sender[0] == self._sender and _NOTICE.fullmatch(words):
                    self._rung.set()
                self._over.wait(_BREATH_S)


def hang(sender: str, port: int = PORT) -> Doorbell | None:
    """A listening doorbell; None when the port is taken: then the sensor only looks when it is due."""
    family = socket.AF_INET6 if ":" in sender else socket.AF_INET
    door = socket.socket(family, socket.SOCK_DGRAM)
    try:
        door.settimeout(0.5)
        door.bind(("", port))
    except OSError as error:
        door.close()
        log.warning("notices.not_heard port=%d error=%s", port, error.strerror)
        return None
    bell = Doorbell(sender, door)
    bell.start()
    return bell
