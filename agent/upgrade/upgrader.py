"""The running agent's part: proves itself when it is new, tells of one that failed, fetches and installs the next.

Driven by `tick(now)` on the thread that pushes, a piece at a time, so that records always come first. Nothing is
fetched or switched while a film plays, for a day at most.
"""

import logging
import random
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from agent import room
from agent.durable import make_folder
from agent.errors import LinkError, SpoolError
from agent.identity import Identity
from agent.probes.base import Fact
from agent.spool import Spool
from agent.transport import Response
from agent.upgrade.fetching import (
    BY_HAND,
    PIECE_BYTES,
    Offer,
    ask,
    fetch_piece,
    have_bytes,
    read_number,
    tidy,
)
from agent.upgrade.installing import Running, install, peek, require_fit
from agent.upgrade.pointer import FOLDER, PACKAGE, SLOTS, Place, Pointer
from agent.uplink import Uplink
from agent.version import VERSION
from shared.clock import Instant
from shared.release import SUFFIX, BadRelease, Header, Manifest, ReleaseKeys, read_keys, read_version
from shared.wire.v1 import UpgradeReport

log = logging.getLogger("yuanjiao.upgrade")

MEMO = "upgrade"

_FIRST_S = 600.0
_RETRY_MS = 60_000
_REFUSED_MS = 3_600_000
_PATIENCE_MS = 86_400_000
_LEAST_FREE_BYTES = 64 * 1024 * 1024
_UNPACKED = 8
"""How many times its size a release takes while it is laid out, at most."""

Get = Callable[[str, Mapping[str, str]], Response]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the upgrader works with.

    `has_tried`: a push was sent, whatever came of it; `is_well`: the last one succeeded.
    """

    spool: Spool
    identity: Callable[[], Identity]
    get: Get | None
    has_tried: Callable[[], bool]
    is_well: Callable[[], bool]
    is_playing: Callable[[], bool]
    free_bytes: room.FreeBytes = room.measure_disk


@dataclass(slots=True)
class Upgrader:
    """`running` None: no launcher started this agent, so it cannot be replaced. `keys` None: no release is trusted."""

    place: Place
    running: Running | None
    keys: ReleaseKeys | None
    around: Surroundings
    ask_every_s: int
    rate_kib_s: int
    dice: random.Random = field(default_factory=random.Random)
    restart: Callable[[], None] = lambda: None
    """Ends this process, so that the launcher starts the one the pointer names."""
    switched: bool = False
    looked: bool = False
    """Whether the sensors have come round once."""
    report: UpgradeReport = field(default_factory=UpgradeReport)
    _pointer: Pointer = field(init=False)
    _settled: bool = False
    _recorded: bool = False
    _offer: Offer | None = None
    _not_before_ms: int | None = None
    _ask_ms: int = 0
    _held_since_ms: int | None = None

    def __post_init__(self) -> None:
        self._pointer = self.place.read()

    def tick(self, now: Instant) -> None:
        """Do the next small thing that is due."""
        if self.running is None or self.switched:
            return
        if self._not_before_ms is None:
            # Stations that came up together do not ask together.
            self._not_before_ms = now.mono_ms
            self._ask_ms = now.mono_ms + round(self.dice.uniform(0.1, 1) * min(_FIRST_S, self.ask_every_s) * 1000)
        if not self._settled:
            self._settle(self.running, now)
        elif self.keys is not None and now.mono_ms >= self._not_before_ms:
            self._go_on(self.running, self.keys, now)

    def _settle(self, running: Running, now: Instant) -> None:
        """A new agent has proven itself once its sensors came round, it recorded, and it tried a push, link or no link.

        Until the pointer says so the kernel's alarm stays set (`agent/upgrade/launcher.py`).
        """
        if not self.looked or not self.around.has_tried():
            return
        pointer = self._pointer
        try:
            self._record(running, pointer, now)
            if pointer.trial or pointer.starts or not pointer.told:
                highest = max(pointer.highest, running.version, key=read_version)
                self._point(replace(pointer, trial=False, starts=0, trials=0, told=True, highest=highest))
        except (SpoolError, OSError) as error:
            log.warning("upgrade.not_settled error=%s", error)
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        self._settled = True
        if pointer.trial:
            log.info("upgrade.kept version=%s", running.version)

    def _record(self, running: Running, pointer: Pointer, now: Instant) -> None:
        facts = []
        if pointer.trial:
            facts.append({"version": running.version, "outcome": "kept"})
        if not pointer.told:
            facts.append({"version": pointer.failed, "outcome": "taken_back", "reason": pointer.why})
        if facts and not self._recorded:
            told = [Fact("upgrade.ended", {**each, "running": running.version}) for each in facts]
            self.around.spool.append(told, now, probe=MEMO, memo={})
            self._recorded = True

    def _go_on(self, running: Running, keys: ReleaseKeys, now: Instant) -> None:
        try:
            if self._install_waiting(running, keys, now):
                return
            if self._offer is not None:
                self._fetch(self._offer, now)
            elif now.mono_ms >= self._ask_ms and self._may_use_link():
                self._ask(running, keys, now)
        except LinkError:
            self._wait(now, _RETRY_MS)
        except BadRelease as error:
            self._refuse(str(error), now)
        except OSError as error:
            self._refuse(f"写不进升级包：{error.strerror}", now)

    def _install_waiting(self, running: Running, keys: ReleaseKeys, now: Instant) -> bool:
        """True when something waits, whether it could be installed yet or not."""
        files = sorted(self.place.waiting.glob(f"*{SUFFIX}"), key=_version_of, reverse=True)
        for file in files:
            number = read_number(file)
            try:
                manifest = self._require_fit(peek(file), number, keys, running)
                if self._holds_back(now) or not self._has_room(manifest.size, now):
                    return True
                install(file, self.place, keys, running, offer=number)
            except BadRelease:
                file.unlink(missing_ok=True)
                raise
            file.unlink(missing_ok=True)
            log.info("upgrade.switching version=%s", manifest.version)
            self.switched = True
            self.restart()
            return True
        return False

    def _ask(self, running: Running, keys: ReleaseKeys, now: Instant) -> None:
        if self.around.get is None:
            return
        self._ask_ms = now.mono_ms + round(self.dice.uniform(0.9, 1.1) * self.ask_every_s * 1000)
        offer = ask(self.around.get, self.around.identity(), running.version)
        tidy(self.place, "" if offer is None else offer.header.manifest.sha256)
        if offer is None:
            self.report = UpgradeReport()
            return
        self.report = UpgradeReport(version=offer.header.manifest.version, offer=offer.number)
        self._require_fit(offer.header, offer.number, keys, running)
        self._offer = offer

    def _fetch(self, offer: Offer, now: Instant) -> None:
        manifest = offer.header.manifest
        if self.around.get is None or not self._may_use_link() or self._holds_back(now):
            return
        if not self._has_room(manifest.size, now):
            return
        self._wait(now, round(PIECE_BYTES / self.rate_kib_s))  # bytes by KiB/s: milliseconds, nearly
        if fetch_piece(self.around.get, self.around.identity(), self.place, offer):
            self._offer = None
        have = have_bytes(self.place, manifest.sha256) or manifest.size
        self.report = self.report.model_copy(update={"have": have, "size": manifest.size, "reason": ""})

    def _may_use_link(self) -> bool:
        """The link works, and no record waits for it."""
        return self.around.is_well() and self.around.spool.depth().waiting == 0

    def _holds_back(self, now: Instant) -> bool:
        """Whether a film plays that must not stutter; a room that plays day and night is upgraded all the same."""
        if not self.around.is_playing():
            self._held_since_ms = None
            return False
        if self._held_since_ms is None:
            self._held_since_ms = now.mono_ms
        return now.mono_ms - self._held_since_ms < _PATIENCE_MS

    def _has_room(self, size: int, now: Instant) -> bool:
        if self.around.free_bytes(self.place.folder.parent).free >= _LEAST_FREE_BYTES + _UNPACKED * size:
            make_folder(self.place.waiting)
            return True
        self._refuse("硬盘快满了，暂不升级", now)
        return False

    def _require_fit(self, header: Header, number: int, keys: ReleaseKeys, running: Running) -> Manifest:
        """The manifest. Raises BadRelease for what does not fit, or has been taken back under this offer already."""
        pointer = self._pointer
        manifest = require_fit(header, keys, running, pointer.highest)
        if manifest.sha256 == pointer.failed_sha256 and BY_HAND < number <= pointer.failed_offer:
            raise BadRelease(f"升级到 {pointer.failed} 没有成功，已退回：{pointer.why}")
        return manifest

    def _refuse(self, reason: str, now: Instant) -> None:
        log.warning("upgrade.refused version=%s reason=%s", self.report.version, reason)
        self.report = self.report.model_copy(update={"reason": reason[:300]})
        self._offer = None
        self._wait(now, _REFUSED_MS)

    def _wait(self, now: Instant, wait_ms: int) -> None:
        self._not_before_ms = now.mono_ms + wait_ms

    def _point(self, pointer: Pointer) -> None:
        make_folder(self.place.folder)
        self.place.write(pointer)
        self._pointer = pointer


class Chosen(Protocol):
    """The station's settings of upgrades (`agent/settings.py`)."""

    @property
    def keys(self) -> Path: ...
    @property
    def ask_every_s(self) -> int: ...
    @property
    def rate_kib_s(self) -> int: ...


def open_upgrader(state_dir: Path, slot: str | None, chosen: Chosen, uplink: Uplink) -> Upgrader:
    """The upgrader of a running agent. `slot` is what its launcher has told it, None without one."""
    running = None if slot is None else Running(VERSION, slot if slot in SLOTS else PACKAGE)
    try:
        keys = read_keys(chosen.keys)
    except BadRelease as error:
        log.warning("upgrade.no_keys reason=%s", error)
        keys = None
    around = Surroundings(
        spool=uplink.spool,
        identity=lambda: uplink.identity,
        get=getattr(uplink.transport, "get", None),
        has_tried=lambda: uplink.offset_ms is not None or bool(uplink.last_error),
        is_well=lambda: uplink.offset_ms is not None and not uplink.last_error,
        is_playing=lambda: _is_playing(uplink),
    )
    return Upgrader(Place(state_dir / FOLDER), running, keys, around, chosen.ask_every_s, chosen.rate_kib_s)


def _is_playing(uplink: Uplink) -> bool:
    told = uplink.reports().get("playback")
    return told is not None and bool(told.state.get("playing"))


def _version_of(file: Path) -> tuple[int, ...]:
    try:
        return read_version(peek(file).manifest.version)
    except (BadRelease, OSError):
        return ()
