"""Reads a register of townships and villages from CSV (UTF-8 or GB18030). Pure; every error names its line."""

import csv
import io
from dataclasses import dataclass

from collector.errors import BadInputError

COLUMNS = ("township_code", "township", "village_code", "village", "village_short")
_QUASI_UNITS = "4"
_OFFICES = ("街道办事处", "办事处")


@dataclass(frozen=True, slots=True)
class Village:
    code: str
    name: str
    short: str


@dataclass(frozen=True, slots=True)
class Township:
    code: str
    name: str
    short: str
    villages: tuple[Village, ...]


def read_register(content: bytes) -> list[Township]:
    """Townships in the order of the file, each with its villages.

    Units that are townships only to statisticians (code 4xx behind the district's six digits) are left out.
    Raises BadInputError with the line and what to write there.
    """
    rows = csv.DictReader(io.StringIO(_decode(content)))
    if tuple(rows.fieldnames or ()) != COLUMNS:
        message = f"第 1 行的列名应为：{'、'.join(COLUMNS)}"
        raise BadInputError(message)
    names: dict[str, str] = {}
    villages: dict[str, list[Village]] = {}
    for line, row in enumerate(rows, start=2):
        code = _code(row["township_code"], 9, line, "township_code")
        if code[6] == _QUASI_UNITS:
            continue
        village = Village(
            _code(row["village_code"], 12, line, "village_code"),
            _text(row["village"], line, "village"),
            _text(row["village_short"], line, "village_short"),
        )
        names.setdefault(code, _text(row["township"], line, "township"))
        villages.setdefault(code, []).append(village)
    return [Township(code, name, _short(name), tuple(villages[code])) for code, name in names.items()]


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return content.decode("gb18030")
    except UnicodeDecodeError as error:
        raise BadInputError("文件既不是 UTF-8 也不是 GB18030 编码。请在 WPS 或 Excel 中另存为 CSV UTF-8。") from error


def _code(value: str | None, digits: int, line: int, column: str) -> str:
    text = (value or "").strip()
    if len(text) != digits or not text.isdecimal():
        message = f"第 {line} 行 {column} 应为 {digits} 位数字，现在是「{text}」。"
        raise BadInputError(message)
    return text


def _text(value: str | None, line: int, column: str) -> str:
    text = (value or "").strip()
    if not text:
        message = f"第 {line} 行 {column} 是空的，请填写名称。"
        raise BadInputError(message)
    return text


def _short(name: str) -> str:
    """`东坝街道办事处` is called 东坝街道; a 镇 or 乡 keeps its name."""
    if name.endswith(_OFFICES[0]):
        return name.removesuffix("办事处")
    return name.removesuffix(_OFFICES[1])
