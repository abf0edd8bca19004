"""A real centre behind real TLS on loopback, whose certificates may be of any year."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from collector import tls
from collector.app import create_app
from collector.db.engine import Database
from collector.seal import make_key
from collector.settings import Settings
from collector.stations import service
from collector.tls import Folder
from tests.clocks import ManualClock
from tests.districts import LIZHOU, plant_district


@dataclass(frozen=True, slots=True)
class SecureCentre:
    """`url` by which stations reach it; `folder` with its certificates; `server` the running uvicorn."""

    settings: Settings
    folder: Folder
    server: uvicorn.Server
    app: FastAPI

    def refresh(self) -> None:
        """What the periodic job does: tell stations what has changed."""
        self.app.state.centre.seal.refresh()

    @property
    def url(self) -> str:
        return self.settings.public_url

    @property
    def fingerprint(self) -> str:
        return tls.fingerprint(tls.list_authorities(self.folder)[0])

    def new_code(self, *, now_ms: int) -> str:
        """A code for the district's only station."""

        async def make() -> str:
            database = Database(self.settings.database)
            async with database.write() as connection:
                code = await service.new_code(connection, LIZHOU, 1, now_ms=now_ms)
            await database.close()
            return code

        return asyncio.run(make())


@contextmanager
def secure_centre(
    folder: Path, database_url: str, clock: ManualClock, *, name: str = "127.0.0.1"
) -> Iterator[SecureCentre]:
    """A centre that lives, with its certificates, in the time of `clock`; its certificate is made out to `name`."""
    port = _free_port()
    certificates = Folder(folder / "tls")
    settings = Settings(
        database=database_url, public_url=f"https://127.0.0.1:{port}", port=port, tls_dir=certificates.path
    )
    make_key(certificates.path)
    tls.found(certificates, names=[name], now_ms=clock.now().wall_ms)
    app = create_app(settings, clock=clock, with_jobs=False)
    asyncio.run(_plant(settings.database))
    context = tls.serving_context(certificates)
    options = uvicorn.Config(
        app, port=port, log_config=None, server_header=False, date_header=False, ssl_context_factory=lambda *_: context
    )
    server = uvicorn.Server(options)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    _wait_until_started(server)
    yield SecureCentre(settings, certificates, server, app)
    server.should_exit = True
    thread.join(10)


async def _plant(url: str) -> None:
    database = Database(url)
    await plant_district(database, {"宝轮镇": ["爱国社区"]})
    await database.close()


def _wait_until_started(server: uvicorn.Server) -> None:
    limit = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < limit, "the centre did not start"
        time.sleep(0.01)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
