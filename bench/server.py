"""The server under load: `centre` is the product without its periodic jobs, `bare` only reads the body."""

import sys
import tempfile
from pathlib import Path
from typing import Any

import uvicorn
from nacl.encoding import HexEncoder

from bench.load import CENTRE
from collector.app import create_app
from collector.serving import calm_collection
from collector.settings import Settings
from collector.web.deadlines import DeadlineProtocol


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """The least an ASGI application can do with a push."""
    if scope["type"] != "http":
        raise NotImplementedError("no life span")
    more = True
    while more:
        more = (await receive()).get("more_body", False)
    body = b'{"stored":1}'
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    target, port = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "centre.key").write_bytes(CENTRE.encode(HexEncoder))
        app = bare if target == "bare" else create_app(Settings(tls_dir=Path(folder)), with_jobs=False)
    calm_collection()
    http = DeadlineProtocol if app is not bare else "auto"
    uvicorn.run(app, port=int(port), http=http, access_log=False, log_level="warning", timeout_keep_alive=900)


if __name__ == "__main__":
    main()
