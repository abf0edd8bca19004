"""Invented people for the demonstration: a "1" and an office in every township. No real person is meant."""

import csv
import io
from collections.abc import Sequence

from collector.setup import PEOPLE_COLUMNS

_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_GIVEN = ("建国", "秀英", "志强", "桂兰", "永红", "晓东", "玉梅", "国平", "丽华", "文军", "春燕", "明贵")


def people_sheet(codes: Sequence[tuple[str, str, str]]) -> bytes:
    """CSV of `yuanjiao-collector import` for the townships of these (station, title, code) rows."""
    townships = list(dict.fromkeys(title.split(" ")[0] for _, title, _ in codes))
    text = io.StringIO()
    sheet = csv.writer(text)
    sheet.writerow(PEOPLE_COLUMNS)
    for place, township in enumerate(townships):
        sheet.writerow((_name(place), "backbone", township, "", f"139000000{place:02d}", "", ""))
        sheet.writerow((_name(place + 40), "township", township, "", f"138000000{place:02d}", "", ""))
    return text.getvalue().encode()


def _name(number: int) -> str:
    return _SURNAMES[number % len(_SURNAMES)] + _GIVEN[number * 7 % len(_GIVEN)]
