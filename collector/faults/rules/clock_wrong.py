"""The station's clock is wrong. Its records stay right all the same; people reading its screen do not."""

from collections.abc import Mapping

from pydantic import Field

from collector.faults.rules.base import (
    SAMPLE_MS,
    Category,
    Facts,
    Finding,
    Limits,
    Rule,
    Sample,
    Severity,
    Translate,
    View,
    sample_view,
)

NAME = "clock_wrong"
_MINUTE_MS = 60_000


class ClockLimits(Limits):
    """Opens when more than `open_minutes` off either way, closes within `close_minutes`."""

    open_minutes: float = Field(default=10, gt=0)
    close_minutes: float = Field(default=2, gt=0)


def judge(view: View, limits: ClockLimits, _now_ms: int) -> Finding | None:
    off_ms = view.clock_offset_ms
    limit = limits.close_minutes if view.is_open(NAME) else limits.open_minutes
    if abs(off_ms) <= limit * _MINUTE_MS:
        return None
    return Finding({"minutes": round(abs(off_ms) / _MINUTE_MS), "is_slow": off_ms > 0})


def fill(facts: Facts, translate: Translate) -> Mapping[str, str]:
    minutes = facts["minutes"]
    if minutes < 120:
        amount = translate("{count} 分钟").format(count=minutes)
    elif minutes < 2880:
        amount = translate("{count} 小时").format(count=minutes // 60)
    else:
        amount = translate("{count} 天").format(count=minutes // 1440)
    return {"way": translate("慢") if facts["is_slow"] else translate("快"), "amount": amount}


def _off(minutes: float) -> View:
    return sample_view(wall_ms=SAMPLE_MS - round(minutes * _MINUTE_MS))


RULE = Rule(
    name=NAME,
    title="主机时钟不准",
    text="主机时钟{way}了 {amount}",
    hint_plain="请把主机的日期和时间改对。每次开机都错，多半是主板电池没电了，请告诉骨干操作员。",
    hint_backbone="打开自动校时；断电后又错的，换主板纽扣电池（CR2032）。播放记录按区中心的时间更正，不会记错月份。",
    category=Category.SOFTWARE,
    severity=Severity.MINOR,
    limits=ClockLimits,
    fill=fill,
    judge=judge,
    samples=(
        Sample(view=_off(11), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_off(-11), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_off(5), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=_off(1), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
    ),
)
