"""The monthly report as a value, and the contract of the forms that render it. Knows no database and no web.

Every form shows this one value, so that screen, Excel and print can only agree; the check code printed on each is
a short hash of its figures.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID


class Standing(StrEnum):
    """How a station's figures are to be read. These are four displays, never one."""

    KNOWN = "known"
    ZERO = "zero"
    PENDING = "pending"
    NOT_INSTALLED = "not_installed"


@dataclass(frozen=True, slots=True)
class Figures:
    """The numbers of a form. Courseware in works (部); time in whole seconds; `e1_s`..`e4_s` seconds at that level.

    `uncorroborated_s` is how much of `played_s` only the player's own record tells: nobody held the file open.
    """

    downloaded: int = 0
    stored: int = 0
    played: int = 0
    playbacks: int = 0
    sessions: int = 0
    proposed: int = 0
    people: int = 0
    visits: int = 0
    content_s: int = 0
    played_s: int = 0
    e1_s: int = 0
    e2_s: int = 0
    e3_s: int = 0
    e4_s: int = 0
    impossible: int = 0
    uncertain: int = 0
    uncorroborated_s: int = 0

    @property
    def content_minutes(self) -> int:
        return round(self.content_s / 60)

    @property
    def uncorroborated_minutes(self) -> int:
        return round(self.uncorroborated_s / 60)

    @property
    def level_minutes(self) -> dict[str, int]:
        """Minutes at each evidence level, e.g. {"E2": 40, "E3": 95}; levels without a minute are left out."""
        levels = {"E1": self.e1_s, "E2": self.e2_s, "E3": self.e3_s, "E4": self.e4_s}
        return {level: round(seconds / 60) for level, seconds in levels.items() if round(seconds / 60)}

    @property
    def coverage(self) -> float | None:
        """Share of the time for which projector or sound bear witness (E3 and better). None when nothing played."""
        known = self.e1_s + self.e2_s + self.e3_s + self.e4_s
        return (self.e3_s + self.e4_s) / known if known else None

    @property
    def level_text(self) -> str:
        """`E3 95 分钟、E2 40 分钟`, best first; a dash when nothing played."""
        parts = [f"{level} {minutes} 分钟" for level, minutes in sorted(self.level_minutes.items(), reverse=True)]
        return "、".join(parts) or "—"

    @property
    def coverage_text(self) -> str:
        return "—" if self.coverage is None else f"{self.coverage:.0%}"

    @staticmethod
    def total(parts: "Iterable[Figures]") -> "Figures":
        """Column by column sum."""
        rows = list(parts)
        return Figures(**{each.name: sum(getattr(row, each.name) for row in rows) for each in fields(Figures)})


@dataclass(frozen=True, slots=True)
class Completeness:
    """Conservation of facts: what a station produced = `stored` + `lost` (declared gaps); `waiting` still to come."""

    stored: int = 0
    lost: int = 0
    waiting: int = 0

    @property
    def produced(self) -> int:
        return self.stored + self.lost

    @property
    def text(self) -> str:
        if self.waiting:
            return f"待补传 {self.waiting} 条"
        return f"缺失 {self.lost} 条（已申报）" if self.lost else "完整"


@dataclass(frozen=True, slots=True)
class Receipt:
    """How far a station has been heard. Times in epoch ms, None when never.

    `received_ms` last heard, `waiting` facts in its queue or not folded yet, `last_ms` booked time of the newest fact
    folded from that queue: a queue keeps its order, so nothing older can still be in it.
    """

    enrolled_ms: int | None = None
    received_ms: int | None = None
    last_ms: int | None = None
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Lost:
    """What a computer told of a month after it was lost, until it was taken out of service: counted, but doubtful."""

    since: datetime
    sessions: int
    playbacks: int

    @property
    def since_text(self) -> str:
        return f"{self.since:%m-%d %H:%M}"

    @property
    def text(self) -> str:
        told = f"{self.sessions} 次学习、{self.playbacks} 次播放"
        return f"这台电脑自 {self.since_text} 起报失，此后的 {told}需核对"


@dataclass(frozen=True, slots=True)
class StationSource:
    """What the tables know of one station's month, before anybody judges it."""

    station_id: int
    township_id: UUID
    township: str
    name: str
    figures: Figures
    downloaded_names: tuple[str, ...]
    stored_names: tuple[str, ...]
    played_names: tuple[str, ...]
    stored_facts: int
    lost_facts: int
    receipt: Receipt
    losses: tuple[Lost, ...] = ()


@dataclass(frozen=True, slots=True)
class StationMonth:
    """One line of the form. Names are titles without repetition, in order of time; `as_of` the last day known."""

    station_id: int
    township_id: UUID
    township: str
    name: str
    standing: Standing
    as_of: date | None
    figures: Figures
    downloaded_names: tuple[str, ...] = ()
    stored_names: tuple[str, ...] = ()
    played_names: tuple[str, ...] = ()
    completeness: Completeness = Completeness()
    losses: tuple[Lost, ...] = ()

    @property
    def title(self) -> str:
        """How a station is always shown: 乡镇 村."""
        return f"{self.township} {self.name}"

    @property
    def standing_text(self) -> str:
        """What to write beside the figures; empty when they need no word."""
        if self.standing is Standing.NOT_INSTALLED:
            return "未安装"
        if self.standing is Standing.PENDING:
            return f"数据待补传，截至 {day_text(self.as_of)}" if self.as_of else "数据待补传，尚未收到"
        return "本月未使用" if self.standing is Standing.ZERO else ""

    @property
    def played_text(self) -> str:
        return quote_names(self.played_names)


@dataclass(frozen=True, slots=True)
class TownshipMonth:
    """Sum of one township. `known` of its `stations` have complete figures."""

    township_id: UUID
    township: str
    stations: int
    known: int
    figures: Figures


@dataclass(frozen=True, slots=True)
class MonthlyReport:
    """A month of one township or of the whole district. `made_on` is the day printed as 填报日期."""

    district_id: int
    district: str
    unit: str
    month: int
    made_on: date
    rows: tuple[StationMonth, ...]
    townships: tuple[TownshipMonth, ...]
    total: Figures
    check_code: str

    @property
    def title(self) -> str:
        return f"{self.district}党员干部现代远程教育终端站点月使用情况报告表"

    @property
    def month_text(self) -> str:
        return f"{self.month // 100} 年 {self.month % 100} 月"

    @property
    def made_text(self) -> str:
        return f"{self.made_on.year} 年 {self.made_on.month} 月 {self.made_on.day} 日"

    @property
    def is_whole_district(self) -> bool:
        return len(self.townships) > 1


@dataclass(frozen=True, slots=True)
class Report:
    """A form. `render` makes the bytes of a file with this `suffix` and `media_type`."""

    name: str
    title: str
    suffix: str
    media_type: str
    render: Callable[[MonthlyReport], bytes]


def quote_names(names: Iterable[str]) -> str:
    """`《甲》、《乙》`; a title that brings its own marks keeps them."""
    return "、".join(each if each.startswith("《") else f"《{each}》" for each in names)


def day_text(day: date) -> str:
    return f"{day.month} 月 {day.day} 日"
