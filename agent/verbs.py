"""What a station does when the centre orders it: eight verbs, each a few lines, none of them a shell.

A verb returns what it found; `RefusedError` says that it cannot be done here, and why.
"""

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.version import VERSION
from shared.wire.directions import Verb, Volume

Arguments = Mapping[str, Any]
Found = Mapping[str, Any]

_SEEN_WITHIN_S = 10.0
_LOOK_S = 0.5
_CLOSE_ENOUGH = 0.05
_MAX_ERRORS = 20


class RefusedError(Exception):
    """It cannot be done at this station; the message says why."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the verbs work with.

    `switch(on)` switches the projector and says over which way; `order(line)` tells the helpers in desktop sessions and
    returns how many heard it; `hear` is the newest sound they told; `hasten(sensor)` makes one look at once;
    `describe` is what a heartbeat says of sensors and spool; `retell(sensor)` makes one tell again all that is there.
    """

    switch: Callable[[bool], str]
    order: Callable[[Mapping[str, object]], int]
    hear: Callable[[], Mapping[str, Any] | None]
    hasten: Callable[[str], bool]
    describe: Callable[[], Mapping[str, Any]]
    retell: Callable[[str], bool] = lambda _sensor: False


def rescan(tools: Tools, _arguments: Arguments) -> Found:
    """Look through the courseware now."""
    if not tools.hasten("courseware"):
        raise RefusedError("no courseware directory is watched at this station")
    return {}


def send_inventory(tools: Tools, _arguments: Arguments) -> Found:
    """Tell every whole courseware file again, for a centre that lacks some of what was told."""
    if not tools.retell("courseware"):
        raise RefusedError("no courseware directory is watched at this station")
    return {}


def set_volume(tools: Tools, arguments: Arguments) -> Found:
    wanted = Volume.model_validate(arguments).volume
    _order(tools, {"do": Verb.SET_VOLUME, "volume": wanted})
    return _await_sound(tools, lambda sound: abs((sound.get("volume") or 0) - wanted) <= _CLOSE_ENOUGH)


def unmute(tools: Tools, _arguments: Arguments) -> Found:
    _order(tools, {"do": Verb.UNMUTE})
    return _await_sound(tools, lambda sound: sound.get("muted") is False)


def projector_on(tools: Tools, _arguments: Arguments) -> Found:
    return {"via": tools.switch(True)}


def projector_off(tools: Tools, _arguments: Arguments) -> Found:
    return {"via": tools.switch(False)}


def restart_helper(tools: Tools, _arguments: Arguments) -> Found:
    return {"helpers": _order(tools, {"do": "restart"})}


def send_diagnostics(tools: Tools, _arguments: Arguments) -> Found:
    """Small enough for one event: versions, sensors that fail and why, the spool."""
    told = tools.describe()
    return {
        "agent": VERSION,
        "python": platform.python_version(),
        "system": platform.platform()[:100],
        "sensors": list(told["sensors"])[:50],
        "failing": dict(list(told["failing"].items())[:_MAX_ERRORS]),
        "spool": told["spool"],
        "link": told["link"][:200],
    }


VERBS: Mapping[Verb, Callable[[Tools, Arguments], Found]] = {
    Verb.RESCAN: rescan,
    Verb.SEND_INVENTORY: send_inventory,
    Verb.SET_VOLUME: set_volume,
    Verb.UNMUTE: unmute,
    Verb.PROJECTOR_ON: projector_on,
    Verb.PROJECTOR_OFF: projector_off,
    Verb.RESTART_HELPER: restart_helper,
    Verb.SEND_DIAGNOSTICS: send_diagnostics,
}


def _order(tools: Tools, line: Mapping[str, object]) -> int:
    heard = tools.order(line)
    if not heard:
        raise RefusedError("nobody is signed in on this PC, or the session helper does not run")
    return heard


def _await_sound(tools: Tools, is_so: Callable[[Mapping[str, Any]], bool]) -> Found:
    """The helper tells what came of it; an order that is obeyed without effect is a failure."""
    until = time.monotonic() + _SEEN_WITHIN_S
    while time.monotonic() < until:
        sound = tools.hear()
        if sound is not None and is_so(sound):
            return {"volume": sound.get("volume"), "muted": sound.get("muted")}
        time.sleep(_LOOK_S)
    raise TimeoutError("the sound did not become as ordered")
