"""Reads a list of people as offices keep it: an Excel or WPS workbook, new or old, or CSV. Pure.

The header may stand below a title, its words may vary; columns nobody knows are left alone.
"""

import csv
import io
import unicodedata
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from python_calamine import CalamineError, CalamineWorkbook, PasswordError

from collector.errors import BadInputError

LARGEST = 256 * 1024
"""Bytes of a file: a list of thousands of people."""
_UNPACKED = 32 * 1024 * 1024
_MOST_ROWS = 3_000
_TITLE_ROWS = 10
_CELL = 2_000

HEADERS: Mapping[str, Sequence[str]] = {
    "name": ("姓名", "名字", "人员姓名"),
    "role": ("类别", "人员类别", "身份", "操作员类别"),
    "township": ("乡镇(街道)", "乡镇", "街道", "所属乡镇", "单位"),
    "station": ("站点", "终端站点", "村(社区)", "村", "社区"),
    "phone": ("电话", "手机", "手机号", "手机号码", "联系电话"),
    "email": ("邮箱", "电子邮箱", "邮件"),
    "skills": ("专长", "特长"),
    "duties": ("职责", "岗位职责"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One row with a name. `number` is the row as the sheet counts; a column the list lacks is missing."""

    number: int
    values: Mapping[str, str]


def read_list(content: bytes) -> list[Line]:
    """Everybody in the first sheet. Raises BadInputError with what to change."""
    if len(content) > LARGEST:
        raise BadInputError("文件太大。请只保留人员名单一张表，另存后再上传。")
    rows = list(_read_rows(content))
    top = next((number for number, row in enumerate(rows[:_TITLE_ROWS]) if "name" in _columns(row)), None)
    if top is None:
        raise BadInputError("前 10 行里没有“姓名”一列。请在表头写上：姓名、类别、乡镇、站点、电话。")
    columns = _columns(rows[top])
    lines = [
        Line(number, {name: row[place].strip() if place < len(row) else "" for name, place in columns.items()})
        for number, row in enumerate(rows[top + 1 :], start=top + 2)
    ]
    found = [line for line in lines if line.values["name"]]
    if not found:
        raise BadInputError("表里没有人。请从表头的下一行起每行写一个人。")
    if len(found) > _MOST_ROWS:
        raise BadInputError("一次最多导入 3000 人。请分成几个文件。")
    return found


def _columns(row: Sequence[str]) -> dict[str, int]:
    """Where each known column stands: the leftmost of those that bear its name."""
    found: dict[str, int] = {}
    for place, text in enumerate(row):
        word = "".join(unicodedata.normalize("NFKC", text).split())
        for name, words in HEADERS.items():
            if word in words:
                found.setdefault(name, place)
    return found


def _read_rows(content: bytes) -> Iterator[list[str]]:
    if content.startswith((b"PK", b"\xd0\xcf\x11\xe0")):
        yield from _read_workbook(content)
    else:
        yield from csv.reader(io.StringIO(_decode(content)))


def _read_workbook(content: bytes) -> Iterator[list[str]]:
    try:
        _check_size(content)
        sheet = CalamineWorkbook.from_object(io.BytesIO(content)).get_sheet_by_index(0)
        for row in sheet.to_python(skip_empty_area=False, nrows=_MOST_ROWS + 2 * _TITLE_ROWS):
            yield [_text(cell) for cell in row]
    except PasswordError as error:
        raise BadInputError("文件有密码。请去掉密码，另存后再上传。") from error
    except (CalamineError, zipfile.BadZipFile, OSError) as error:
        raise BadInputError("这个文件打不开。请在 WPS 或 Excel 中另存为 .xlsx 后再上传。") from error


def _check_size(content: bytes) -> None:
    """A small file may unpack to a very large one."""
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(each.file_size for each in packed.infolist()) > _UNPACKED:
                raise BadInputError("文件太大。请只保留人员名单一张表，另存后再上传。")


def _decode(content: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadInputError("这个文件打不开。请在 WPS 或 Excel 中另存为 .xlsx 后再上传。")


def _text(cell: object) -> str:
    """A cell as it is read: a phone number that was typed as a number has no decimals."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)[:_CELL]
