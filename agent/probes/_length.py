"""Asks ffprobe how long a film is, where the film's own boxes do not say it and the station has ffprobe.

A program of others reads a file of strangers: it is given the open file and nothing else, at the lowest priority, for
a bounded time, and whatever it says beyond one number is not looked at.
"""

import os
import subprocess
from pathlib import Path

TIMEOUT_S = 20.0
_LONGEST_S = 10**6
_MAX_ANSWER = 64
_ASKING = ("-v", "quiet", "-show_entries", "format=duration", "-of", "default=noprint_wrappers=1:nokey=1", "-i")


def ask_length(program: Path, descriptor: int, *, timeout_s: float = TIMEOUT_S) -> float | None:
    """Seconds; None when it does not know, fails, floods or takes too long."""
    command = ["nice", "-n", "19", str(program), *_ASKING, f"/dev/fd/{descriptor}"]
    try:
        with subprocess.Popen(
            command,
            pass_fds=(descriptor,),
            env={"PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as asked:
            return _read(asked, timeout_s)
    except (OSError, ValueError):
        return None


def _read(asked: "subprocess.Popen[bytes]", timeout_s: float) -> float | None:
    try:
        asked.wait(timeout_s)
    except subprocess.TimeoutExpired:
        asked.kill()
        return None
    answer = b"" if asked.stdout is None else asked.stdout.read(_MAX_ANSWER)
    seconds = float(answer)
    return round(seconds, 2) if not asked.returncode and 0 < seconds < _LONGEST_S else None
