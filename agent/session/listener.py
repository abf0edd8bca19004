"""The agent's end of the socket: lets desktop users' helpers in, and no more of them than does the agent good.

One thread serves all. Who speaks is known from the kernel (SO_PEERCRED), never from what is said. A peer that talks
too much is read more slowly, one that talks nonsense is cut off; neither costs the agent more than a known amount.
"""

import json
import logging
import selectors
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from agent.session.inbox import Inbox
from shared.clock import Clock

log = logging.getLogger("yuanjiao.session")

MAX_LINE = 32 * 1024
MAX_PEERS = 8
MAX_OF_ONE = 2
"""Connections of one user; a third takes the place of the oldest, so that nobody locks out the others."""

RATE = 64 * 1024
BURST = 512 * 1024
"""Bytes a second that are read from one user in the long run, and at once."""

_LEAST_COST = 256
_MAX_NONSENSE = 20
_PIECE = 32 * 1024
_TURN_S = 0.5
_PEERCRED = struct.Struct("3i")
_FIRST_USER, _LAST_USER = 1000, 59_999
"""People's accounts on Debian; system users and systemd's dynamic ones lie outside."""


@dataclass(slots=True)
class Peer:
    """`taken` lines done with (kept, or no good), `nonsense` those that were no good, `rest` a line not yet whole."""

    link: socket.socket
    uid: int
    pid: int
    rest: bytes = b""
    taken: int = 0
    nonsense: int = 0


@dataclass(slots=True)
class Allowance:
    """How many bytes a user may still bring. `level` may fall below zero; it is repaid with time."""

    at_ms: int
    level: float = BURST

    def refill(self, now_ms: int) -> bool:
        """Whether there is anything left at this moment."""
        self.level = min(BURST, self.level + (now_ms - self.at_ms) * RATE / 1000)
        self.at_ms = now_ms
        return self.level > 0


def is_person(uid: int) -> bool:
    return _FIRST_USER <= uid <= _LAST_USER


@dataclass(slots=True)
class Listener:
    """`admits` decides by uid. Every method but `start` and `close` runs in the one thread that `start` begins."""

    address: Path
    inbox: Inbox
    clock: Clock
    admits: Callable[[int], bool] = is_person
    peers: list[Peer] = field(default_factory=list)
    allowances: dict[int, Allowance] = field(default_factory=dict)
    _door: socket.socket | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Open the socket and serve it. Raises OSError where the folder is missing or closed to us."""
        self.inbox.folder.mkdir(mode=0o700, exist_ok=True)
        self.inbox.clear_status()
        with suppress(FileNotFoundError):
            self.address.unlink()
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._door.bind(str(self.address))
        # Any user may knock; the kernel tells who it is.
        self.address.chmod(0o666)
        self._door.listen(MAX_PEERS)
        self._thread = threading.Thread(target=self._serve, name="session", daemon=True)
        self._thread.start()

    def order(self, line: Mapping[str, object]) -> int:
        """Tell every helper to do something; returns how many there are to hear it. Safe to call from any thread."""
        words = json.dumps(line).encode() + b"\n"
        heard = 0
        for peer in list(self.peers):
            with suppress(OSError):
                heard += peer.link.send(words) == len(words)
        return heard

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2 * _TURN_S + 1)

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                self._turn()
            except Exception:  # whatever a peer does, the next turn serves the others
                log.exception("session.turn_failed")
                self._stop.wait(_TURN_S)
        for peer in list(self.peers):
            self._part(peer)
        if self._door is not None:
            self._door.close()
        self.inbox.clear_status()

    def _turn(self) -> None:
        """Wait for something to read, at most half a second, and read one piece from each who may speak."""
        now_ms = self.clock.now().mono_ms
        with selectors.DefaultSelector() as selector:
            if self._door is not None and len(self.peers) < MAX_PEERS:
                selector.register(self._door, selectors.EVENT_READ, None)
            for peer in self.peers:
                if self.allowances[peer.uid].refill(now_ms):
                    selector.register(peer.link, selectors.EVENT_READ, peer)
            for key, _ in selector.select(_TURN_S):
                if key.data is None:
                    self._admit()
                else:
                    self._hear(key.data)

    def _admit(self) -> None:
        if self._door is None:
            return
        with suppress(BlockingIOError):
            link, _ = self._door.accept()
            pid, uid, _ = _PEERCRED.unpack(link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size))
            if not self.admits(uid):
                log.warning("session.refused uid=%s pid=%s", uid, pid)
                link.close()
                # Slow enough that one who knocks all day wears out neither log nor processor.
                self._stop.wait(_TURN_S / 5)
                return
            link.setblocking(False)
            theirs = [peer for peer in self.peers if peer.uid == uid]
            if len(theirs) >= MAX_OF_ONE:
                self._part(theirs[0])
            self.allowances.setdefault(uid, Allowance(self.clock.now().mono_ms)).level -= _LEAST_COST
            self.peers.append(Peer(link, uid, pid))
            log.info("session.joined uid=%s pid=%s", uid, pid)

    def _hear(self, peer: Peer) -> None:
        try:
            piece = peer.link.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        *lines, peer.rest = (peer.rest + piece).split(b"\n")
        self.allowances[peer.uid].level -= max(len(piece), len(lines) * _LEAST_COST)
        good = bool(piece) and len(peer.rest) <= MAX_LINE and self._take(peer, lines)
        if not good:
            self._part(peer)

    def _take(self, peer: Peer, lines: list[bytes]) -> bool:
        """Whether this peer may stay."""
        before = peer.taken
        try:
            for line in lines:
                told = self.inbox.take(line, self.clock.now()) if len(line) <= MAX_LINE else None
                peer.taken += told != "sound"
                peer.nonsense += told is None
        except OSError as error:
            log.warning("session.not_kept uid=%s error=%s", peer.uid, error)
            return False
        finally:
            if peer.taken != before:
                # The figure grows: one that finds no room in the pipe is made good by the next.
                with suppress(OSError):
                    peer.link.send(json.dumps({"taken": peer.taken}).encode() + b"\n")
        return peer.nonsense <= _MAX_NONSENSE

    def _part(self, peer: Peer) -> None:
        self.peers.remove(peer)
        peer.link.close()
        log.info("session.parted uid=%s pid=%s taken=%s nonsense=%s", peer.uid, peer.pid, peer.taken, peer.nonsense)
        if not self.peers:
            self.inbox.clear_status()
        # An allowance outlives its peers, or a flood would only have to connect anew; it goes when it is full again.
        now_ms = self.clock.now().mono_ms
        here = {each.uid for each in self.peers}
        for uid, allowance in list(self.allowances.items()):
            allowance.refill(now_ms)
            if uid not in here and allowance.level == BURST:
                del self.allowances[uid]
