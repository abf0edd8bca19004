"""A real PostgreSQL for tests: `TEST_POSTGRES_URL`, else the newest server program on this machine."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PLACES = (Path("/usr/lib/postgresql"), Path("/usr/local/lib/postgresql"))
_NO_SERVER = "No PostgreSQL server found: install Debian's package `postgresql` or set TEST_POSTGRES_URL"


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server. `admin` runs SQL as its superuser; `base` is the URL without a database."""

    base: str
    psql: tuple[str, ...]

    def create(self, name: str, *, template: str = "template0") -> str:
        """Make a database and return its SQLAlchemy URL."""
        self.admin(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return f"{self.base}/{name}"

    def admin(self, statement: str) -> str:
        command = [*self.psql, "-XAtqc", statement]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@contextlib.contextmanager
def start_postgres(kept: Path | None = None, *, options: str = "") -> Iterator[PostgresServer]:
    """A server for as long as the block runs. Its data stay for the next time in the folder `kept`, if one is given.

    `options` are for its command line, where we start it.
    """
    url = os.environ.get("TEST_POSTGRES_URL")
    if url:
        plain = url.replace("postgresql+asyncpg", "postgresql").rsplit("/", 1)[0]
        base = plain.replace("postgresql:", "postgresql+asyncpg:")
        yield PostgresServer(base, ("psql", "-d", f"{plain}/postgres"))
        return
    if kept is not None:
        yield from _run_server(kept, options, stop="fast")
        return
    with tempfile.TemporaryDirectory(prefix="yj-pg-") as folder:
        yield from _run_server(Path(folder), options, stop="immediate")


def _find_programs() -> Path:
    found = sorted(
        (each.parent for place in _PLACES for each in place.glob("*/bin/initdb")),
        key=lambda bin_: int(bin_.parent.name),
    )
    if not found:
        raise RuntimeError(_NO_SERVER)
    return found[-1]


def _run_server(folder: Path, options: str, *, stop: str) -> Iterator[PostgresServer]:
    """PostgreSQL refuses root, so root lends the folder to `nobody` and starts it as that user."""
    programs = _find_programs()
    user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    become = ["setpriv", "--reuid", user, "--regid", "nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    data = folder / "data"
    if not data.exists():
        data.mkdir(mode=0o700, parents=True)
        folder.chmod(0o755)
        if become:
            shutil.chown(data, user)
            folder.chmod(0o777)
        make: list[str | Path] = [*become, programs / "initdb", "-D", data, "-U", "test", "-A", "trust", "-E", "UTF8"]
        subprocess.run([*make, "--no-sync", "--locale=C"], check=True, stdout=subprocess.DEVNULL, cwd=folder)
    port = _free_port()
    words = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off -c max_connections=200 {options}"
    control: list[str | Path] = [*become, programs / "pg_ctl", "-D", data, "-w"]
    subprocess.run(
        [*control, "-l", data / "log", "-o", words, "start"], check=True, stdout=subprocess.DEVNULL, cwd=folder
    )
    try:
        psql = (str(programs / "psql"), "-h", "127.0.0.1", "-p", str(port), "-U", "test", "-d", "postgres")
        yield PostgresServer(f"postgresql+asyncpg://test@127.0.0.1:{port}", psql)
    finally:
        subprocess.run([*control, "-m", stop, "stop"], check=True, stdout=subprocess.DEVNULL, cwd=folder)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
