"""The disk below one station's real spool: files in memory, and whatever goes wrong with them.

The real SQLite writes real files. What is simulated is the moment between two of its steps: a process that ends
there, a cut in mid-write, a write that fails. With `synchronous=FULL` every commit is on the disk when it returns;
with less, a power cut may take any tail of the WAL.
"""

import errno
import os
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from random import Random
from types import ModuleType, SimpleNamespace, TracebackType
from typing import Any

DB, WAL, MARK, BALLAST = "spool.db", "spool.db-wal", "spool.mark", "ballast"
SECTOR = 512
_FRAME = 4096 + 24
_WAL_HEAD = 32


class Killed(BaseException):
    """The process ended between two instructions; `power` tells whether the machine went down with it."""

    def __init__(self, *, power: bool) -> None:
        super().__init__("power cut" if power else "kill -9")
        self.power = power


class Strike(StrEnum):
    """What an armed disk does when its moment comes."""

    KILL = "kill_in_mid_write"
    POWER = "power_cut_in_mid_write"
    TORN = "torn_write"
    EIO = "eio"
    EIO_LATE = "eio_late"
    """The commit reports an error although its bytes have reached the disk."""


AT_COMMIT = (Strike.TORN, Strike.EIO_LATE)


class Disk:
    """One folder. `full`: the file system has no free block left but those of the ballast."""

    def __init__(self, folder: Path, dice: Random, occurred: Counter[str] | None = None) -> None:
        self.folder = folder
        self.occurred: Counter[str] = Counter() if occurred is None else occurred
        self.full = False
        self.was_struck = False
        self.mark_is_old = False
        """The mark was not written back before a power cut: it does not know all that the spool holds."""
        self.connections: list[FaultyConnection] = []
        self._dice = dice
        self._strike: Strike | None = None
        self._steps = 0
        self._room = 0
        self._torn: dict[str, bytes] = {}
        self._old_mark: bytes | None = None

    def arm(self, strike: Strike, steps: int) -> None:
        """Let it strike at the n-th write or commit from now."""
        self._strike, self._steps = strike, steps

    def disarm(self) -> None:
        self._strike = None

    @property
    def armed(self) -> bool:
        return self._strike is not None

    def before_write(self, sql: str, rows: int) -> None:
        if self.full:
            self._need_room(sql, rows)
        if self._strike not in AT_COMMIT and self._comes():
            self._hit(self._strike)

    def before_commit(self) -> Strike | None:
        """Strike ahead of the commit, or return the strike that belongs behind it."""
        if not self._comes():
            return None
        if self._strike in AT_COMMIT or self._dice.random() < 0.5:
            return self._strike
        self._hit(self._strike)
        return None

    def after_commit(self, strike: Strike, before: dict[str, bytes]) -> None:
        if strike is Strike.TORN:
            self._torn = tear(before, self.read(), self._dice)
        self._hit(strike)

    def freed(self, rows: int) -> None:
        self._room += rows

    def settle(self) -> None:
        """Half a minute passes: the kernel has written back what was not synced."""
        self.was_struck = False
        mark = self.folder / MARK
        self._old_mark = mark.read_bytes() if mark.exists() else None

    def crash(self, *, power: bool) -> None:
        """End the process: its open files are left as they are, and after a power cut as the disk has them."""
        lazy = any(each.file == DB and not each.full_sync for each in self.connections)
        files = self.read()
        self.close()
        files |= self._torn
        if power and lazy and len(files.get(WAL, b"")) > _WAL_HEAD:
            kept = self._dice.randrange((len(files[WAL]) - _WAL_HEAD) // _FRAME + 1)
            files[WAL] = files[WAL][: _WAL_HEAD + kept * _FRAME]
        if power and self._dice.random() < 0.5:
            self.mark_is_old |= files.pop(MARK, None) != self._old_mark
            if self._old_mark is not None:
                files[MARK] = self._old_mark
        self._torn = {}
        self.put(files)

    @property
    def connection(self) -> "FaultyConnection | None":
        """The one to the spool itself."""
        return next((each for each in reversed(self.connections) if each.file == DB), None)

    def close(self) -> None:
        for each in list(self.connections):
            each.close()

    def read(self) -> dict[str, bytes]:
        """All files as they lie there, but the shared memory, which does not outlive a process."""
        paths = [path for path in self.folder.iterdir() if _is_live(path)]
        return {path.name: path.read_bytes() for path in paths if not path.name.endswith("-shm")}

    def put(self, files: dict[str, bytes]) -> None:
        """Make the folder hold these files and no other spool."""
        for path in list(self.folder.iterdir()):
            if _is_live(path):
                path.unlink()
        for name, content in files.items():
            (self.folder / name).write_bytes(content)

    def rot(self) -> None:
        """One to three bits flip, in the database or its WAL, while nobody has them open."""
        files = {name: path for name in (DB, WAL) if (path := self.folder / name).exists() and path.stat().st_size}
        for _ in range(self._dice.randint(1, 3) if files else 0):
            path = files[self._dice.choice(sorted(files))]
            content = bytearray(path.read_bytes())
            content[self._dice.randrange(len(content))] ^= 1 << self._dice.randrange(8)
            path.write_bytes(content)

    def truncate(self) -> None:
        """The file system check after a crash leaves a shorter file, an empty one, or none."""
        path = self.folder / DB
        what = self._dice.choice(("shorter", "empty", "gone", "no wal"))
        if not path.exists():
            return
        if what == "shorter":
            os.truncate(path, self._dice.randrange(path.stat().st_size + 1))
        elif what == "empty":
            self.put({name: b"" if name == DB else file for name, file in self.read().items() if name != WAL})
        elif what == "gone":
            path.unlink()
        else:
            (self.folder / WAL).unlink(missing_ok=True)

    def _comes(self) -> bool:
        if self._strike is None:
            return False
        self._steps -= 1
        return self._steps <= 0

    def _hit(self, strike: Strike | None) -> None:
        self._strike = None
        self.occurred[str(strike)] += 1
        if strike in (Strike.EIO, Strike.EIO_LATE):
            self.was_struck = True
            raise failure("disk I/O error", sqlite3.SQLITE_IOERR)
        raise Killed(power=strike is not Strike.KILL)

    def _need_room(self, sql: str, rows: int) -> None:
        if sql.startswith("BEGIN"):
            return
        if sql.startswith("INSERT INTO lines"):
            if self._room < rows:
                raise self._no_room()
            self._room -= rows
        elif (self.folder / BALLAST).exists():
            raise self._no_room()

    def _no_room(self) -> sqlite3.OperationalError:
        self.occurred["enospc"] += 1
        return failure("database or disk is full", sqlite3.SQLITE_FULL)


class FaultyConnection(sqlite3.Connection):
    """A real connection that asks its disk before every write and around every commit."""

    disk: Disk
    file: str = DB
    full_sync: bool = True

    def close(self) -> None:
        super().close()
        if self in self.disk.connections:
            self.disk.connections.remove(self)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if sql == "COMMIT":
            self._commit(lambda: super(FaultyConnection, self).execute("COMMIT"))
            return self.cursor()
        if sql.startswith("PRAGMA synchronous="):
            self.full_sync = sql.endswith(("FULL", "EXTRA"))
        if sql == "ROLLBACK":
            return super().execute(sql)
        if not sql.startswith(("SELECT", "PRAGMA")):
            self.disk.before_write(sql, 1)
        cursor = super().execute(sql, parameters)
        if sql.startswith("DELETE FROM lines"):
            self.disk.freed(cursor.rowcount)
        return cursor

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        rows: Sequence[Any] = list(parameters)
        if rows:
            self.disk.before_write(sql, len(rows))
        return super().executemany(sql, rows)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> Any:
        if kind is not None or not self.in_transaction:
            return super().__exit__(kind, error, trace)
        self._commit(lambda: super(FaultyConnection, self).__exit__(kind, error, trace))
        return False

    def _commit(self, commit: Callable[[], Any]) -> None:
        try:
            strike = self.disk.before_commit()
        except BaseException:
            self.rollback()
            raise
        if self.file != DB and strike is Strike.TORN:
            strike = Strike.POWER
        before = self.disk.read() if strike is Strike.TORN else {}
        commit()
        if strike is not None:
            self.disk.after_commit(strike, before)


def _is_live(path: Path) -> bool:
    """Damaged files that were moved aside stay where they are."""
    return path.is_file() and ".damaged-" not in path.name


def failure(message: str, code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(message)
    error.sqlite_errorcode = code
    return error


def tear(before: dict[str, bytes], after: dict[str, bytes], dice: Random) -> dict[str, bytes]:
    """A legal state of a cut in mid-commit: of the bytes written and not yet synced, each sector may be there or not.

    SQLite syncs the WAL before it copies pages into the database, so only one of the two can be torn at a time.
    """
    name = WAL if before.get(DB) == after.get(DB) else DB
    old, new = before.get(name, b""), after.get(name, b"")
    torn = bytearray(new)
    for start in range(0, len(new), SECTOR):
        if dice.random() < 0.5:
            torn[start : start + SECTOR] = old[start : start + SECTOR].ljust(len(torn[start : start + SECTOR]), b"\0")
    return {name: bytes(torn)}


class _Shim(ModuleType):
    """Stands where the agent's modules import `sqlite3` and `os`, and hands on all but what the disk decides."""

    def __init__(self, module: ModuleType) -> None:
        super().__init__(module.__name__)
        self._module = module
        self.disk: Disk | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


class _Sqlite(_Shim):
    def connect(self, path: Path, **options: Any) -> sqlite3.Connection:
        connection = sqlite3.connect(path, factory=FaultyConnection, **options)
        if self.disk is None:
            raise RuntimeError("no disk is under the head")
        connection.disk = self.disk
        connection.file = Path(path).name
        self.disk.connections.append(connection)
        return connection


class _Os(_Shim):
    def posix_fallocate(self, descriptor: int, offset: int, length: int) -> None:
        if self.disk is not None and self.disk.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        os.posix_fallocate(descriptor, offset, length)

    def statvfs(self, folder: Path) -> Any:
        """A disk of 100 GiB with ten free, or with none."""
        del folder
        full = self.disk is not None and self.disk.full
        return SimpleNamespace(f_bavail=0 if full else 10 << 18, f_frsize=4096, f_blocks=100 << 18)


SQLITE, OS = _Sqlite(sqlite3), _Os(os)


def use(disk: Disk) -> None:
    """Whatever the agent's code opens from now on is on this disk."""
    SQLITE.disk = OS.disk = disk


@contextmanager
def installed() -> Iterator[None]:
    """Put the simulated disk below every loaded module of the agent."""
    put: list[tuple[ModuleType, str, ModuleType]] = []
    for name, module in sorted(sys.modules.items()):
        if name.startswith("agent."):
            put += [(module, each, real) for each, real in (("sqlite3", sqlite3), ("os", os)) if each in vars(module)]
    for module, name, real in put:
        setattr(module, name, SQLITE if real is sqlite3 else OS)
    try:
        yield
    finally:
        for module, name, real in put:
            setattr(module, name, real)
