"""The real centre behind uvicorn, and a real Chromium that may talk to nobody else."""

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import BrowserContext, Page, Request

from collector.app import create_app
from collector.db.engine import Connection
from collector.people.service import COOKIE
from collector.settings import Settings
from tests.browser.seed import link_for, seed
from tests.clocks import ManualClock
from tests.districts import SmallDistrict
from tests.office import write_once

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = "/usr/bin/chromium"
KEPT = frozenset(
    {"overview", "overview_phone", "overview_en", "station", "tickets", "ticket_phone", "monthly_township"}
)
"""The pictures of the documentation; the others are taken when YUANJIAO_PICTURES=all."""


@dataclass(frozen=True)
class Site:
    """The running centre."""

    address: str
    database_url: str
    district: SmallDistrict
    cookies: dict[str, Any] = field(default_factory=dict)

    def sign_in(self, page: Page, name: str = "主任") -> None:
        """Be this person, on the overview. The one-time link is gone through once a person."""
        if name not in self.cookies:
            page.goto(f"/signin/link/{_run(link_for(self.database_url, self.district, name))}")
            page.locator("main button").click()
            page.wait_for_url(lambda address: "/signin" not in address)
            (self.cookies[name],) = [each for each in page.context.cookies() if each["name"] == COOKIE]
        page.context.add_cookies([self.cookies[name]])
        page.goto("/")

    def write(self, act: Callable[[Connection], Awaitable[object]]) -> None:
        """Something happens in the database behind the page's back."""
        _run(write_once(self.database_url, act))

    def station(self, title: str) -> str:
        return f"/stations/{self.district.stations[title]}"


@dataclass
class Watched:
    """What a page did that it must not do."""

    foreign: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    path = tmp_path_factory.mktemp("browser") / "centre.db"
    url = f"sqlite+aiosqlite:///{path}"
    clock = ManualClock()
    district = _run(seed(url, clock))
    app = create_app(Settings(database=url), clock=clock, with_jobs=False)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Site(f"http://127.0.0.1:{port}", url, district)
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture(scope="session")
def base_url(site: Site) -> str:
    return site.address


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    quiet = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
    return {"executable_path": CHROMIUM, "args": [*quiet, "--no-first-run", "--font-render-hinting=none"]}


@pytest.fixture(scope="session")
def browser_context_args(base_url: str) -> dict[str, Any]:
    size = {"width": 1366, "height": 860}
    return {"base_url": base_url, "viewport": size, "locale": "zh-CN", "timezone_id": "Asia/Shanghai"}


@pytest.fixture
def watched(context: BrowserContext, page: Page, site: Site) -> Watched:
    """Notes every request to another host and every complaint of the console."""
    noted = Watched()

    def on_request(request: Request) -> None:
        if not request.url.startswith((site.address, "data:", "blob:")):
            noted.foreign.append(request.url)

    context.on("request", on_request)
    page.on("console", lambda said: noted.complaints.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: noted.complaints.append(str(error)))
    return noted


@pytest.fixture
def keep_picture() -> Callable[[Page, str], None]:
    """Keeps a picture under docs/pictures when YUANJIAO_PICTURES=1, so that ordinary runs change no file."""

    def keep(page: Page, name: str) -> None:
        wanted = os.environ.get("YUANJIAO_PICTURES")
        if wanted == "all" or (wanted == "1" and name in KEPT):
            PICTURES.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=PICTURES / f"{name}.png", full_page=True)

    return keep


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong, one line a fault."""
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("() => axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'best-practice']})")
    return [f"{each['id']}: {each['nodes'][0]['html'][:160]}" for each in found["violations"]]


def _run(story: Any) -> Any:
    """asyncio.run in a thread of its own: Playwright keeps a loop in this one."""
    result: list[Any] = []
    thread = threading.Thread(target=lambda: result.append(asyncio.run(story)))
    thread.start()
    thread.join()
    return result[0]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: Playwright leaves a loop running in this thread, which others need for asyncio.run."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
