import io
import re

import openpyxl
import pytest

from collector.usage import pages
from tests.office import Office, csrf_of


def rows(page: str) -> list[list[str]]:
    body = page.split('class="form-table"', 1)[1].split("<tbody>", 1)[1].split("</table>", 1)[0]
    lines = re.findall(r"<tr.*?</tr>", body, re.DOTALL)
    return [
        [re.sub(r"<[^>]+>|\s+", " ", cell).strip() for cell in re.findall(r"<t[dh].*?</t[dh]>", line, re.DOTALL)]
        for line in lines
    ]


def check_code(page: str) -> str:
    return str(re.findall(r"校验码：<strong>([^<]+)<", page)[0])


def test_the_form_on_the_screen_has_people_and_visits(office: Office) -> None:
    with office.signed_in("宝轮镇管理员") as client:
        page = client.get("/reports/monthly?month=2026-09").text
    table = rows(page)
    assert table[0][:8] == ["1", "爱国社区", "1", "1", "1", "1", "23", "25"]
    assert "《 黄羊饲养 》" in table[0][8]
    assert "待确认 1 次" in table[0][9]
    assert table[-1][:7] == ["合计", "1", "1", "1", "1", "23", "25"]


def test_minutes_for_which_only_the_player_speaks_are_told_wherever_minutes_are_read(office: Office) -> None:
    with office.signed_in("宝轮镇管理员") as client:
        page = client.get("/reports/monthly?month=2026-09").text
        station = client.get(f"/stations/{office.district.stations['宝轮镇 爱国社区']}").text
        name = re.findall(r'href="(/reports/monthly/[^"]+)">下载 Excel', page)[0].replace("&amp;", "&")
        answer = client.get(name)
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content))["证据与数据"]
    assert "▲ 50 分钟播放未见打开文件" in rows(page)[0][9]
    assert station.count("▲ 未见打开文件") == 1
    assert [sheet["E1"].value, sheet["E2"].value, sheet["E3"].value] == ["未见打开文件（分钟）", 50, 0]


def test_not_installed_is_no_zero(office: Office) -> None:
    with office.signed_in("宝轮镇管理员") as client:
        table = rows(client.get("/reports/monthly?month=2026-09").text)
    assert table[1][1:8] == ["红星村", *["—"] * 6]
    assert "未安装" in table[1][9]


def test_the_workbook_has_the_same_figures_and_check_code(office: Office) -> None:
    with office.signed_in("宝轮镇管理员") as client:
        page = client.get("/reports/monthly?month=2026-09").text
        name = re.findall(r'href="(/reports/monthly/[^"]+)">下载 Excel', page)[0].replace("&amp;", "&")
        answer = client.get(name)
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content)).worksheets[0]
    values = [str(cell.value) for line in sheet.iter_rows() for cell in line if cell.value is not None]
    footer = str(sheet.oddFooter.left.text) + str(sheet.oddFooter.center.text) + str(sheet.oddFooter.right.text)
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "爱国社区" in values
    assert "25" in values
    assert check_code(page) in footer + "".join(values)


def test_worst_first_puts_the_idle_before_the_busy_and_the_unknown_last(office: Office) -> None:
    with office.signed_in("主任") as client:
        official = [row[1] for row in rows(client.get("/reports/monthly?month=2026-09").text)]
        worst = [row[1] for row in rows(client.get("/reports/monthly?month=2026-09&order=worst").text)]
    assert official == ["宝轮镇 爱国社区", "宝轮镇 红星村", "大石镇 红岩村", "1"]
    assert worst[0] == "宝轮镇 爱国社区"
    assert set(worst[1:3]) == {"宝轮镇 红星村", "大石镇 红岩村"}


def test_a_month_that_has_not_begun_shows_the_running_one(office: Office) -> None:
    with office.signed_in("主任") as client:
        for month in ("2030-01", "nonsense", ""):
            assert "2026 年 9 月" in client.get(f"/reports/monthly?month={month}").text


def test_a_township_gets_no_report_of_another(office: Office) -> None:
    other = office.district.townships["大石镇"]
    with office.signed_in("宝轮镇管理员") as client:
        page = client.get(f"/reports/monthly?township={other}").text
    assert "红岩村" not in page
    assert "宝轮镇" in page


def test_a_large_district_is_shown_by_township(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_ROWS", 2)
    with office.signed_in("主任") as client:
        table = rows(client.get("/reports/monthly?month=2026-09").text)
    assert [row[1] for row in table] == ["宝轮镇", "大石镇", "3"]
    assert table[0][2:] == ["2", "1", "1", "1", "1", "1", "23", "25"]


def test_a_proposed_session_is_confirmed_on_the_station_page(office: Office) -> None:
    station = office.district.stations["宝轮镇 爱国社区"]
    with office.signed_in("宝轮镇骨干") as client:
        page = client.get(f"/stations/{station}").text
        session = re.findall(r'name="session_id" value="([^"]+)"', page)[0]
        form = {
            "csrf": csrf_of(page),
            "session_id": session,
            "kind": "三会一课",
            "topic": "党课",
            "people": "30",
            "visits": "31",
        }
        answer = client.post(f"/stations/{station}/sessions", data=form)
        after = client.get(answer.headers["location"]).text
        again = client.post(f"/stations/{station}/sessions", data=form)
    assert "计入本月报表" in after
    assert "已确认" in after
    assert again.status_code == 409
    assert "已经有人登记过了" in again.text


def test_a_large_district_shows_every_station_when_asked(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_ROWS", 2)
    with office.signed_in("主任") as client:
        every = rows(client.get("/reports/monthly?month=2026-09&each=1").text)
        worst = rows(client.get("/reports/monthly?month=2026-09&order=worst").text)
    assert [row[1] for row in every[:3]] == ["宝轮镇 爱国社区", "宝轮镇 红星村", "大石镇 红岩村"]
    assert [row[1] for row in worst[:2]] == ["大石镇", "宝轮镇"]
