import io
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from openpyxl import load_workbook

from collector.usage import reports
from collector.usage.reports.base import Figures, MonthlyReport, Report, quote_names
from collector.usage.reports.monthly_excel import REPORT, counts_of
from shared.discover import discover
from tests.collector.usage.reports_sample import BAOLUN, build, sample, source


def read(report: MonthlyReport, *, values: bool = True) -> Any:
    return load_workbook(io.BytesIO(REPORT.render(report)), data_only=values)


def lines(sheet: Any, first: int) -> Iterator[list[Any]]:
    for row in sheet.iter_rows(min_row=first, values_only=True):
        yield list(row)


def test_the_workbook_says_exactly_what_the_report_says() -> None:
    report = sample()
    sheet = read(report)["月报表"]
    body = list(lines(sheet, 5))
    for number, row in enumerate(report.rows, 1):
        shown = body[number - 1]
        assert shown[:2] == [number, row.title]
        assert shown[2:8] == counts_of(row)
        assert (shown[8] or "") == row.played_text
        assert row.standing_text in (shown[9] or "")
    total = report.total
    figures = [total.downloaded, total.stored, total.played, total.sessions, total.people, total.visits]
    assert body[len(report.rows)][0] == "合　计"
    assert body[len(report.rows)][2:8] == figures
    assert report.check_code in sheet.oddFooter.left.text


def test_a_zero_that_is_none_is_a_word() -> None:
    report = sample()
    body = list(lines(read(report)["月报表"], 5))
    assert body[1][2:8] == [0, 5, 0, 0, 0, 0]
    assert body[2][2:8] == [1, 2, "待补", "待补", "待补", "待补"]
    assert body[3][2:8] == ["—"] * 6
    assert body[0][9] == "待确认学习 1 次"
    assert [row[9] for row in body[1:4]] == ["本月未使用", "数据待补传，截至 9 月 20 日", "未安装"]


def test_sums_are_formulas_that_agree_with_their_cached_value() -> None:
    report = sample()
    written, cached = read(report, values=False), read(report)
    for name, row, columns in (("月报表", 10, "CDEFGH"), ("乡镇汇总", 4, "BCDEFGHI")):
        for letter in columns:
            formula = written[name][f"{letter}{row}"].value
            first = 5 if name == "月报表" else 2
            assert formula == f"=SUM({letter}{first}:{letter}{row - 1})"
            numbers = [cached[name][f"{letter}{each}"].value for each in range(first, row)]
            assert cached[name][f"{letter}{row}"].value == sum(each for each in numbers if isinstance(each, int))


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t=", "\r=", "＝", "＋", "－", "＠"])
def test_names_never_become_formulas(sign: str) -> None:
    name = f'{sign}HYPERLINK("http://example.cn","x")'
    report = build(source(1, name, Figures(), played=(name,)), township_id=BAOLUN)
    book = read(report, values=False)
    cell = book["月报表"]["B5"]
    assert (cell.data_type, cell.value, cell.quotePrefix) == ("s", name.strip(), True)
    assert cell.hyperlink is None
    names = [row[3] for row in book["课件名称"].iter_rows(min_row=2)]
    assert {(each.data_type, each.value) for each in names} == {
        ("s", f"《{name}》".replace("\t", "").replace("\r", ""))
    }


def test_control_characters_are_dropped_and_long_lists_are_cut() -> None:
    report = build(source(1, "爱国\x00\x07社区\n", Figures(), played=("长" * 20_000, "名\x1f" * 20_000)))
    cells = next(iter(lines(read(report)["月报表"], 5)))
    assert cells[1] == "爱国社区"
    assert len(cells[8]) == 32_002
    assert cells[8].endswith("……")


def test_the_form_is_ready_to_print() -> None:
    report = sample()
    sheet = read(report)["月报表"]
    assert (sheet.page_setup.orientation, sheet.page_setup.paperSize) == ("landscape", 9)
    assert sheet.print_title_rows == "$3:$4"
    # One page wide is what the format means when it says nothing of the width.
    assert (sheet.page_setup.fitToWidth, sheet.sheet_properties.pageSetUpPr.fitToPage) == (None, True)
    assert sheet.oddFooter.center.text == "第 1 页　共 1 页"
    assert sheet["A1"].value == "利州区党员干部现代远程教育终端站点月使用情况报告表"
    assert (sheet["A1"].font.name, sheet["A1"].font.size, sheet["A1"].alignment.horizontal) == ("黑体", 16, "center")
    assert [sheet[each].value for each in ("A2", "F2", "I2")] == [
        "填报单位（盖章）：利州区远程教育中心",
        "统计月份：2026 年 9 月",
        "填报日期：2026 年 10 月 2 日",
    ]
    assert {"A3:A4", "C3:E3", "I3:I4"} <= {str(each) for each in sheet.merged_cells.ranges}
    assert [sheet[f"{each}12"].value for each in "ADI"] == ["审核人：", "填报人：", "联系电话："]


def test_a_district_of_245_stations_runs_over_pages_that_are_numbered() -> None:
    figures = Figures(downloaded=1, stored=1, played=1, sessions=1, people=1, visits=1)
    report = build(*(source(number, f"村{number}", figures, played=("甲",)) for number in range(1, 246)))
    sheet = read(report)["月报表"]
    assert sheet.page_setup.fitToHeight == 0
    assert sheet.oddFooter.center.text == "第 &P 页　共 &N 页"
    assert sheet["C250"].value == 245


def test_every_name_downloaded_stored_and_played_is_in_the_workbook() -> None:
    many = tuple(f"课件{number}" for number in range(45))
    figures = Figures(downloaded=1, stored=45, played=45)
    body = list(lines(read(build(source(1, "爱国社区", figures, played=many)))["课件名称"], 2))
    assert [row[:3] for row in body] == [
        ["宝轮镇 爱国社区", "下载", 1],
        *([["宝轮镇 爱国社区", "存储", 45], *[["宝轮镇 爱国社区", "存储", None]] * 2]),
        *([["宝轮镇 爱国社区", "播放", 45], *[["宝轮镇 爱国社区", "播放", None]] * 2]),
    ]
    assert "、".join(row[3] for row in body[1:4]) == quote_names(many)


def test_evidence_stands_beside_the_figures() -> None:
    body = list(lines(read(sample())["证据与数据"], 2))
    assert body[0][:5] == ["宝轮镇 爱国社区", 0, "E3 10 分钟", "100%", 0]
    assert body[4][:4] == ["大石镇 红岩村", 40, "E2 40 分钟", "0%"]
    assert body[3][9] == "未安装"


def test_the_same_report_is_the_same_file() -> None:
    assert REPORT.render(sample()) == REPORT.render(sample())
    names = zipfile.ZipFile(io.BytesIO(REPORT.render(sample()))).namelist()
    assert not [each for each in names if "macro" in each.lower() or "external" in each.lower()]


def test_a_township_without_stations_makes_an_empty_form() -> None:
    sheet = read(build())["月报表"]
    assert (sheet["A5"].value, sheet["C5"].value) == ("合　计", 0)


def test_forms_are_found_by_their_file() -> None:
    assert set(discover(reports, "REPORT", Report)) == {"monthly", "monthly_excel"}
