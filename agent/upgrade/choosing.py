"""Decides at every start which agent runs, and takes back one that does not prove itself. Standard library only."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from agent.upgrade.pointer import PACKAGE, Pointer

MAX_STARTS = 5
"""Starts in one boot without the agent having proven itself; the next one goes back."""
MAX_TRIALS = 20
"""The same over all boots of a trial: where the power fails all day, a release still comes to an end."""

Describe = Callable[[str], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Moment:
    """When a start happens: which boot, and how long it has run, milliseconds."""

    boot: str
    mono_ms: int


def choose(pointer: Pointer, describe: Describe, *, package: str, now: Moment, trial_s: float) -> Pointer:
    """The pointer for this start, already counted. `package` is the version of the package's own agent.

    `describe` gives version and SHA-256 of what lies in a slot. A package that is as new as the slot wins: whoever
    installs one means it.
    """
    if pointer.slot == PACKAGE:
        return _counted(pointer, now)
    version, _ = describe(pointer.slot)
    if version and _numbers(version) <= _numbers(package):
        return _counted(Pointer(highest=_higher(pointer.highest, package)), now)
    counted = _counted(pointer, now)
    why = "its files are gone" if not version else _find_fault(counted, now, trial_s)
    return _taken_back(counted, describe, why, package=package, now=now) if why else counted


def remaining_s(pointer: Pointer, now: Moment, trial_s: float) -> float:
    """How many seconds of its probation this start has left."""
    return trial_s - (now.mono_ms - pointer.since_ms) / 1000


def _counted(pointer: Pointer, now: Moment) -> Pointer:
    first = pointer.boot != now.boot or pointer.starts == 0
    return replace(
        pointer,
        boot=now.boot,
        since_ms=now.mono_ms if first else pointer.since_ms,
        starts=1 if first else pointer.starts + 1,
        trials=pointer.trials + 1 if pointer.trial else 0,
    )


def _find_fault(pointer: Pointer, now: Moment, trial_s: float) -> str:
    if pointer.starts > MAX_STARTS:
        return f"started {MAX_STARTS} times without proving itself"
    if pointer.trial and pointer.trials > MAX_TRIALS:
        return f"started {MAX_TRIALS} times over several boots without proving itself"
    if pointer.trial and remaining_s(pointer, now, trial_s) <= 0:
        return f"did not record and try a push within {trial_s:.0f} s"
    return ""


def _taken_back(pointer: Pointer, describe: Describe, why: str, *, package: str, now: Moment) -> Pointer:
    version, sha256 = describe(pointer.slot)
    before, _ = describe(pointer.before)
    back = pointer.before if pointer.before != pointer.slot and _numbers(before) > _numbers(package) else PACKAGE
    failed = Pointer(slot=back, highest=pointer.highest, failed=version or "?", failed_sha256=sha256, why=why)
    return _counted(replace(failed, failed_offer=pointer.offer, told=False), now)


def _higher(one: str, other: str) -> str:
    return max(one, other, key=_numbers)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() else 0 for part in version.split(".")) if version else ()
