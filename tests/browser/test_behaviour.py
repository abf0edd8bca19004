"""What a person does on the pages, with keys, with a mouse, on a phone, on paper."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from collector.db.engine import Connection
from collector.tickets import queries as tickets
from tests.browser.conftest import Site, Watched
from tests.browser.seed import AIGUO, NOW_MS

pytestmark = pytest.mark.browser
Keep = Callable[[Page, str], None]


def test_typing_initials_finds_the_village_and_a_reload_keeps_the_filter(page: Page, site: Site) -> None:
    site.sign_in(page)
    page.locator("#q").press_sequentially("agsq")
    expect(page.locator(".cell")).to_have_count(1)
    expect(page.locator(".cell")).to_have_attribute("aria-label", re.compile("宝轮镇 爱国社区 · 离线 · 最后联系"))
    assert page.url.endswith("/?q=agsq")
    page.reload()
    expect(page.locator(".cell")).to_have_count(1)
    expect(page.locator("#q")).to_have_value("agsq")


def test_going_back_restores_what_was_seen(page: Page, site: Site) -> None:
    site.sign_in(page)
    everything = page.locator(".cell").count()
    page.locator("select[name=status]").select_option("offline")
    expect(page).to_have_url(re.compile(r"\?status=offline$"))
    assert 0 < page.locator(".cell").count() < everything
    page.go_back()
    expect(page.locator(".cell")).to_have_count(everything)


def test_a_tile_is_a_link_to_its_stations(page: Page, site: Site) -> None:
    site.sign_in(page)
    tile = page.locator(".tile.offline")
    number = int(tile.locator("b").inner_text())
    tile.click()
    expect(page.locator(".cell.offline")).to_have_count(number)
    assert page.locator(".cell").count() == number


def test_slash_finds_question_mark_helps_and_tab_skips(page: Page, site: Site) -> None:
    site.sign_in(page)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#find")).to_be_focused()
    page.keyboard.type("?")
    expect(page.locator("#help")).not_to_be_visible()
    page.keyboard.press("Escape")
    page.locator("main").click(position={"x": 2, "y": 2})
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).not_to_be_visible()


def test_j_and_k_walk_through_tickets_and_enter_opens_one(page: Page, site: Site) -> None:
    site.sign_in(page)
    page.goto("/tickets")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    chosen = page.locator("tr.picked")
    expect(chosen).to_have_count(1)
    number = chosen.get_attribute("data-key")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"/tickets/{number}$"))


def test_a_ticket_is_taken_on_and_noted_on_a_phone(page: Page, site: Site, watched: Watched) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    site.sign_in(page, "三堆镇骨干")
    page.goto("/tickets")
    expect(page.locator("[data-row]")).to_have_count(1)
    page.get_by_role("button", name="受理").click()
    expect(page.locator("[data-row]")).to_contain_text("处理中")
    page.locator("[data-row] [data-open]").click()
    page.locator("summary", has_text="备注").click()
    page.get_by_label("备注内容").fill("已电话指导清理旧课件")
    page.get_by_role("button", name="写备注").click()
    expect(page.locator(".line")).to_contain_text("已电话指导清理旧课件")
    page.reload()
    expect(page.locator(".line li")).to_have_count(3)
    assert watched.complaints == []


def test_a_fault_is_reported_with_a_photo_mended_and_opened_again_on_a_phone(
    page: Page, site: Site, watched: Watched, tmp_path: Path
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    site.sign_in(page, "金洞乡骨干")
    page.goto("/tickets/report")
    page.locator("select[name=station_id]").select_option(index=1)
    page.get_by_label("看到什么").fill("投影机开机后黑屏")
    photo = tmp_path / "黑屏.png"
    Image.new("RGB", (900, 1200), "navy").save(photo)
    page.locator("input[type=file]").set_input_files(photo)
    page.get_by_role("button", name="报修").click()
    expect(page.locator(".seen")).to_contain_text("投影机开机后黑屏")
    expect(page.locator(".photos img")).to_have_js_property("naturalHeight", 320)
    page.locator("summary", has_text="已修好").click()
    page.get_by_label("故障原因").fill("电源线松了")
    page.get_by_label("处理办法").fill("重新插好")
    page.get_by_label("用了别的办法").check()
    page.get_by_role("button", name="办结").click()
    expect(page.locator("main .facts")).to_contain_text("电源线松了")
    page.locator("summary", has_text="没修好").click()
    page.get_by_label("现在是什么情况").fill("还是黑屏")
    page.get_by_role("button", name="重新打开").click()
    expect(page.locator(".line li").first).to_contain_text("再次发生")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    assert watched.complaints == []


def test_rows_wait_while_the_pointer_is_over_them(page: Page, site: Site) -> None:
    site.sign_in(page)
    page.locator("#tickets li").first.hover()
    version = page.locator("#tickets li").first.get_attribute("data-rev")
    number = int(page.locator("#tickets li").first.get_attribute("data-key") or 0)
    site.write(lambda connection: touch(connection, site, number))
    page.evaluate("() => htmx.trigger('#tickets', 'reread')")
    bar = page.locator("#tickets .fresh")
    expect(bar).to_have_text("有 1 条更新，点此显示")
    expect(page.locator("#tickets li").first).to_have_attribute("data-rev", version or "")
    bar.click()
    expect(page.locator(f"#tickets [data-key='{number}']")).not_to_have_attribute("data-rev", version or "")


def test_the_stream_makes_the_page_read_itself_again(page: Page, site: Site) -> None:
    site.sign_in(page)
    page.mouse.move(2, 2)
    row = page.locator("#tickets li").last
    number, version = row.get_attribute("data-key"), row.get_attribute("data-rev")
    page.wait_for_timeout(300)
    site.write(lambda connection: touch(connection, site, int(number or 0)))
    expect(page.locator(f"#tickets [data-key='{number}']")).not_to_have_attribute(
        "data-rev", version or "", timeout=15_000
    )


def test_a_page_is_read_without_scripts(browser_context_args: dict[str, object], page: Page, site: Site) -> None:
    browser = page.context.browser
    assert browser is not None
    context = browser.new_context(**{**browser_context_args, "java_script_enabled": False})  # type: ignore[arg-type]
    plain = context.new_page()
    site.sign_in(plain)
    plain.goto("/?q=agsq")
    expect(plain.locator(".cell")).to_have_count(1)
    expect(plain.locator("form.filters noscript, form.filters button")).not_to_have_count(0)
    context.close()


def test_the_form_prints_on_a4_without_anything_to_click(page: Page, site: Site, keep_picture: Keep) -> None:
    site.sign_in(page)
    page.goto(f"/reports/monthly?township={site.district.townships['大石镇']}")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 1060, "height": 750})
    expect(page.locator(".top")).not_to_be_visible()
    expect(page.locator(".filters")).not_to_be_visible()
    expect(page.locator(".form-table")).to_be_visible()
    keep_picture(page, "monthly_print")
    assert page.evaluate("() => document.querySelector('.form-table').scrollWidth") <= 1060


def test_chinese_is_drawn_by_a_chinese_font(page: Page, site: Site) -> None:
    site.sign_in(page)
    session = page.context.new_cdp_session(page)
    for domain in ("DOM", "CSS"):
        session.send(f"{domain}.enable")
    root = session.send("DOM.getDocument")["root"]["nodeId"]
    node = session.send("DOM.querySelector", {"nodeId": root, "selector": "#matrix-title"})["nodeId"]
    fonts = session.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
    assert {font["familyName"] for font in fonts} == {"Noto Sans CJK SC"}


def test_the_chart_is_drawn_and_its_table_says_the_same(page: Page, site: Site) -> None:
    site.sign_in(page)
    expect(page.locator(".chart canvas, .chart svg")).to_have_count(1)
    page.get_by_text("数据表").click()
    expect(page.locator("details[open] tbody tr")).to_have_count(18)


def test_a_revoked_key_is_asked_about_first(page: Page, site: Site) -> None:
    site.sign_in(page)
    page.goto(site.station(AIGUO))
    page.get_by_role("button", name="停用这台电脑").click()
    expect(page.locator("#revoke")).to_contain_text("停用 宝轮镇 爱国社区 的电脑？")
    page.get_by_role("button", name="取消").click()
    expect(page.locator("#revoke")).not_to_be_visible()


async def touch(connection: Connection, site: Site, number: int) -> None:
    """Something happens to a ticket elsewhere."""
    ticket = await tickets.get_ticket(connection, site.district.district_id, number)
    assert ticket is not None
    await tickets.change_ticket(connection, ticket, version=ticket.version, recovered_ms=NOW_MS)
