import csv
import io

import pytest

from collector.web.sheets import csv_file


@pytest.mark.parametrize("cell", ["=1+1", "+86 139", "-1", "@SUM(A1)", "\t=1"])
def test_no_text_becomes_a_formula(cell: str) -> None:
    rows = list(csv.reader(io.StringIO(bytes(csv_file("a.csv", [["名", cell, -5]]).body).decode("utf-8-sig"))))
    assert rows == [["名", f"'{cell}", "-5"]]


def test_the_file_is_named_and_marked_as_utf_8() -> None:
    answer = csv_file("利州区.csv", [["灯泡"]])
    assert bytes(answer.body) == b"\xef\xbb\xbf" + "灯泡\r\n".encode()
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''%E5%88%A9%E5%B7%9E%E5%8C%BA.csv"
