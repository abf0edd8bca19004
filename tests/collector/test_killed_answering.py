"""A centre killed after it has stored a push and before it says so: the station sends again, nothing is doubled."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
from nacl.signing import SigningKey

from collector.db.engine import Database
from collector.stations import queries as stations
from shared.signing import key_id
from shared.wire.v1 import PATH
from tests.collector.intake.pushes import envelope, event, packed, signed
from tests.collector.test_processes import ask, wait_for
from tests.districts import LIZHOU, plant_district

STATION = f"{LIZHOU}/1"
KEY = SigningKey(bytes(range(32)))
DYING = (sys.executable, "-m", "tests.collector.dying_centre")
LIVING = (sys.executable, "-m", "collector", "serve")


async def plant(url: str) -> None:
    database = Database(url)
    await plant_district(database, {"宝轮镇": ["爱国社区"]})
    public = bytes(KEY.verify_key)
    async with database.write() as connection:
        await stations.add_key(connection, LIZHOU, 1, key_id=key_id(public), public_key=public, now_ms=1)
    await database.close()


@contextlib.contextmanager
def on_a_port(command: tuple[str, ...], url: str) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """The process, and the address of its push route, once it listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = subprocess.Popen(command, env=os.environ | {"YUANJIAO_DATABASE": url, "YUANJIAO_PORT": str(port)})
    try:
        wait_for(lambda: listens(port), limit_s=60)
        yield process, f"http://127.0.0.1:{port}{PATH}"
    finally:
        process.kill()
        process.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_what_was_stored_but_never_answered_is_stored_once_when_it_comes_again(database_url: str) -> None:
    asyncio.run(plant(database_url))
    body = packed(envelope(STATION), *(event(seq) for seq in (1, 2, 3)))
    headers = signed(KEY, STATION, body)

    with on_a_port(DYING, database_url) as (process, address):
        with pytest.raises(httpx.TransportError):
            httpx.post(address, content=body, headers=headers, timeout=60)
        assert process.wait(30) == -9
    stored = "SELECT seq FROM events ORDER BY seq"
    assert ask(database_url, stored) == [(1,), (2,), (3,)]

    with on_a_port(LIVING, database_url) as (_, address):
        answers = [httpx.post(address, content=body, headers=headers, timeout=60).json()["stored"] for _ in range(2)]

    assert answers == [3, 3]
    assert ask(database_url, stored) == [(1,), (2,), (3,)]
