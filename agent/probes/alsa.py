"""Watches the sound cards by what the kernel shows of them: which are there, which play now. Needs nobody signed in.

Beside the sensor `audio`, which hears the sound but only in a desktop session, this one sees a card pulled out.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agent.probes.base import Probe, ProbeSettings, Reading, Surroundings
from shared.clock import Instant
from shared.wire.states import AlsaState

_CARD = re.compile(r"^ *(\d{1,2}) \[(.{1,15}?) *\]: ", re.MULTILINE)
_OUTPUT = re.compile(r"pcm(\d{1,3})p")
_RUNNING = re.compile(r"^state: (RUNNING|DRAINING)$", re.MULTILINE)
_MAX_CARDS = 8
_MAX_OUTPUTS = 32
_MAX_BYTES = 4096


class AlsaSettings(ProbeSettings):
    """`root` is where the kernel shows its sound cards."""

    root: Path = Path("/proc/asound")


@dataclass(frozen=True, slots=True)
class AlsaSensor:
    settings: AlsaSettings

    def read(self, now: Instant) -> Reading:  # noqa: ARG002  # the contract's argument
        """A kernel without sound is no data, one without a card a state. Raises OSError if it may not read the list."""
        root = self.settings.root
        try:
            text = _read(root / "cards")
        except (FileNotFoundError, NotADirectoryError):
            return Reading(state=None)
        cards = [(number, _clean(name)) for number, name in _CARD.findall(text)[:_MAX_CARDS]]
        running = [
            f"{name}/{device}" for number, name in cards for device in _list_running(root / f"card{int(number)}")
        ]
        return Reading(state=AlsaState(cards=[name for _, name in cards], running=running).model_dump())


def _list_running(card: Path) -> list[str]:
    """Numbers of the outputs that play. A card pulled out meanwhile has none."""
    with suppress(OSError):
        outputs = [match[1] for entry in card.iterdir() if (match := _OUTPUT.fullmatch(entry.name))]
        return [each for each in sorted(outputs, key=int)[:_MAX_OUTPUTS] if _is_running(card / f"pcm{each}p")]
    return []


def _is_running(output: Path) -> bool:
    with suppress(OSError):
        return _RUNNING.search(_read(output / "sub0" / "status")) is not None
    return False


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_MAX_BYTES).decode("utf-8", "replace")


def _clean(name: str) -> str:
    return "".join(letter for letter in name if letter.isprintable())


def _make(settings: AlsaSettings, surroundings: Surroundings) -> AlsaSensor:  # noqa: ARG001  # the contract
    return AlsaSensor(settings)


PROBE = Probe(
    settings=AlsaSettings,
    every_s=60,
    limit_s=10,
    make=_make,
    sample={"cards": ["PCH", "HDMI"], "running": ["HDMI/3"]},
)
