"""One look at the sound of the desktop user's session, as the agent's probe `audio` would take it."""

from typing import Any

from agent.probes._sounding import judge
from shared.clock import Instant

_WITHIN_S, _LISTEN_S = 3.0, 1.0


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
