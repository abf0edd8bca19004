"""Two thousand stations at once, each on a TLS connection of its own to the real `serve`, and stalled clients beside.

The process begins with the few open files that Debian allows.
"""

import asyncio
import contextlib
import logging
import os
import resource
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from nacl.signing import SigningKey
from sqlalchemy import insert

from collector import tls
from collector.db.engine import Connection, Database
from collector.seal import make_key
from collector.stations.models import station_keys, stations
from collector.stations.queries import add_key
from shared.clock import wall_ms
from shared.signing import key_id
from shared.wire.v1 import PATH
from tests.collector.intake.pushes import envelope, packed, signed
from tests.districts import LIZHOU, plant_district

log = logging.getLogger(__name__)

AGENTS = 2000
STALLED = 500
ONLY_KEY = SigningKey(bytes(range(32)))
MEMORY_MIB = 450
OPENING = 100


@dataclass(frozen=True, slots=True)
class Serving:
    port: int
    process: "subprocess.Popen[bytes]"
    trust: ssl.SSLContext

    def memory_mib(self) -> int:
        lines = Path(f"/proc/{self.process.pid}/status").read_text("ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) // 1024


@pytest.fixture
def many_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture
def serving(sqlite_url: str, tmp_path: Path, many_files: None) -> Iterator[Serving]:
    asyncio.run(plant(sqlite_url))
    folder = tls.Folder(tmp_path / "tls")
    make_key(folder.path)
    tls.found(folder, names=["127.0.0.1"], now_ms=wall_ms())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    values = {"DATABASE": sqlite_url, "PORT": str(port), "PUBLIC_URL": f"https://127.0.0.1:{port}"}
    environment = os.environ | {f"YUANJIAO_{name}": value for name, value in values.items()}
    command = ["sh", "-c", 'ulimit -Sn 1024; exec "$0" -m collector serve', sys.executable]
    process = subprocess.Popen(command, env=environment | {"YUANJIAO_TLS_DIR": str(folder.path)})
    trust = ssl.create_default_context(cadata="".join(tls.list_authorities(folder)))
    try:
        wait_for(port)
        yield Serving(port, process, trust)
    finally:
        process.kill()
        process.wait()


def wait_for(port: int) -> None:
    limit = time.monotonic() + 60
    while True:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        assert time.monotonic() < limit, "the centre did not start"
        time.sleep(0.05)


async def plant(url: str) -> None:
    """A district of so many stations. They share one key, which saves the test two thousand."""
    database = Database(url)
    await plant_district(database, {"宝轮镇": ["爱国社区"]})
    async with database.write() as connection:
        await multiply(connection)
    await database.close()


async def multiply(connection: Connection) -> None:
    public = bytes(ONLY_KEY.verify_key)
    await add_key(connection, LIZHOU, 1, key_id=key_id(public), public_key=public, now_ms=wall_ms())
    for table in (stations, station_keys):
        first = dict((await connection.execute(table.select())).mappings().one())
        await connection.execute(insert(table), [first | {"station_id": number} for number in range(2, AGENTS + 1)])


class Agent:
    """One station's connection, kept open between its heartbeats."""

    def __init__(self, number: int, serving: Serving) -> None:
        self.station = f"{LIZHOU}/{number}"
        self.serving = serving
        self.statuses: list[int] = []

    async def open(self) -> None:
        port, trust = self.serving.port, self.serving.trust
        self.reader, self.writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=trust, ssl_handshake_timeout=100
        )

    async def push(self, mono: int) -> None:
        """Send one heartbeat; as an agent does, again after a pause where the centre is busy."""
        body = packed(envelope(self.station, heartbeat={"mono": mono}))
        proof = signed(ONLY_KEY, self.station, body)["Authorization"]
        head = f"POST {PATH} HTTP/1.1\r\nHost: centre\r\nAuthorization: {proof}\r\nContent-Length: {len(body)}\r\n\r\n"
        while (status := await self._ask(head.encode() + body)) == 503:  # noqa: ASYNC110 - an agent waits so too
            await asyncio.sleep(1)
        self.statuses.append(status)

    async def _ask(self, request: bytes) -> int:
        self.writer.write(request)
        answer = await self.reader.readuntil(b"\r\n\r\n")
        length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await self.reader.readexactly(int(length.split(b":")[1]))
        return int(answer.split()[1])

    async def come(self, door: asyncio.Semaphore) -> None:
        async with door:
            await self.open()
            await self.push(1000)


async def stall(serving: Serving) -> float:
    """Send half a head and wait to be cut off; seconds it took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", serving.port, ssl=serving.trust)
    began = time.monotonic()
    writer.write(b"POST /api/v1/push HTTP/1.1\r\nX-Slow: ")
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        await reader.read()
    writer.transport.abort()
    return time.monotonic() - began


async def tell(serving: Serving) -> None:
    agents = [Agent(number, serving) for number in range(1, AGENTS + 1)]
    door = asyncio.Semaphore(OPENING)
    await asyncio.gather(*(each.come(door) for each in agents))
    stalled = [asyncio.create_task(stall(serving)) for _ in range(STALLED)]
    await asyncio.sleep(1)
    await asyncio.gather(*(each.push(2000) for each in agents))
    cut_after = await asyncio.gather(*stalled)
    await asyncio.gather(*(each.push(3000) for each in agents))
    log.info("%d MiB of memory; stalled clients cut off after %.0f s", serving.memory_mib(), max(cut_after))
    assert {tuple(each.statuses) for each in agents} == {(200, 200, 200)}
    assert max(cut_after) < 60
    assert serving.memory_mib() < MEMORY_MIB
    for each in agents:
        each.writer.transport.abort()


@pytest.mark.timeout(400)
def test_two_thousand_stations_are_heard_at_once_while_stalled_clients_are_cut_off(serving: Serving) -> None:
    asyncio.run(tell(serving))
