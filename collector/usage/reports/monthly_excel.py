"""The monthly report as the office's form: an Excel workbook, A4 landscape, ready to be stamped.

Text from stations never becomes a formula or a link, and control characters are dropped. Sums are formulas that
carry their value, so that viewers which do not calculate show them too.
"""

import io
import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from collector.usage.reports.base import Figures, MonthlyReport, Report, Standing, StationMonth, quote_names

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_SIGNS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_LONGEST = 32_000
_COUNTS = ("downloaded", "stored", "played", "sessions", "people", "visits")
_WIDTHS = (5, 20, 6.5, 6.5, 6.5, 9.5, 9.5, 9.5, 62, 25)
_NAMES, _NOTE = 8, 9
_HEAD, _FIRST = 2, 4
_LINE_PT, _ROOM_PT, _ONE_PAGE_PT = 13.0, 5.5, 700
_NAMES_WIDTH, _NAMES_A_LINE = 110, 20
_FOOT = "注：参学人次为各次学习到场人次之和。“待补”表示数据尚未传回、“—”表示尚未安装，均不是零；备注写明截至日期。"


@dataclass(frozen=True, slots=True)
class _Book:
    """The workbook being written, with its cell styles by name."""

    file: Any
    styles: dict[str, Any]

    def text(self, sheet: Any, row: int, column: int, value: str, style: str = "text") -> None:
        """Write text as text, whatever it begins with."""
        shown = _clean(value)
        kind = f"{style}!" if shown.startswith(_SIGNS) and f"{style}!" in self.styles else style
        sheet.write_string(row, column, shown, self.styles[kind])


def render_excel(report: MonthlyReport) -> bytes:
    import xlsxwriter  # noqa: PLC0415 - only who makes a workbook loads the library

    buffer = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    file = xlsxwriter.Workbook(buffer, options)
    made = datetime(report.made_on.year, report.made_on.month, report.made_on.day, tzinfo=UTC)
    file.set_properties({"title": report.title, "author": _clean(report.unit), "created": made.replace(tzinfo=None)})
    book = _Book(file, _styles(file))
    _write_form(book, report)
    if report.is_whole_district:
        _write_townships(book, report)
    _write_names(book, report)
    _write_evidence(book, report)
    file.close()
    return buffer.getvalue()


REPORT = Report(
    name="monthly_excel",
    title="月使用情况报告表（Excel）",
    suffix=".xlsx",
    media_type=MEDIA_TYPE,
    render=render_excel,
)


def _write_form(book: _Book, report: MonthlyReport) -> None:
    sheet = book.file.add_worksheet("月报表")
    heights = [_height(_title(report, row), row) for row in report.rows]
    # A township fits one sheet of paper, a little smaller if need be; a district runs over several.
    _set_page(sheet, report, last_head=_FIRST - 1, is_one_page=sum(heights) <= _ONE_PAGE_PT)
    for column, width in enumerate(_WIDTHS):
        sheet.set_column(column, column, width)
    _write_head(book, sheet, report)
    for number, row in enumerate(report.rows, 1):
        sheet.set_row(_FIRST + number - 1, heights[number - 1])
        _write_station(book, sheet, _FIRST + number - 1, number, row, title=_title(report, row))
    end = _FIRST + len(report.rows)
    _write_total(book, sheet, end, report.total, first=_FIRST, label_to=1, tail=(_NAMES, _NOTE))
    sheet.merge_range(end + 1, 0, end + 1, _NOTE, _FOOT, book.styles["note"])
    sheet.set_row(end + 2, 30)
    for first, last, label in ((0, 2, "审核人："), (3, 7, "填报人："), (8, 9, "联系电话：")):
        sheet.merge_range(end + 2, first, end + 2, last, label, book.styles["sign"])


def _write_head(book: _Book, sheet: Any, report: MonthlyReport) -> None:
    """Title, the line of unit, month and date, and the head of two rows."""
    sheet.set_row(0, 34)
    sheet.merge_range(0, 0, 0, _NOTE, _clean(report.title), book.styles["title"])
    sheet.set_row(1, 22)
    sheet.merge_range(1, 0, 1, 4, f"填报单位（盖章）：{_clean(report.unit)}", book.styles["line"])
    sheet.merge_range(1, 5, 1, 7, f"统计月份：{report.month_text}", book.styles["line"])
    sheet.merge_range(1, 8, 1, 9, f"填报日期：{report.made_text}", book.styles["line right"])
    head = book.styles["head"]
    names = {0: "序号", 1: "终端站点", 5: "学习次数", 6: "参学人数", 7: "参学人次", 8: "播放课件名称", 9: "备注"}
    for column, name in names.items():
        sheet.merge_range(_HEAD, column, _HEAD + 1, column, name, head)
    sheet.merge_range(_HEAD, 2, _HEAD, 4, "课件（部）", head)
    for column, name in enumerate(("下载", "存储", "播放"), 2):
        sheet.write_string(_HEAD + 1, column, name, head)
    sheet.set_row(_HEAD, 19)
    sheet.set_row(_HEAD + 1, 19)
    sheet.freeze_panes(_FIRST, 2)


def _write_station(book: _Book, sheet: Any, at: int, number: int, row: StationMonth, *, title: str) -> None:
    sheet.write_number(at, 0, number, book.styles["number"])
    book.text(sheet, at, 1, title)
    for column, value in enumerate(counts_of(row), 2):
        if isinstance(value, int):
            sheet.write_number(at, column, value, book.styles["number"])
        else:
            book.text(sheet, at, column, value, "absent")
    book.text(sheet, at, _NAMES, row.played_text)
    book.text(sheet, at, _NOTE, _note(row))


def counts_of(row: StationMonth) -> list[int | str]:
    """The six numbers of a line. A zero that is none is a word: 待补 while data is to come, — where nothing is."""
    word = {Standing.PENDING: "待补", Standing.NOT_INSTALLED: "—"}.get(row.standing)
    values = [int(getattr(row.figures, name)) for name in _COUNTS]
    return [word if word is not None and value == 0 else value for value in values]


def _write_total(
    book: _Book, sheet: Any, at: int, total: Figures, *, first: int, label_to: int, tail: Sequence[int]
) -> None:
    """The line 合计: formulas over the lines above that carry the value."""
    sheet.set_row(at, 22)
    if label_to:
        sheet.merge_range(at, 0, at, label_to, "合　计", book.styles["total"])
    else:
        sheet.write_string(at, 0, "合　计", book.styles["total"])
    for column, name in enumerate(_COUNTS, label_to + 1):
        value = int(getattr(total, name))
        letter = "ABCDEFGHIJ"[column]
        formula = f"=SUM({letter}{first + 1}:{letter}{at})" if at > first else "=0"
        sheet.write_formula(at, column, formula, book.styles["total"], value)
    for column in tail:
        sheet.write_blank(at, column, None, book.styles["total"])


def _write_townships(book: _Book, report: MonthlyReport) -> None:
    sheet = _add_sheet(book, report, "乡镇汇总")
    heads = (
        "乡镇（街道）",
        "下载（部）",
        "存储（部）",
        "播放（部）",
        "学习次数",
        "参学人数",
        "参学人次",
        "站点",
        "数据齐全",
    )
    _write_table_head(book, sheet, heads, (18, 11, 11, 11, 11, 11, 11, 9, 11))
    for at, each in enumerate(report.townships, 1):
        book.text(sheet, at, 0, each.township)
        values = [*(int(getattr(each.figures, name)) for name in _COUNTS), each.stations, each.known]
        for column, value in enumerate(values, 1):
            sheet.write_number(at, column, value, book.styles["number"])
    end = len(report.townships) + 1
    _write_total(book, sheet, end, report.total, first=1, label_to=0, tail=())
    for column, name in ((7, "stations"), (8, "known")):
        value = sum(int(getattr(each, name)) for each in report.townships)
        letter = "ABCDEFGHIJ"[column]
        sheet.write_formula(end, column, f"=SUM({letter}2:{letter}{end})", book.styles["total"], value)


def _write_names(book: _Book, report: MonthlyReport) -> None:
    """Names downloaded, stored and played, a few to a line, so that the sheet prints and can be filtered."""
    sheet = _add_sheet(book, report, "课件名称")
    _write_table_head(book, sheet, ("终端站点", "类别", "部数", "课件名称"), (24, 8, 7, _NAMES_WIDTH))
    at = 0
    for row in report.rows:
        for kind, name in (("下载", "downloaded"), ("存储", "stored"), ("播放", "played")):
            names: tuple[str, ...] = getattr(row, f"{name}_names")
            for first in range(0, len(names), _NAMES_A_LINE):
                at += 1
                text = quote_names(names[first : first + _NAMES_A_LINE])
                sheet.set_row(at, min(409, _ROOM_PT + _lines(text, _NAMES_WIDTH) * _LINE_PT))
                book.text(sheet, at, 0, row.title)
                book.text(sheet, at, 1, kind, "centre")
                if first == 0:
                    sheet.write_number(at, 2, getattr(row.figures, name), book.styles["number"])
                else:
                    sheet.write_blank(at, 2, None, book.styles["number"])
                book.text(sheet, at, 3, text)
    sheet.autofilter(0, 0, max(at, 1), 3)


def _write_evidence(book: _Book, report: MonthlyReport) -> None:
    """What the figures rest on: minutes at each level of evidence, and whether all data has come."""
    sheet = _add_sheet(book, report, "证据与数据")
    heads = (
        "终端站点",
        "内容分钟",
        "各级证据",
        "佐证占比",
        "未见打开文件（分钟）",
        "待确认学习",
        "时间存疑",
        "剔除播放",
        "数据完整性",
        "说明",
    )
    _write_table_head(book, sheet, heads, (24, 10, 40, 10, 12, 12, 10, 10, 24, 30))
    for at, row in enumerate(report.rows, 1):
        figures = row.figures
        book.text(sheet, at, 0, row.title)
        doubts = (figures.uncorroborated_minutes, figures.proposed, figures.uncertain, figures.impossible)
        for column, value in ((1, figures.content_minutes), *enumerate(doubts, 4)):
            sheet.write_number(at, column, value, book.styles["number"])
        book.text(sheet, at, 2, figures.level_text)
        book.text(sheet, at, 3, figures.coverage_text, "centre")
        book.text(sheet, at, 8, row.completeness.text)
        book.text(sheet, at, 9, row.standing_text)


def _add_sheet(book: _Book, report: MonthlyReport, name: str) -> Any:
    """A sheet behind the form, with its name over each printed page."""
    sheet = book.file.add_worksheet(name)
    _set_page(sheet, report, last_head=0)
    unit = _clean(report.unit).replace("&", "&&")[:60]
    sheet.set_margins(left=0.5, right=0.5, top=0.8, bottom=0.6)
    sheet.set_header(f"&L&9 {unit}&C&12 月使用情况 · {name}&R&9 {report.month_text}")
    sheet.set_default_row(17)
    return sheet


def _write_table_head(book: _Book, sheet: Any, heads: Iterable[str], widths: Iterable[float]) -> None:
    sheet.set_row(0, 22)
    sheet.freeze_panes(1, 1)
    for column, (name, width) in enumerate(zip(heads, widths, strict=True)):
        sheet.set_column(column, column, width)
        sheet.write_string(0, column, name, book.styles["head"])


def _set_page(sheet: Any, report: MonthlyReport, *, last_head: int, is_one_page: bool = False) -> None:
    """A4 landscape, one page wide, head repeated, check code and page number at the foot."""
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.set_margins(left=0.5, right=0.5, top=0.5, bottom=0.6)
    sheet.center_horizontally()
    sheet.fit_to_pages(1, 1 if is_one_page else 0)
    sheet.repeat_rows(0 if last_head == 0 else _HEAD, last_head)
    sheet.hide_gridlines(2)
    # Some programs count the pages of all sheets together; of a form on one page the number is known.
    pages = "第 1 页　共 1 页" if is_one_page else "第 &P 页　共 &N 页"
    sheet.set_footer(f"&L&9校验码：{report.check_code}&C&9{pages}&R&9 {report.month_text}")


def _height(title: str, row: StationMonth) -> float:
    """Points a line of the form needs: said outright, for not every office program works it out."""
    texts = ((title, 1), (row.played_text, _NAMES), (_note(row), _NOTE))
    return min(409, _ROOM_PT + max(_lines(text, _WIDTHS[column]) for text, column in texts) * _LINE_PT)


def _note(row: StationMonth) -> str:
    """Standing, and what waits for a person: sessions nobody has confirmed, what a lost computer told."""
    waiting = f"待确认学习 {row.figures.proposed} 次" if row.figures.proposed else ""
    return "；".join(each for each in (row.standing_text, waiting, *(lost.text for lost in row.losses)) if each)


def _title(report: MonthlyReport, row: StationMonth) -> str:
    """In a township's own form the township is already told; elsewhere a station is always 乡镇 村."""
    return row.title if report.is_whole_district else row.name


def _styles(file: Any) -> dict[str, Any]:
    body = {"font_name": "宋体", "font_size": 10, "valign": "vcenter"}
    box = {**body, "border": 1}
    head = {**box, "font_name": "黑体", "align": "center", "text_wrap": True, "bg_color": "#E8EDF4"}
    plans: dict[str, dict[str, Any]] = {
        "title": {**body, "font_name": "黑体", "font_size": 16, "bold": True, "align": "center"},
        "line": {**body, "font_size": 11},
        "line right": {**body, "font_size": 11, "align": "right"},
        "head": head,
        "text": {**box, "text_wrap": True, "indent": 1},
        "text!": {**box, "text_wrap": True, "indent": 1, "quote_prefix": True},
        "centre": {**box, "align": "center"},
        "absent": {**box, "align": "center", "font_color": "#7F7F7F"},
        "number": {**box, "align": "center", "num_format": "0"},
        "total": {**box, "font_name": "黑体", "bold": True, "align": "center", "num_format": "0"},
        "note": {**body, "font_size": 9, "font_color": "#595959"},
        "sign": {**body, "font_size": 11},
    }
    return {name: file.add_format(plan) for name, plan in plans.items()}


def _clean(text: str) -> str:
    """Without control characters, and short enough for a cell."""
    kept = (
        text if text.isprintable() else "".join(sign for sign in text if unicodedata.category(sign) not in {"Cc", "Cs"})
    )
    return kept if len(kept) <= _LONGEST else f"{kept[:_LONGEST]}……"


def _lines(text: str, width: float) -> int:
    """Lines a wrapped text needs in a column of this width; a Chinese sign is two units wide."""
    units = sum(2 if unicodedata.east_asian_width(sign) in "WFA" else 1 for sign in text)
    return max(1, math.ceil(units / (width - 1.5)))
