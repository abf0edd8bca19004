"""An office's own list of people: read in whatever form it is kept, shown row by row, written whole or not at all."""

import io
import re
import zipfile
from collections.abc import Sequence
from typing import Any

import pytest
from openpyxl import Workbook
from starlette.testclient import TestClient

from collector.errors import BadInputError
from collector.operators.lists import LARGEST, Line, read_list
from collector.people.queries import Person, Role, list_people
from tests.office import Office, csrf_of, write

HEADER = ["姓名", "类别", "乡镇", "站点", "联系电话", "专长", "职责"]
WANG: list[str | int] = ["王五", "骨干", "宝轮镇", "", 13900001111, "网络、软件", "管好本镇设备"]
LI: list[str | int] = ["李四", "普通", "宝轮镇", "红星村", "13900002222", "", ""]


def workbook(*rows: Sequence[Any]) -> bytes:
    book, file = Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(file)
    return file.getvalue()


def upload(client: TestClient, content: bytes) -> Any:
    csrf = csrf_of(client.get("/operators/import").text)
    return client.post("/operators/import", data={"csrf": csrf}, files={"list": ("名单.xlsx", content)})


def confirm(client: TestClient, page: str) -> Any:
    (content,) = re.findall(r'name="content" value="([^"]*)"', page)
    return client.post("/operators/import/apply", data={"csrf": csrf_of(page), "content": content})


def fates(page: str) -> list[str]:
    return re.findall(r"</span> (新增|修改|不变|要改正)</span>", page)


def everybody(office: Office) -> dict[str, Person]:
    found = write(office.url, lambda connection: list_people(connection, office.district.district_id))
    return {each.name: each for each in found}


def test_a_list_below_a_title_with_other_words_and_columns_is_read() -> None:
    content = workbook(
        ["利州区操作员名单"], [], ["序号", " 姓 名", "手机号码", "备注"], [1, "王五", 13900001111, "x"], [2, None]
    )
    assert read_list(content) == [Line(4, {"name": "王五", "phone": "13900001111"})]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_csv_is_read_as_wps_saves_it(encoding: str) -> None:
    assert read_list("姓名,类别\n王五,骨干\n".encode(encoding)) == [Line(2, {"name": "王五", "role": "骨干"})]


def bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", bytes(40 * 1024 * 1024))
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "没有“姓名”一列"),
        (workbook(["名字呢"]), "没有“姓名”一列"),
        (workbook(HEADER), "表里没有人"),
        (b"PK\x03\x04 not a workbook", "打不开"),
        (b"\xd0\xcf\x11\xe0" + bytes(600), "打不开"),
        (b"\xff\xff\xff\x00", "打不开"),
        (bytes(LARGEST + 1), "文件太大"),
        (bomb(), "文件太大"),
    ],
)
def test_what_cannot_be_read_says_what_to_do(content: bytes, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        read_list(content)


def test_every_row_is_shown_and_then_written_once(office: Office) -> None:
    with office.signed_in("主任") as client:
        shown = upload(client, workbook(HEADER, WANG, LI)).text
        assert fates(shown) == ["新增", "新增"]
        assert "王五" not in everybody(office)
        done = confirm(client, shown).text
        assert "新增 2 人" in done
        again = upload(client, workbook(HEADER, WANG, LI)).text
        assert fates(again) == ["不变", "不变"]
    wang, li = everybody(office)["王五"], everybody(office)["李四"]
    assert (wang.role, wang.phone, wang.skills) == (Role.BACKBONE, "13900001111", frozenset({"network", "software"}))
    assert (li.role, li.station_id) == (Role.PLAIN, office.district.stations["宝轮镇 红星村"])


def test_a_list_changes_what_it_names_and_leaves_the_rest(office: Office) -> None:
    with office.signed_in("主任") as client:
        confirm(client, upload(client, workbook(HEADER, WANG)).text)
        masked = ["王五", "", "宝轮镇", "139****1111", "供电"]
        changed = upload(client, workbook(["姓名", "类别", "乡镇", "电话", "专长"], masked)).text
        assert fates(changed) == ["修改"]
        assert "修改 1 人" in confirm(client, changed).text
        page = client.get(f"/operators/{everybody(office)['王五'].person_id}").text
    wang = everybody(office)["王五"]
    assert (wang.phone, wang.skills, wang.role) == ("13900001111", frozenset({"power"}), Role.BACKBONE)
    assert "管好本镇设备" in page


def test_one_wrong_row_keeps_all_of_them_out(office: Office) -> None:
    rows: list[list[str | int]] = [
        WANG,
        WANG,
        ["赵六", "站长", "宝轮镇"],
        ["赵六", "骨干", "没有镇"],
        ["赵六", "普通", "宝轮镇", "没有村"],
        ["赵六", "普通", "宝轮镇"],
        ["钱七", "骨干", "宝轮镇", "", "座机"],
        ["赵六", "骨干", "大石镇", "", "", "唱歌"],
    ]
    with office.signed_in("主任") as client:
        page = upload(client, workbook(HEADER, *rows)).text
        assert fates(page) == ["新增", *["要改正"] * 7]
        assert 'name="content"' not in page
    for word in (
        "与第 2 行重复",
        "类别应是",
        "没有叫“没有镇”的乡镇",
        "没有叫“没有村”",
        "请选择站点",
        "电话只能是数字",
        "没有叫“唱歌”",
    ):
        assert word in page
    assert "王五" not in everybody(office)


def test_a_township_imports_its_own_people_only(office: Office) -> None:
    rows: list[list[Any]] = [
        WANG,
        ["赵六", "骨干", "大石镇"],
        ["钱七", "管理站", "宝轮镇"],
        ["宝轮镇管理员", "骨干", "宝轮镇"],
    ]
    with office.signed_in("宝轮镇管理员") as client:
        page = upload(client, workbook(HEADER, *rows)).text
    assert fates(page) == ["新增", "要改正", "要改正", "要改正"]


def test_who_does_not_manage_people_imports_nobody(office: Office) -> None:
    with office.signed_in("宝轮镇骨干") as client:
        assert client.get("/operators/import").status_code == 403
