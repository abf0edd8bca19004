"""Real films for the demonstration's real station: made with ffmpeg, dropped into the directory, played with mpv."""

import shutil
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

FILMS = {"油橄榄丰产栽培 第1讲": 440, "农村实用技术：黄羊饲养 第2讲": 550, "党章学习辅导 第3讲": 660}
"""Titles, each with its tone in hertz, so that no two are the same file."""

_SECONDS = 75
_UNTIL_TAKEN_IN_S = 20


@dataclass(slots=True)
class FilmShow:
    """Lets films arrive one after the other and plays them, as far as the machine's programs allow.

    Works in a thread of its own; `stop` ends it together with the program it has running.
    """

    courseware: Path
    journal: Path
    script: Path
    _over: threading.Event = field(default_factory=threading.Event)
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _program: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        threading.Thread(target=self._show, daemon=True, name="films").start()

    def stop(self) -> None:
        with self._turn:
            self._over.set()
            program = self._program
        if program is not None:
            program.terminate()
            program.wait()

    def _show(self) -> None:
        if shutil.which("ffmpeg") is None:
            return
        arrived = [self._arrive(title, hertz) for title, hertz in FILMS.items()]
        if shutil.which("mpv") is None or self._over.wait(_UNTIL_TAKEN_IN_S):
            return
        for film in arrived:
            self._play(film)

    def _arrive(self, title: str, hertz: int) -> Path:
        """Make a film beside the directory and move it in, as a receiver does with a finished download."""
        beside, place = self.courseware.parent / "film.mp4", self.courseware / f"{title}.mp4"
        picture = ["-f", "lavfi", "-i", f"testsrc2=size=320x180:rate=10:duration={_SECONDS}"]
        sound = ["-f", "lavfi", "-i", f"sine=frequency={hertz}:duration={_SECONDS}"]
        shape = ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-shortest", "-movflags", "+faststart"]
        made = self._run("ffmpeg", "-nostdin", "-loglevel", "error", "-y", *picture, *sound, *shape, str(beside))
        return beside.rename(place) if made else place

    def _play(self, film: Path) -> None:
        options = ["--no-config", "--no-terminal", "--vo=null", "--ao=null", f"--script={self.script}"]
        self._run("mpv", *options, f"--script-opts=station_journal-dir={self.journal}", "--", str(film))

    def _run(self, *command: str) -> bool:
        """Run a program to its end; whether it succeeded. None is started once the show is over."""
        with self._turn:
            if self._over.is_set():
                return False
            program = self._program = subprocess.Popen(command)
        return program.wait() == 0
