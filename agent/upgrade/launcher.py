"""Starts the agent the pointer names. The package's own, tiny, standard library only; replaced by packages alone.

Under systemd it becomes the agent (same process), which systemd starts again and watches. On its own it is the
watchman: it starts the agent again when that dies. A release on probation gets an alarm of the kernel's, which kills it
when its time is up and which no hang of Python can hold back; the next start then takes it back.
"""

import os
import signal
import sys
import time
import tomllib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from agent.upgrade.choosing import Moment, choose, remaining_s
from agent.upgrade.pointer import FOLDER, PACKAGE, Place, Pointer
from agent.version import VERSION

SLOT_VARIABLE = "YUANJIAO_SLOT"
"""Tells the agent which slot it runs from, and that there is a launcher at all."""
TRIAL_S = 600.0
SETTINGS = "/etc/yuanjiao/agent.toml"
STATE = "/var/lib/yuanjiao"

_WATCHED = "YUANJIAO_WATCHED"
_PAUSE_S = 2.0
_ENDS = {0, 2}
"""Told to stop, or something a person must mend first."""


def main() -> int:
    """The command `yuanjiao-agent`: `run` by way of the pointer, everything else by the package's own agent."""
    arguments = sys.argv[1:]
    if "run" not in arguments:
        _become(PACKAGE, None, arguments)
    if "NOTIFY_SOCKET" not in os.environ and _WATCHED not in os.environ:
        return _watch(arguments)
    state_dir, trial_s = _read_settings(arguments)
    place = Place(state_dir / FOLDER)
    _become(_pick(place, trial_s), place, arguments)
    return 1


def _pick(place: Place, trial_s: float) -> str:
    """The slot to run from. What is not ours alone to write is not run, and what cannot be counted is not tried."""
    try:
        held = place.folder.stat()
    except OSError:
        return PACKAGE
    if held.st_uid != os.geteuid() or held.st_mode & 0o022:
        return PACKAGE
    old = place.read()
    now = Moment(_read_boot(), time.monotonic_ns() // 1_000_000)
    new = choose(old, place.describe, package=VERSION, now=now, trial_s=trial_s)
    try:
        place.write(new)
    except OSError:
        return old.before if old.trial else old.slot
    if new.failed and not new.told:
        print(f"upgrade.taken_back version={new.failed} why={new.why}", file=sys.stderr)  # noqa: T201 - before any log
    if new.trial:
        _set_alarm(new, now, trial_s)
    return new.slot


def _set_alarm(pointer: Pointer, now: Moment, trial_s: float) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, max(0.1, remaining_s(pointer, now, trial_s)))


def _become(slot: str, place: Place | None, arguments: Sequence[str]) -> None:
    """Turn this process into the agent. A folder as the program puts itself before the package's own modules."""
    os.environ[SLOT_VARIABLE] = slot or "package"
    program = ["-m", "agent"] if slot == PACKAGE or place is None else [str(place.code(slot))]
    os.execv(sys.executable, [sys.executable, "-I", "-B", *program, *arguments])  # noqa: S606 - no shell is wanted


def _watch(arguments: Sequence[str]) -> int:
    """Without systemd: start the agent again whenever it ends, but for the reasons in `_ENDS`."""
    command = [sys.executable, "-I", "-B", "-m", "agent.upgrade.launcher", *arguments]
    told: list[int] = []
    running: list[int] = []

    def pass_on(number: int, _frame: object) -> None:
        told.append(number)
        for each in running:
            os.kill(each, signal.SIGTERM)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
    while not told:
        running[:] = [os.posix_spawn(sys.executable, command, {**os.environ, _WATCHED: "1"})]
        _, status = os.waitpid(running[0], 0)
        running.clear()
        code = os.waitstatus_to_exitcode(status)
        if code in _ENDS:
            return code
        for _ in range(round(_PAUSE_S * 10)):
            time.sleep(0 if told else 0.1)
    return 0


def _read_settings(arguments: Sequence[str]) -> tuple[Path, float]:
    """State folder and seconds of probation; the agent itself says what is wrong with the settings."""
    named = [after for name, after in pairwise(arguments) if name == "--settings"]
    try:
        read = tomllib.loads(Path(named[0] if named else SETTINGS).read_text("utf-8"))
    except (OSError, ValueError):
        return Path(STATE), TRIAL_S
    upgrade = read.get("upgrade")
    limit = upgrade.get("trial_s") if isinstance(upgrade, dict) else None
    return Path(str(read.get("state_dir", STATE))), float(limit) if isinstance(limit, int) else TRIAL_S


def _read_boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


if __name__ == "__main__":
    raise SystemExit(main())
