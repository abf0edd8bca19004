"""Real films for the demonstration's real station: made with ffmpeg, dropped into the directory, played with mpv."""

import shutil
import subprocess
import time
from pathlib import Path

FILMS = {"油橄榄丰产栽培 第1讲": 440, "农村实用技术：黄羊饲养 第2讲": 550, "党章学习辅导 第3讲": 660}
"""Titles, each with its tone in hertz, so that no two are the same file."""

_SECONDS = 75
_UNTIL_TAKEN_IN_S = 20


def show_films(courseware: Path, journal: Path, script: Path) -> None:
    """Let films arrive one after the other and play the first. Does what the machine's programs allow."""
    if shutil.which("ffmpeg") is None:
        return
    arrived = [_arrive(courseware, title, hertz) for title, hertz in FILMS.items()]
    if shutil.which("mpv") is None:
        return
    time.sleep(_UNTIL_TAKEN_IN_S)
    for film in arrived:
        _play(film, journal, script)


def _arrive(courseware: Path, title: str, hertz: int) -> Path:
    """Make a film beside the directory and move it in, as a receiver does with a finished download."""
    beside = courseware.parent / "film.mp4"
    picture = ["-f", "lavfi", "-i", f"testsrc2=size=320x180:rate=10:duration={_SECONDS}"]
    sound = ["-f", "lavfi", "-i", f"sine=frequency={hertz}:duration={_SECONDS}"]
    shape = ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-shortest", "-movflags", "+faststart"]
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y", *picture, *sound, *shape, str(beside)]
    subprocess.run(command, check=True)
    return beside.rename(courseware / f"{title}.mp4")


def _play(film: Path, journal: Path, script: Path) -> None:
    options = ["--no-config", "--no-terminal", "--vo=null", "--ao=null", f"--script={script}"]
    place = f"--script-opts=station_journal-dir={journal}"
    subprocess.run(["mpv", *options, place, "--", str(film)], check=False)
