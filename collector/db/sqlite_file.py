"""A SQLite file as one process's own: the lock that keeps a second writer out, and the look at its pages before use.

Two processes that write, or write and checkpoint, at the same instant can corrupt a database in WAL mode (SQLite
before 3.51.3); readers beside one writer cannot. Nothing here concerns PostgreSQL, which looks after itself.
"""

import contextlib
import fcntl
import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import make_url

from collector.errors import InUseError, SetupError

_TAKEN = (
    "数据库正由另一个进程使用（{holder}）。SQLite 同一时间只允许一个进程写入。"
    "请先停止它（例如 systemctl stop yuanjiao-collector）再运行；需要多个进程时请改用 PostgreSQL。"
)
_DAMAGED = (
    "数据库文件已损坏：{path}（{reason}）。请不要删除它；用最近的备份恢复：yuanjiao-collector restore 备份文件。"
    "恢复后各站点会自动补传备份之后的数据。"
)


def sqlite_path(url: str) -> Path | None:
    """The database's file; None when it is not SQLite."""
    parsed = make_url(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


@contextlib.contextmanager
def held_alone(url: str) -> Iterator[None]:
    """Be the only process that writes this SQLite database. Raises InUseError that names who else does.

    The lock goes with the process, however it ends.
    """
    path = sqlite_path(url)
    if path is None:
        yield
        return
    handle = _open_lock(path.with_name(path.name + ".lock"))
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(handle, 200, 0).decode("utf-8", "replace").strip() or "未知"
        os.close(handle)
        raise InUseError(_TAKEN.format(holder=holder)) from error
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"进程号 {os.getpid()}：{_command()}\n".encode(), 0)
        yield
    finally:
        os.ftruncate(handle, 0)
        os.close(handle)


def check_pages(path: Path, *, immutable: bool = False) -> float:
    """Read every page once; seconds it took. Raises SetupError, with what to do, for a damaged or missing file.

    `immutable` is for a file nobody else has open, such as a backup: SQLite then leaves nothing beside it.
    """
    began = time.monotonic()
    if not path.is_file():
        raise SetupError(f"没有找到数据库 {path}。首次使用请先运行：yuanjiao-collector init")
    try:
        # A closing block: sqlite3's own context manager ends a transaction, not the connection.
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?{_mode(immutable)}", uri=True)) as found:
            answer = found.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise SetupError(_DAMAGED.format(path=path, reason=error)) from error
    if answer != "ok":
        raise SetupError(_DAMAGED.format(path=path, reason=str(answer).replace("\n", " ")))
    return time.monotonic() - began


def _mode(immutable: bool) -> str:
    return "mode=ro&immutable=1" if immutable else "mode=ro"


def _open_lock(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        message = f"打不开数据库目录：{error}。请检查设置 database，或用有权限的用户运行。"
        raise SetupError(message) from error


def _command() -> str:
    return " ".join(["yuanjiao-collector", *sys.argv[1:2]])
