"""Lives errands and stops each, or lets the disk fail, at one call; strace does the injuring.

strace counts calls per process, and injures all at the same count. So each errand of one traced program first makes
as many idle calls as bring its own place to that count.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.powerloss.checking import Promises, check
from tests.powerloss.lives import PREPARED, Marker, errand, prepare
from tests.powerloss.recording import snapshot


@dataclass(frozen=True, slots=True)
class Calls:
    """A set of system calls and the idle one among them."""

    names: str
    idle: Callable[[int], object]


def _unlink_nothing(_: int) -> None:
    Path("/dev/null/nothing").unlink(missing_ok=True)


def _sync_nothing(_: int) -> None:
    folder = os.open(".", os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


CALLS: Mapping[str, Calls] = {
    "write": Calls("pwrite64,ftruncate", lambda file: os.pwrite(file, b"", 0)),
    "sync": Calls("fdatasync,fsync", _sync_nothing),
    "name": Calls("rename,unlink,mkdir", _unlink_nothing),
}


def list_broken(folder: Path, calls: str, act: str, *, step: int = 1) -> tuple[int, list[str]]:
    """Injure an errand at each call in turn; `act` as strace writes it. How many there were, and what broke."""
    template = folder / "template"
    template.mkdir()
    prepare("errand", template)
    total = _count_calls(folder, calls)
    places = range(1, total + 1, step)
    _trace(folder, calls, f"inject={CALLS[calls].names}:{act}:when={total}", total, places)
    broken = {place: _check(folder, place) for place in places}
    return len(places), [f"{act} at {calls} {place}: {each}" for place, each in broken.items() if each]


def _count_calls(folder: Path, calls: str) -> int:
    """How many of these calls an errand makes that nobody disturbs."""
    _trace(folder, calls, f"trace={CALLS[calls].names}", 0, [0])
    log = (folder / "strace.log").read_text("ascii", "replace")
    shutil.rmtree(folder / "0")
    return len(re.findall(rf"^\d+ +(?:{CALLS[calls].names.replace(',', '|')})\(", log, re.MULTILINE))


def _trace(folder: Path, calls: str, option: str, total: int, places: Iterable[int]) -> None:
    for place in places:
        shutil.copytree(folder / "template", folder / str(place))
        (folder / str(place) / "marks").touch()
    strace = ["strace", "-f", "-qq", "-o", str(folder / "strace.log"), "-e", f"trace={CALLS[calls].names}"]
    program = [
        os.path.realpath(sys.executable),
        "-m",
        "tests.powerloss.injury",
        str(folder),
        calls,
        str(total),
        *map(str, places),
    ]
    path = os.pathsep.join(each for each in sys.path if each)
    environment = {**os.environ, "PYTHONPATH": path}
    subprocess.run([*strace, "-e", option, *program], check=True, env=environment, stderr=subprocess.DEVNULL)


def _check(folder: Path, place: int) -> str:
    errand_folder = folder / str(place)
    files = {name: content for name, content in snapshot(errand_folder).items() if not name.endswith(("/", "-shm"))}
    marks = [line.removeprefix(b"mark ") for line in files.pop("marks").splitlines()]
    shutil.rmtree(errand_folder)
    return check(Promises("errand", marks), len(marks), files, str(folder / "checked"))


def main(folder: Path, calls: str, total: int, places: list[int]) -> None:
    """One errand after another, each in a process of its own; the injured one dies or sees an error."""
    for place in places:
        child = os.fork()
        if child == 0:
            idle = os.open("/dev/null", os.O_WRONLY)
            for _ in range(total - place):
                CALLS[calls].idle(idle)
            errand(Marker(str(folder / str(place) / "marks"), PREPARED), folder / str(place))
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), [int(each) for each in sys.argv[4:]])
