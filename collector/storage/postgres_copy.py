"""A PostgreSQL database as one file, by the tools that come with the server: pg_dump, pg_restore and psql."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from collector.errors import SetupError

SUFFIX = ".pgdump"

_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND backend_type = 'client backend'"
)
_EMPTY = "DROP SCHEMA public CASCADE; CREATE SCHEMA public"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a database is, as libpq's programs want to know it. The password goes by the environment, never seen."""

    host: str
    port: int
    user: str
    password: str
    name: str

    @property
    def environment(self) -> dict[str, str]:
        values = {"PGHOST": self.host, "PGPORT": str(self.port), "PGUSER": self.user, "PGDATABASE": self.name}
        return os.environ | values | ({"PGPASSWORD": self.password} if self.password else {})


def copy_out(source: Place, target: Path) -> None:
    """Write the database as it is now into a new file and read it through once. Raises SetupError."""
    _run(source, ["pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={target}"])
    _run(source, ["pg_restore", f"--file={os.devnull}", str(target)])


def copy_in(source: Path, target: Place) -> None:
    """Put the copy in the place of all that is there, in one transaction: it happens as a whole or not at all.

    Raises SetupError while anybody else is connected: a centre at work must not lose its tables under its feet.
    """
    others = int(_run(target, ["psql", "-XAtqc", _OTHERS]))
    if others:
        raise SetupError(f"还有 {others} 个连接正在使用数据库。请先停止所有 serve 和 worker，再恢复。")
    script = source.with_name(source.name + ".sql")
    try:
        _run(target, ["pg_restore", "--no-owner", "--no-privileges", f"--file={script}", str(source)])
        _run(target, ["psql", "-Xq", "-1", "-v", "ON_ERROR_STOP=1", "-c", _EMPTY, "-f", str(script)])
    finally:
        script.unlink(missing_ok=True)


def _run(place: Place, command: Sequence[str]) -> str:
    program = command[0]
    if shutil.which(program) is None:
        raise SetupError(
            f"没有找到 {program}。请安装 PostgreSQL 客户端（Debian：apt install postgresql-client）后再运行。"
        )
    done = subprocess.run(command, env=place.environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip() or "没有说明").splitlines()[0]
        raise SetupError(f"{program} 没有完成：{reason}。请按提示处理后再运行。")
    return done.stdout
