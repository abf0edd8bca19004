"""Watches the video outputs: is a projector or screen connected, and is it the one that was there before.

It reads what the kernel last saw and touches no output. A projector in standby often still answers here, so this
tells of the cable and the device, never of the lamp.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agent.probes import _edid, _identity
from agent.probes.base import Fact, Probe, ProbeSettings, Reading, Surroundings
from shared.clock import Instant
from shared.wire.states import DisplayState

_CONNECTOR = re.compile(r"card\d{1,3}-([A-Za-z0-9-]{1,32})")
_OWN_PANELS = ("eDP", "LVDS", "DSI")
_NO_OUTPUTS = ("Writeback",)
_MAX_OUTPUTS = 32


class DisplaySettings(ProbeSettings):
    """`root` is where the kernel shows its video outputs."""

    root: Path = Path("/sys/class/drm")


@dataclass(frozen=True, slots=True)
class Output:
    """One video output. `screen` None: nothing is connected or it does not say who it is; then `error` may say why."""

    name: str
    connected: bool
    enabled: bool
    screen: _edid.Screen | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class DisplaySensor:
    settings: DisplaySettings
    surroundings: Surroundings

    def read(self, now: Instant) -> Reading:  # noqa: ARG002  # the contract's argument
        """A PC without video outputs is no data; a root that may not be read raises OSError."""
        outputs = [each for each in list_outputs(self.settings.root) if not each.name.startswith(_OWN_PANELS)]
        if not outputs:
            return Reading(state=None)
        connected = [each for each in outputs if each.connected]
        facts, memo = _compare(connected, self.surroundings.recall())
        return Reading(state=describe(outputs, connected).model_dump(exclude_defaults=True), facts=facts, memo=memo)


def describe(outputs: list[Output], connected: list[Output]) -> DisplayState:
    """The outputs as the wire tells them."""
    if not connected:
        return DisplayState(outputs=len(outputs), screens=0)
    first = connected[0]
    state = DisplayState(
        outputs=len(outputs),
        screens=len(connected),
        connector=first.name,
        enabled=first.enabled,
        error=next((f"{each.name}: {each.error}" for each in connected if each.error), ""),
    )
    return state if first.screen is None else state.model_copy(update=_identify(first.screen))


def list_outputs(root: Path) -> Iterator[Output]:
    """All outputs by name. Raises OSError, but not for one output that goes away or may not be read."""
    try:
        found = sorted(entry.name for entry in root.iterdir())
    except FileNotFoundError:
        return
    named = [(name, match[1]) for name in found if (match := _CONNECTOR.fullmatch(name))]
    for folder, name in named[:_MAX_OUTPUTS]:
        if not name.startswith(_NO_OUTPUTS):
            with suppress(FileNotFoundError, NotADirectoryError):
                yield _read_output(root / folder, name)


def _read_output(folder: Path, name: str) -> Output:
    try:
        connected = _read(folder / "status", 32).strip() == b"connected"
        enabled = _read(folder / "enabled", 32).strip() == b"enabled"
        raw = _read(folder / "edid", _edid.BLOCK) if connected else b""
        # An empty EDID is what the kernel shows when the cable carries none: an old VGA cable, a cheap splitter.
        return Output(name, connected, enabled, _edid.read(raw) if raw else None)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        return Output(name, connected=False, enabled=False, error=error.strerror or "unreadable")
    except _edid.EdidError as error:
        return Output(name, connected, enabled, error=str(error))


def _read(path: Path, limit: int) -> bytes:
    with path.open("rb") as file:
        return file.read(limit)


def _compare(connected: list[Output], memory: Mapping[str, str]) -> tuple[list[Fact], dict[str, str | None]]:
    facts: list[Fact] = []
    memo: dict[str, str | None] = {}
    for each in connected:
        if each.screen is not None:
            told, remember = _identity.compare("display", _identify(each.screen), memory, place=each.name)
            facts += told
            memo |= remember
    return facts, memo


def _identify(screen: _edid.Screen) -> dict[str, str]:
    return {"vendor": screen.vendor, "product": screen.product, "serial": screen.serial, "name": screen.name}


def _make(settings: DisplaySettings, surroundings: Surroundings) -> DisplaySensor:
    return DisplaySensor(settings, surroundings)


PROBE = Probe(
    settings=DisplaySettings,
    every_s=60,
    limit_s=10,
    make=_make,
    sample={
        "outputs": 2,
        "screens": 1,
        "connector": "HDMI-A-1",
        "enabled": True,
        "vendor": "SEC",
        "product": "1234",
        "serial": "X8JK0000001",
        "name": "EPSON PJ",
        "error": "",
    },
)
