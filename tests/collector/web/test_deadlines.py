"""Stalled clients against a real server on loopback."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from collector.web.deadlines import DeadlineProtocol

CLIENTS = 200
HTTP_OK = b"HTTP/1.1 200"


class QuickProtocol(DeadlineProtocol):
    head_s = 0.4
    body_s = 0.8


async def answer(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[int]:
    config = uvicorn.Config(answer, port=0, http=QuickProtocol, lifespan="off", log_level="error")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event to wait for
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await task


async def seconds_until_closed(port: int, sent: bytes) -> float:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.monotonic()
    writer.write(sent)
    with contextlib.suppress(ConnectionError):
        await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return time.monotonic() - began


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"POST / HTT",
        b"POST / HTTP/1.1\r\nHost: a\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
    ],
    ids=["nothing", "half a line", "half a head", "half a body"],
)
def test_stalled_clients_are_let_go(sent: bytes) -> None:
    async def story() -> list[float]:
        async with serving() as port:
            return await asyncio.gather(*(seconds_until_closed(port, sent) for _ in range(CLIENTS)))

    assert max(asyncio.run(story())) < 5


def test_a_client_that_drips_is_let_go_all_the_same() -> None:
    async def story() -> float:
        async with serving() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            began = time.monotonic()
            with contextlib.suppress(ConnectionError):
                writer.write(b"GET / HTTP/1.1\r\nX: ")
                async with asyncio.timeout(10):
                    while not reader.at_eof():
                        writer.write(b"a")
                        await writer.drain()
                        await asyncio.sleep(0.02)
            writer.close()
            return time.monotonic() - began

    assert asyncio.run(story()) < 5


def test_others_are_served_meanwhile_and_kept_alive() -> None:
    async def story() -> list[bytes]:
        async with serving() as port:
            stalled = [asyncio.create_task(seconds_until_closed(port, b"GET")) for _ in range(CLIENTS)]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            answers = []
            for _ in range(3):
                writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(2)
                answers.append(head[:12])
                await asyncio.sleep(0.6)
            writer.close()
            await asyncio.gather(*stalled)
            return answers

    assert asyncio.run(story()) == [HTTP_OK] * 3
