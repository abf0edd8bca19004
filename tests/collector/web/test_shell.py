"""What every answer has, whatever the page."""

import gzip
import logging
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from collector.errors import ConflictError
from collector.web.assets import VENDOR, load_assets
from collector.web.shell import fit_shell

PUBLIC = "http://127.0.0.1:8440"


def small_app(node_modules: Path | None = None) -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    fit_shell(app, public_url=PUBLIC, zone=ZoneInfo("Asia/Shanghai"), node_modules=node_modules)

    @app.get("/page/conflict")
    @app.get("/api/v1/conflict")
    async def conflict() -> None:
        raise ConflictError

    @app.get("/page/crash")
    @app.get("/api/v1/crash")
    async def crash() -> None:
        message = "a secret of the inside"
        raise RuntimeError(message)

    @app.get("/api/v1/number/{number}")
    async def double(number: int) -> int:
        return number * 2

    @app.get("/long")
    async def long() -> str:
        return "长" * 5000

    return app


@pytest.fixture
def client() -> TestClient:
    return TestClient(small_app(), base_url=PUBLIC, raise_server_exceptions=False)


def test_people_are_told_in_a_chinese_page(client: TestClient) -> None:
    answer = client.get("/page/conflict")
    assert answer.status_code == 409
    assert answer.headers["content-type"].startswith("text/html")
    assert "别人刚刚改过这条记录" in answer.text


def test_machines_are_told_by_rfc_9457(client: TestClient) -> None:
    answer = client.get("/api/v1/conflict")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "/problems/conflict",
        "title": "有冲突",
        "status": 409,
        "detail": str(ConflictError()),
    }


@pytest.mark.parametrize("path", ["/page/crash", "/api/v1/crash"])
def test_a_crash_tells_nothing_of_the_inside(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "系统出错" in answer.text


def test_senseless_numbers_are_a_problem_of_the_sender(client: TestClient) -> None:
    answer = client.get("/api/v1/number/x")
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/bad-input")


def test_an_unknown_address_is_a_page_with_a_way_back(client: TestClient) -> None:
    answer = client.get("/nowhere")
    assert answer.status_code == 404
    assert 'href="/"' in answer.text


@pytest.mark.parametrize("path", ["/page/conflict", "/nowhere", "/static/app.css", "/api/v1/conflict"])
def test_no_answer_allows_scripts_of_others(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_pages_are_not_kept_and_files_are_kept_for_ever(client: TestClient) -> None:
    assets = load_assets()
    assert client.get("/page/conflict").headers["cache-control"] == "no-store"
    assert "immutable" in client.get(assets.address("app.css")).headers["cache-control"]
    assert client.get("/static/app.css").headers["cache-control"] == "no-cache"


def test_long_answers_travel_compressed(client: TestClient) -> None:
    answer = client.get("/long", headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert len(gzip.compress(answer.content)) < 1000


@pytest.mark.parametrize("name", VENDOR)
def test_front_end_packages_come_from_where_npm_puts_them(client: TestClient, name: str) -> None:
    answer = client.get(load_assets().address(name))
    assert answer.status_code == 200
    assert "javascript" in answer.headers["content-type"]


def test_without_npm_pages_work_and_say_what_to_do(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        client = TestClient(small_app(tmp_path), base_url=PUBLIC)
    page, script = client.get("/nowhere"), client.get("/static/htmx.js")
    assert "npm ci" in caplog.text
    assert "npm ci" in page.text
    assert "echarts" not in page.text
    assert (script.status_code, "npm ci" in script.text) == (503, True)


@pytest.mark.parametrize("path", ["/static/../render.py", "/static/..%2frender.py", "/static/nothing.css", "/static/"])
def test_no_file_outside_is_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404
