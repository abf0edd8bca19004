"""Every page in a real browser: closed network, clean console, readable by all, right on a phone."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site, Watched, violations
from tests.browser.seed import AIGUO

pytestmark = pytest.mark.browser

PAGES = {
    "overview": "/",
    "overview_filtered": "/?status=offline",
    "station": "station",
    "tickets": "/tickets",
    "ticket": "/tickets/1",
    "ticket_mended": "/tickets/3",
    "report": "/tickets/report?station=2",
    "operators": "/operators",
    "operator": "/operators/2",
    "operator_edit": "/operators/2/edit",
    "monthly": "/reports/monthly",
    "monthly_township": "township",
    "figures": "/figures",
    "outages": "/outages",
    "calendar": "/calendar",
    "neighbours": "/neighbours",
    "messages": "/messages",
    "reach": "/messages/people/2",
    "settings": "/directions",
    "orders": "/stations/1/directions",
    "releases": "/releases",
    "account": "/account",
}
Keep = Callable[[Page, str], None]


def address(site: Site, name: str) -> str:
    special = {
        "station": site.station(AIGUO),
        "township": f"/reports/monthly?township={site.district.townships['宝轮镇']}&order=worst",
    }
    return special.get(PAGES[name], PAGES[name])


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_quiet_and_readable(
    page: Page, site: Site, watched: Watched, name: str, keep_picture: Keep
) -> None:
    site.sign_in(page)
    page.goto(address(site, name))
    expect(page.locator("h1")).to_have_count(1)
    page.wait_for_timeout(300)
    assert violations(page) == []
    assert watched.foreign == []
    assert watched.complaints == []
    keep_picture(page, name)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_phone(page: Page, site: Site, name: str, keep_picture: Keep) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    site.sign_in(page)
    page.goto(address(site, name))
    width = page.evaluate("() => document.documentElement.scrollWidth")
    keep_picture(page, f"{name}_phone")
    assert width <= 390


@pytest.mark.parametrize("name", PAGES)
def test_a_page_reads_in_english(page: Page, site: Site, watched: Watched, name: str, keep_picture: Keep) -> None:
    site.sign_in(page)
    page.goto(address(site, name))
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    left = page.evaluate(
        """() => [...document.querySelectorAll('h1, h2, label > span, thead th, summary, button, dt, caption')]
            .filter((each) => !each.closest('.form-title') && !each.querySelector('bdi') && !each.lang)
            .map((each) => each.textContent.trim()).filter((text) => /[\\u4e00-\\u9fff]/.test(text))"""
    )
    keep_picture(page, f"{name}_en")
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    page.wait_for_load_state()
    assert [each for each in left if AIGUO not in each] == []
    assert watched.complaints == []
