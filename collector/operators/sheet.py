"""The list of operators as rows for a spreadsheet. Pure; phones stay masked."""

from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from collector.faults.rules.base import Category
from collector.operators.service import CLASSES, Row
from collector.tickets.words import CATEGORIES
from collector.web.i18n import msgid

_COLUMNS = tuple(
    map(
        msgid,
        ("姓名", "类别", "乡镇（街道）", "站点", "电话", "专长", "今年培训次数", "资格到期", "未办结工单", "休假至"),
    )
)


def make_sheet(
    rows: Sequence[Row],
    translate: Callable[[str], str],
    *,
    areas: Mapping[UUID, str],
    stations: Mapping[int, str],
) -> list[list[object]]:
    """A line of headings and a line a person. `areas` and `stations` are names by number."""
    sheet: list[list[object]] = [[translate(each) for each in _COLUMNS]]
    for row in rows:
        person = row.person
        sheet.append(
            [
                person.name,
                translate(CLASSES[person.role]),
                areas.get(person.area_id, "") if person.area_id else "",
                stations.get(person.station_id or 0, ""),
                row.phone,
                translate("、").join(translate(CATEGORIES[Category(each)]) for each in sorted(person.skills)),
                row.trained,
                row.expires or "",
                row.load,
                "" if row.away is None else row.away.to_day,
            ]
        )
    return sheet
