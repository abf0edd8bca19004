"""The projector's lamp is near the end of its hours. Told while there is time to order another.

A lamp that has failed already is `projector_error`; its hours are no second news.
"""

from collections.abc import Mapping

from pydantic import Field

from collector.faults.rules.base import (
    SAMPLE_MS,
    STILL,
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

NAME = "lamp_end_of_life"


class LampLimits(Limits):
    """Opens at `open_hours`, closes under `close_hours` (a new lamp begins at 0); the lamp is made for `life_hours`."""

    open_hours: int = Field(default=2800, ge=1)
    close_hours: int = Field(default=2500, ge=1)
    life_hours: int = Field(default=3000, ge=1)


def judge(view: View, limits: LampLimits, _now_ms: int) -> Finding | None:
    is_open = view.is_open(NAME)
    projector = view.projector
    if projector is None or projector.lamp_hours is None or projector.faults.get("lamp") == "error":
        return STILL if is_open else None
    hours = projector.lamp_hours
    if hours < (limits.close_hours if is_open else limits.open_hours):
        return None
    return Finding({"hours": hours, "days": _days_left(limits.life_hours - hours, projector.lamp_hours_a_day)})


def _days_left(hours: int, hours_a_day: float | None) -> int | None:
    return max(0, int(hours / hours_a_day)) if hours_a_day else None


def fill(facts: Facts, translate: Translate) -> Mapping[str, str]:
    days = facts["days"]
    left = translate("剩余天数未知") if days is None else translate("按现在的用法约剩 {count} 天").format(count=days)
    return {"hours": facts["hours"], "left": left}


def _lamp(hours: int | None, hours_a_day: float | None = None) -> View:
    return sample_view(projector={"reachable": True, "lamp_hours": hours, "lamp_hours_a_day": hours_a_day})


_FAILED = sample_view(projector={"reachable": True, "lamp_hours": 3980, "faults": {"lamp": "error"}})

RULE = Rule(
    name=NAME,
    title="灯泡快到寿命",
    text="投影机灯泡已用 {hours} 小时，{left}",
    hint_plain="画面变暗、偏色属正常老化，还可以用。请不要频繁开关投影机，散会后让风扇吹完再断电，等骨干操作员来换灯泡。",
    hint_backbone="按投影机型号备好灯泡；换好后在投影机菜单里把灯泡时数清零，工单会自动办结。",
    category=Category.HARDWARE_COMMON,
    severity=Severity.MINOR,
    limits=LampLimits,
    fill=fill,
    judge=judge,
    open_for_s=600,
    close_for_s=60,
    samples=(
        Sample(view=_lamp(2860, 2.5), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_lamp(2860), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_lamp(2600), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=_lamp(None), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=_FAILED, now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=_lamp(0), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
    ),
)
