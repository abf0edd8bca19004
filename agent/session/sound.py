"""One look at the sound of the desktop user's session, as the agent's probe `audio` would take it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agent.probes._sounding import choose, judge
from shared.clock import Instant

if TYPE_CHECKING:
    from agent.probes._pulse import Link, Output

_WITHIN_S, _LISTEN_S = 3.0, 1.0


def change(order: Mapping[str, Any], server: str | None = None) -> bool:
    """Do what is ordered (`set_volume` with `volume` 0 to 1, or `unmute`) to the sink that matters.

    False where there is none or the order makes no sense. Takes up to three seconds; run it in a thread.
    """
    try:
        from agent.probes import _pulse  # noqa: PLC0415 - not every PC has libpulse
    except (ImportError, OSError):
        return False
    try:
        with _pulse.connect(server, within_s=_WITHIN_S) as link:
            output = choose(link.list_outputs(), link.list_streams(), link.get_default())
            if output is None:
                return False
            return _change(link, output, order)
    except _pulse.NoSoundServerError:
        return False


def _change(link: "Link", output: "Output", order: Mapping[str, Any]) -> bool:
    match order:
        case {"do": "set_volume", "volume": int() | float() as volume} if 0 <= volume <= 1:
            link.set_volume(output, float(volume))
        case {"do": "unmute"}:
            link.unmute(output)
        case _:
            return False
    return True


def look(now: Instant, server: str | None = None) -> dict[str, Any] | None:
    """What to tell the agent, None on a PC without libpulse. Takes up to four seconds; run it in a thread."""
    try:
        from agent.probes import _pulse  # noqa: PLC0415 - not every PC has libpulse
    except (ImportError, OSError):
        return None
    try:
        with _pulse.connect(server, within_s=_WITHIN_S) as link:
            outputs, streams, default = link.list_outputs(), link.list_streams(), link.get_default()
            audio = judge(outputs, streams, default=default, listen=lambda output: link.listen(output, _LISTEN_S))
    except _pulse.NoSoundServerError:
        audio = {"server": False}
    return {"tell": "sound", "boot": now.boot, "mono": now.mono_ms, "audio": audio}
