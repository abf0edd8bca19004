"""A centre on a real socket of loopback, in a thread beside the test."""

import contextlib
import threading
import time
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI


@contextlib.contextmanager
def serving_thread(app: FastAPI) -> Iterator[int]:
    """Serve `app`; the port."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, server_header=False, date_header=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    limit = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < limit, "the centre did not start"
        time.sleep(0.01)
    yield int(server.servers[0].sockets[0].getsockname()[1])
    server.should_exit = True
    thread.join(20)
