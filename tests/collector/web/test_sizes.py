"""Bodies larger than any of ours are refused before anybody reads them."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from collector.web.shell import fit_shell
from collector.web.sizes import LARGEST, LARGEST_WORD


@pytest.fixture
def client() -> TestClient:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    fit_shell(app, public_url="http://127.0.0.1:8440", zone=ZoneInfo("Asia/Shanghai"))

    @app.post("/form")
    @app.post("/api/v1/word")
    async def read(request: Request) -> int:
        return len(await request.body())

    return TestClient(app, base_url="http://127.0.0.1:8440", raise_server_exceptions=False)


@pytest.mark.parametrize(("path", "largest"), [("/api/v1/word", LARGEST_WORD), ("/form", LARGEST)])
def test_a_body_that_announces_too_much_is_refused_unread(client: TestClient, path: str, largest: int) -> None:
    assert client.post(path, content=b"", headers={"Content-Length": str(largest + 1)}).status_code == 413


def test_a_machine_is_told_so_as_machines_are(client: TestClient) -> None:
    answer = client.post("/api/v1/word", content=b"x" * (LARGEST_WORD + 1))

    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")


def test_a_body_that_announces_nothing_is_cut_off_where_it_grows_too_large(client: TestClient) -> None:
    pieces: Iterator[bytes] = (b"x" * 1024 for _ in range(1000))

    assert client.post("/api/v1/word", content=pieces).status_code == 413


def test_a_body_of_the_right_size_is_read(client: TestClient) -> None:
    assert client.post("/api/v1/word", content=b"x" * LARGEST_WORD).json() == LARGEST_WORD
