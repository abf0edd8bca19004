"""Watches the PC itself: disk, memory, heat, load; and says once per boot how the boot before it ended.

A clean end leaves a mark: the boot id in the file `clean_mark`, written by the agent when it is told to stop. A mark
found while its boot still runs is taken away, so a restart of the agent leaves none. An agent stopped by hand long
before a power cut still makes that boot look clean; a systemd unit can do without this flaw by writing the mark itself:

    ExecStopPost=-sh -c 'systemctl is-system-running | grep -qx stopping && cp /proc/sys/kernel/random/boot_id MARK'

A mark that names the boot before is a clean end. A power cut leaves none, or one of an older boot. When it happened is
told by the pulse, to a minute; that the disk went back in time, by the witness (`agent/probes/_witness.py`).
"""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import ClassVar

import psutil

from agent.probes import _smart, _witness
from agent.probes._patience import Patience
from agent.probes._witness import Sign
from agent.probes.base import Fact, Probe, ProbeSettings, Reading, Surroundings
from shared.clock import Instant
from shared.wire.kinds import HostBooted, HostRolledBack
from shared.wire.states import HostState

_REMEMBER_EVERY_MS = 600_000
_SMART_EVERY_MS = 3_600_000
_MOUNTS = Path("/proc/self/mountinfo")
_STEP = 16 * 1024 * 1024
_BELIEVABLE_C = (1, 150)


class HostSettings(ProbeSettings):
    """`directory` takes the courseware, None leaves the disk unwatched; without a `clean_mark` every end is unknown.

    `pulse` is the file with the last sign of life, beside the spool. `smartctl` None leaves the disk's health unasked.
    """

    station_only: ClassVar[frozenset[str]] = frozenset({"smartctl"})

    directory: Path | None = None
    clean_mark: Path | None = None
    pulse: Path | None = None
    smartctl: str | None = "smartctl"


@dataclass(slots=True)
class HostSensor:
    """`boot` the one last spoken of; `seen_ms` wall time of the last sign of life that was written into the memo.

    `owner` and `turns` are the memo's name and how often it was written: the witness must not know more.
    """

    settings: HostSettings
    boot: str
    seen_ms: int | None
    owner: str
    turns: int
    written_mono_ms: int | None = None
    patience: Patience = field(default_factory=Patience)
    """For the folder of the courseware: it may lie on a share that answers no more."""
    _health: _smart.Health | None = None
    _asked_mono_ms: int | None = None
    _witness_file: Path | None = None

    def read(self, now: Instant) -> Reading:
        """Nothing is raised for a directory that is missing: its figures are then None."""
        first = self.written_mono_ms is None
        remember = self.written_mono_ms is None or now.mono_ms - self.written_mono_ms >= _REMEMBER_EVERY_MS
        facts = [self._tell_boot(now)] if self.boot != now.boot else []
        turns = self.turns
        if first and (witness := self._ask_witness()) is not None:
            gone = HostRolledBack(turns=witness.turns - turns, last_seen_ms=witness.wall_ms)
            facts.append(Fact("host.rolled_back", gone.model_dump()))
            turns = witness.turns
        sign = Sign(self.owner, turns + 1 if remember else turns, now.boot, now.wall_ms)
        if not first and self.settings.pulse is not None:
            _witness.write_sign(self.settings.pulse, sign)
        memo = {"boot": now.boot, "seen_ms": str(now.wall_ms), "owner": self.owner, "turns": str(sign.turns)}
        return Reading(
            state=self._measure(now).model_dump(exclude_none=True),
            facts=facts,
            memo=memo if remember else {},
            done=self._settle(now, sign, self.settings.clean_mark if first else None) if remember else None,
        )

    def _tell_boot(self, now: Instant) -> Fact:
        clean = read_mark(self.settings.clean_mark, self.boot) if self.boot else None
        pulse = _witness.read_sign(self.settings.pulse)
        seen = [self.seen_ms, pulse.wall_ms if pulse is not None and pulse.boot == self.boot else None]
        last_ms = max((each for each in seen if each is not None), default=None)
        booted = HostBooted(clean=clean, previous_boot=self.boot, last_seen_ms=last_ms)
        started = Instant(wall_ms=now.wall_ms - now.mono_ms, mono_ms=0, boot=now.boot)
        return Fact("host.booted", booted.model_dump(), at=started)

    def _ask_witness(self) -> Sign | None:
        """A witness that knows more turns than the memo: then the memo's disk went back in time."""
        beside = None if self.settings.pulse is None else self.settings.pulse.parent
        self._witness_file = self.patience.ask(partial(_witness.place_witness, self.settings.directory, beside))
        witness = self.patience.ask(partial(_witness.read_sign, self._witness_file))
        is_ours = witness is not None and witness.owner == self.owner and witness.turns > self.turns
        return witness if is_ours else None

    def _settle(self, now: Instant, sign: Sign, mark: Path | None) -> Callable[[], None]:
        def settle() -> None:
            self.boot, self.seen_ms, self.written_mono_ms = now.boot, now.wall_ms, now.mono_ms
            self.turns = sign.turns
            if self._witness_file is not None:
                self.patience.ask(partial(_witness.write_sign, self._witness_file, sign))
            # A mark of the running boot would call the power cut to come a clean end.
            if mark:
                with suppress(OSError):
                    mark.unlink()

        return settle

    def _measure(self, now: Instant) -> HostState:
        state = _measure(uptime_s=now.mono_ms // 1000)
        health = self._ask_health(now) or _smart.Health()
        return state.model_copy(
            update={
                **(self.patience.ask(partial(_measure_disk, self.settings.directory)) or {}),
                "disk_passed": health.passed,
                "disk_reallocated": health.reallocated,
                "disk_pending": health.pending,
                "disk_hours": health.hours,
            }
        )

    def _ask_health(self, now: Instant) -> _smart.Health | None:
        """At most once an hour: some disks wake up for the question."""
        directory, program = self.settings.directory, self.settings.smartctl
        rested = self._asked_mono_ms is None or now.mono_ms - self._asked_mono_ms >= _SMART_EVERY_MS
        if rested and directory is not None and program is not None:
            self._asked_mono_ms = now.mono_ms
            disk = self.patience.ask(partial(_smart.find_disk, directory))
            self._health = None if disk is None else _smart.ask(disk, program)
        return self._health


def read_mark(mark: Path | None, boot: str) -> bool | None:
    """Whether this boot ended by a shutdown; None when that cannot be told (no mark agreed upon, or unreadable)."""
    if mark is None:
        return None
    try:
        return mark.read_text("ascii").strip().replace("-", "") == boot
    except FileNotFoundError:
        return False
    except (OSError, UnicodeDecodeError):
        return None


def write_mark(mark: Path, boot: str) -> None:
    """Leave the sign of a clean end."""
    with suppress(OSError):
        mark.write_text(boot, "ascii")


def _measure(*, uptime_s: int) -> HostState:
    memory = psutil.virtual_memory()
    return HostState(
        memory_available=_coarse(memory.available),
        memory_total=memory.total,
        temperature_c=_measure_temperature(),
        load_1m=round(os.getloadavg()[0], 1),
        uptime_s=uptime_s,
    )


def _coarse(size: int) -> int:
    """To 16 MiB: what moves below that is noise, and would have to be sent with every heartbeat."""
    return size // _STEP * _STEP


def _measure_disk(directory: Path | None) -> dict[str, int | bool | None]:
    """The fields of the state that tell of the disk: bytes free for an ordinary user and in all, and read-only."""
    try:
        if directory is None:
            return {}
        usage = psutil.disk_usage(str(directory))
        return {
            "disk_free": _coarse(usage.free),
            "disk_total": usage.total,
            "read_only": _is_read_only(directory),
        }
    except OSError:
        return {}


def _is_read_only(directory: Path) -> bool:
    if os.statvfs(directory).f_flag & os.ST_RDONLY:
        return True
    return is_emergency(_MOUNTS.read_text("utf-8", errors="replace"), directory.stat().st_dev)


def is_emergency(mounts: str, device: int) -> bool:
    """Whether the kernel has stopped writing to this device after an error, by the text of `/proc/self/mountinfo`.

    Newer kernels keep such a file system formally writable and only add `emergency_ro` to its options.
    """
    number = f"{os.major(device)}:{os.minor(device)}"
    lines = (line.split() for line in mounts.splitlines())
    return any(fields[2] == number and "emergency_ro" in fields[-1].split(",") for fields in lines if len(fields) > 2)


def _measure_temperature() -> float | None:
    """Degrees Celsius of the hottest believable sensor."""
    lowest, highest = _BELIEVABLE_C
    with suppress(OSError):
        read = [each.current for chip in psutil.sensors_temperatures().values() for each in chip]
        return max((each for each in read if lowest <= each <= highest), default=None)
    return None


def _make(settings: HostSettings, surroundings: Surroundings) -> HostSensor:
    memo = surroundings.recall()
    seen_ms, turns = memo.get("seen_ms", ""), memo.get("turns", "")
    return HostSensor(
        settings,
        boot=memo.get("boot", ""),
        seen_ms=int(seen_ms) if seen_ms.isdecimal() else None,
        owner=memo.get("owner") or secrets.token_hex(8),
        turns=int(turns) if turns.isdecimal() else 0,
    )


PROBE = Probe(
    settings=HostSettings,
    every_s=60,
    limit_s=10,
    make=_make,
    sample={
        "disk_free": 81_604_378_624,
        "disk_total": 250_790_436_864,
        "memory_available": 2_147_483_648,
        "memory_total": 4_294_967_296,
        "temperature_c": 47.0,
        "load_1m": 0.21,
        "uptime_s": 28_800,
        "read_only": False,
        "disk_passed": True,
        "disk_reallocated": 0,
        "disk_pending": 0,
        "disk_hours": 18_204,
    },
)
