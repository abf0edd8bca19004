"""Takes the pictures of the documentation from the real demonstration: `python -m tests.browser.pictures`.

Look at each one afterwards: a picture is the first thing a newcomer sees.
"""

import re
import subprocess
import sys
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
CHROMIUM = "/usr/bin/chromium"
PORT = 8469
LIFE_S = 150
"""How long the district lives before it is looked at: by then two months of history have come in."""
DESK, PHONE = {"width": 1366, "height": 860}, {"width": 390, "height": 844}
_LINK = re.compile(r"http://127\.0\.0\.1:\d+/signin/link/\S+")

_TICKET = re.compile(r"/tickets/\d+")


def main() -> None:
    command = [sys.executable, "-m", "collector", "demo", "--for", str(LIFE_S + 90), "--port", str(PORT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo, sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        try:
            _look_around(browser, _wait_for_link(demo))
        finally:
            browser.close()
            demo.terminate()


def _wait_for_link(demo: "subprocess.Popen[str]") -> str:
    for line in demo.stdout or []:
        found = _LINK.search(line)
        if found:
            return found[0]
    raise SystemExit("the demonstration did not start")


def _look_around(browser: Browser, link: str) -> None:
    base = link.split("/signin", maxsplit=1)[0]
    context = browser.new_context(viewport=DESK, locale="zh-CN", timezone_id="Asia/Shanghai")  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(link)
    page.locator("main button").click()
    page.wait_for_load_state()
    time.sleep(LIFE_S)
    _take(page, f"{base}/", "overview")
    worst = page.locator("a[href^='/stations/']").first.get_attribute("href")
    _take(page, f"{base}{worst}", "station")
    _take(page, f"{base}/tickets", "tickets")
    links = page.locator("main a[href^='/tickets/']").evaluate_all(
        "each => each.map(link => link.getAttribute('href'))"
    )
    ticket = next(address for address in links if _TICKET.fullmatch(address))
    page.goto(f"{base}/reports/monthly")
    township = page.locator("select[name=township] option", has_text="宝轮镇").get_attribute("value")
    _take(page, f"{base}/reports/monthly?township={township}&order=worst", "monthly_township")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    _take(page, f"{base}/", "overview_phone")
    _take(page, f"{base}{ticket}", "ticket_phone")
    page.set_viewport_size(DESK)  # type: ignore[arg-type]
    page.get_by_role("button", name="English").click()
    _take(page, f"{base}/", "overview_en")


def _take(page: Page, address: str, name: str) -> None:
    page.goto(address)
    page.wait_for_timeout(1500)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


if __name__ == "__main__":
    main()
