"""A station with every sensor on: files, journal, projector that answers, screen, sound card, dropped files, helper."""

import json
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SCREEN = Path(__file__).parents[1] / "tests" / "samples" / "drm"
_ANSWERS = {
    b"%1POWR ?": b"%1POWR=0",
    b"%1ERST ?": b"%1ERST=000000",
    b"%1LAMP ?": b"%1LAMP=1480 0",
    b"%1NAME ?": b"%1NAME=EB-C301MS",
    b"%1INF1 ?": b"%1INF1=EPSON",
    b"%1INF2 ?": b"%1INF2=EB-C301MS",
    b"%1CLSS ?": b"%1CLSS=1",
}


@contextmanager
def projector() -> Iterator[int]:
    """A PJLink projector in standby; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_serve, args=(server,), daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def _serve(server: socket.socket) -> None:
    while True:
        try:
            link, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_answer, args=(link,), daemon=True).start()


def _answer(link: socket.socket) -> None:
    with link:
        link.settimeout(10)
        try:
            link.sendall(b"PJLINK 0\r")
            while asked := link.recv(136):
                for each in asked.strip(b"\r").split(b"\r"):
                    link.sendall(_ANSWERS.get(each, each[:6] + b"=ERR1") + b"\r")
        except OSError:
            return


def furnish(folder: Path, *, projector_port: int, files: int = 200) -> Path:
    """Lay the station out below `folder`; returns its settings file."""
    for name in ("courseware", "journal", "dropped", "sound/card0/pcm0p/sub0"):
        (folder / name).mkdir(parents=True)
    for number in range(files):
        (folder / "courseware" / f"课件 {number}.pdf").write_bytes(b"%PDF-1.4 " + os.urandom(2000))
    (folder / "dropped" / "ups.json").write_text(
        '{"title": "不间断电源", "valid_s": 4000000000, "state": {"charge": 97, "on_mains": true}}'
    )
    (folder / "sound" / "cards").write_text(" 0 [PCH            ]: HDA-Intel - HDA Intel PCH\n")
    (folder / "sound" / "card0" / "pcm0p" / "sub0" / "status").write_text("closed\n")
    shutil.copytree(_SCREEN, folder / "drm")
    values = {
        "state_dir": folder / "state",
        "open_hours": ["1-7 08:30-18:00"],
        "session.socket": folder / "session.sock",
        "session.users": [os.getuid()],
        "probes.courseware.directory": folder / "courseware",
        "probes.courseware.settle_s": 1,
        "probes.playback.journal_dir": folder / "journal",
        "probes.projector.host": "127.0.0.1",
        "probes.projector.port": projector_port,
        "probes.textfile.directory": folder / "dropped",
        "probes.display.root": folder / "drm",
        "probes.alsa.root": folder / "sound",
    }
    path = folder / "agent.toml"
    lines = [f"{name} = {json.dumps(value, default=str, ensure_ascii=False)}" for name, value in values.items()]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


SOUND = {"server": True, "sink": True, "sink_name": "HDMI", "muted": False, "volume": 0.8, "streams": 0}
