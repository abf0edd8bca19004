from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from starlette.requests import Request

from collector.web.assets import load_assets
from collector.web.render import Renderer


@pytest.fixture
def say(tmp_path: Path) -> Renderer:
    folder = tmp_path / "demo" / "templates"
    folder.mkdir(parents=True)
    (folder / "said.html").write_text("<bdi>{{ text }}</bdi>{{ moment|moment if moment else '' }}", "utf-8")
    return Renderer(load_assets(), zone=ZoneInfo("Asia/Shanghai"), collector=tmp_path)


def request(cookie: str = "") -> Request:
    headers = [(b"cookie", cookie.encode())] if cookie else []
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers})


def test_text_of_others_is_text(say: Renderer) -> None:
    page = say.page(request(), "demo/said.html", text="<script>alert(1)</script>", moment=None)
    assert bytes(page.body).decode() == "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>"


def test_a_name_cannot_show_itself_backwards(say: Renderer) -> None:
    page = say.page(request(), "demo/said.html", text="课件\u202efdp.exe", moment=None)
    assert "\u202e" not in bytes(page.body).decode()


def test_moments_are_told_in_the_time_of_the_district(say: Renderer) -> None:
    page = say.page(request(), "demo/said.html", text="", moment=1_788_000_000_000)
    assert bytes(page.body).decode().endswith("08-29 18:40")


def test_a_moment_of_another_year_tells_its_year(say: Renderer) -> None:
    later = say.page(request(), "demo/said.html", text="", moment=1_788_000_000_000, now_ms=1_800_000_000_000)
    same = say.page(request(), "demo/said.html", text="", moment=1_788_000_000_000, now_ms=1_789_000_000_000)
    assert bytes(later.body).decode().endswith("</bdi>2026-08-29 18:40")
    assert bytes(same.body).decode().endswith("</bdi>08-29 18:40")
