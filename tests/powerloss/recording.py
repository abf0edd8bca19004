"""Runs a life under strace and reads what it did to its disk, call by call."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.powerloss.lives import prepare

CALLS = (
    "openat,open,creat,close,write,pwrite64,ftruncate,fallocate,fsync,fdatasync,"
    "rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,dup,dup2,dup3,fcntl"
)
_KINDS = {"rename": "move", "unlink": "drop", "mkdir": "folder"}
_LINE = re.compile(r"(\w+)\((.*)\)\s+= (-?\d+|\?)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')


@dataclass(frozen=True, slots=True)
class Op:
    """One thing done: `kind` write, resize, sync, make, folder, move, drop or mark; `path` below the life's folder."""

    kind: str
    path: str = ""
    at: int = 0
    content: bytes = b""
    target: str = ""


@dataclass(frozen=True, slots=True)
class Recording:
    """What lay on the disk before (folders end with a slash), and what was done."""

    life: str
    before: dict[str, bytes]
    ops: list[Op]


def record(life: str, folder: Path, *, plant: str = "") -> Recording:
    """Live a life in an empty folder and return what it did."""
    folder.mkdir(parents=True)
    prepare(life, folder)
    before = snapshot(folder)
    log = folder.with_suffix(".strace")
    command = [os.path.realpath(sys.executable), "-m", "tests.powerloss.lives", life, str(folder), plant]
    trace = ["strace", "-qq", "-xx", "-s", "10000000", "-o", str(log), "-e", f"trace={CALLS}"]
    path = os.pathsep.join(each for each in sys.path if each)
    subprocess.run([*trace, *command], check=True, env={**os.environ, "PYTHONPATH": path})
    return Recording(life, before, list(_Reader(folder).read(log)))


def snapshot(folder: Path) -> dict[str, bytes]:
    """All files below a folder; folders end with a slash."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        found[name + "/" * path.is_dir()] = b"" if path.is_dir() else path.read_bytes()
    return found


class _Reader:
    """Follows descriptors from call to call."""

    def __init__(self, folder: Path) -> None:
        self._root = f"{folder}/"
        self._open: dict[int, str] = {}

    def read(self, log: Path) -> list[Op]:
        ops: list[Op] = []
        for line in log.read_text("ascii").splitlines():
            match = _LINE.match(line)
            if match is not None and match[3].isdigit():
                texts = [bytes.fromhex(each[0].replace("\\x", "")) for each in _TEXT.findall(match[2])]
                ops += self._ops(match[1], _TEXT.sub('""', match[2]).split(", "), texts, int(match[3]))
        return ops

    def _ops(self, call: str, rest: list[str], texts: list[bytes], result: int) -> list[Op]:
        if call in {"openat", "open", "creat"}:
            return self._opened(rest, self._below(texts[0]), result)
        if call in {"write", "pwrite64", "ftruncate", "fallocate", "fsync", "fdatasync", "close"}:
            return self._done(call, rest, texts, result)
        if call.startswith(("dup", "fcntl")):
            return []
        paths = [self._below(each) for each in texts]
        if None in paths:
            return []
        kind = next(kind for name, kind in _KINDS.items() if call.startswith(name))
        return [Op(kind, paths[0] or "", target=(paths[1] or "") if len(paths) > 1 else "")]

    def _opened(self, rest: list[str], path: str | None, descriptor: int) -> list[Op]:
        flags = next(each for each in rest if each.startswith("O_"))
        if path is None:
            self._open[descriptor] = "/dev/null" if "O_WRONLY" in flags else ""
            return []
        self._open[descriptor] = path
        made = [Op("make", path)] if "O_CREAT" in flags else []
        return made + ([Op("resize", path)] if "O_TRUNC" in flags else [])

    def _done(self, call: str, rest: list[str], texts: list[bytes], result: int) -> list[Op]:
        descriptor = int(rest[0])
        path = self._open.get(descriptor, "")
        if call == "close":
            self._open.pop(descriptor, None)
            return []
        if path == "/dev/null" and texts and texts[0].startswith(b"mark "):
            return [Op("mark", content=texts[0].removeprefix(b"mark ").strip())]
        return [] if path in {"", "/dev/null"} else [_change(call, path, rest, b"".join(texts)[:result])]

    def _below(self, text: bytes) -> str | None:
        path = text.decode("utf-8", "surrogateescape")
        if path + "/" == self._root:
            return "."
        return path.removeprefix(self._root) if path.startswith(self._root) else None


def _change(call: str, path: str, rest: list[str], content: bytes) -> Op:
    match call:
        case "ftruncate":
            return Op("resize", path, int(rest[1]))
        case "fallocate":
            return Op("grow", path, int(rest[2]) + int(rest[3]))
        case "write":
            return Op("append", path, content=content)
        case "pwrite64":
            return Op("write", path, int(rest[-1]), content)
        case _:
            return Op("sync", path)
