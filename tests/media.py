"""Small real media files, made by ffmpeg when first asked for."""

import subprocess
import tempfile
from functools import cache
from pathlib import Path

_PICTURE = ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=10"]
_SOUND = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=8000"]


@cache
def mp4(seconds: float = 2.0, *, faststart: bool = True) -> bytes:
    """An MP4 with picture and sound; `faststart` puts its index in front."""
    return _make("lesson.mp4", seconds, *(["-movflags", "+faststart"] if faststart else []))


@cache
def transport_stream(seconds: float = 2.0) -> bytes:
    return _make("lesson.ts", seconds)


@cache
def wmv(seconds: float = 2.0) -> bytes:
    return _make("lesson.wmv", seconds)


@cache
def avi(seconds: float = 2.0) -> bytes:
    return _make("lesson.avi", seconds)


def _make(name: str, seconds: float, *options: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        command = [
            "ffmpeg",
            "-v",
            "error",
            "-threads",
            "1",
            *_PICTURE,
            *_SOUND,
            "-t",
            str(seconds),
            *options,
            str(path),
        ]
        subprocess.run(command, check=True, timeout=60)
        return path.read_bytes()
