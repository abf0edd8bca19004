"""Whether a player is still there. Where the system hides processes the answer is yes: nothing is ended on a guess."""

import os
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_SLACK_MS = 2000


def is_alive(pid: int, since_ms: int) -> bool:
    """Whether the process that had this number at `since_ms` (monotonic, since boot) still runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    started_ms = _started_ms(pid)
    # A process that began later has only taken over the number.
    return started_ms is None or started_ms <= since_ms + _SLACK_MS


def _started_ms(pid: int) -> int | None:
    try:
        status = Path(f"/proc/{pid}/stat").read_bytes()
        # The name in parentheses may hold spaces; the start time is field 22, in ticks since boot. proc(5).
        return int(status.rpartition(b")")[2].split()[19]) * 1000 // _TICKS_PER_S
    except (OSError, IndexError, ValueError):
        return None


def is_running(program: str) -> bool:
    """Whether any process of this name runs."""
    if not Path("/proc/1/comm").exists():
        return True
    return any(_name_of(folder) == program for folder in Path("/proc").iterdir() if folder.name.isdigit())


def _name_of(folder: Path) -> str:
    try:
        return (folder / "comm").read_text("utf-8", "replace").strip()
    except OSError:
        return ""
