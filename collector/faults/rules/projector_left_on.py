"""The projector is on though nobody uses it: its lamp burns for nothing, and a hot machine is left alone."""

from pydantic import Field

from collector.faults.rules.base import (
    SAMPLE_MS,
    STILL,
    Category,
    Finding,
    Limits,
    Rule,
    Sample,
    Severity,
    View,
    sample_view,
)

NAME = "projector_left_on"


class LeftOnLimits(Limits):
    """Opens after `minutes` outside the opening hours, or `hours` without a break while nothing is played."""

    minutes: int = Field(default=30, ge=1)
    hours: int = Field(default=6, ge=1)


def judge(view: View, limits: LeftOnLimits, _now_ms: int) -> Finding | None:
    """A film that starts meanwhile opens nothing and closes nothing. One that does not answer is cut from the mains."""
    is_open = view.is_open(NAME)
    projector = view.projector
    if projector is None or projector.reachable is None or (projector.reachable and projector.power is None):
        return STILL if is_open else None
    if not projector.reachable or projector.power in {"off", "cooling"}:
        return None
    late_s, on_s = projector.after_hours_s or 0, projector.on_s or 0
    if is_open:
        return Finding({"hours": _hours(on_s)})
    is_long = late_s >= limits.minutes * 60 or on_s >= limits.hours * 3600
    return Finding({"hours": _hours(on_s)}) if is_long and not view.is_playing else None


def _hours(seconds: int) -> float:
    return round(seconds / 3600, 1)


def _on(on_s: int, after_hours_s: int | None = None, *, playing: bool = False) -> View:
    return sample_view(
        projector={"reachable": True, "power": "on", "on_s": on_s, "after_hours_s": after_hours_s},
        playback={"playing": ["春季果树管理"] if playing else []},
    )


RULE = Rule(
    name=NAME,
    title="投影机没有关",
    text="没有播放课件，投影机已连续开了 {hours} 小时",
    hint_plain="请用遥控器按两次电源键关掉投影机，等风扇停下再断电。灯泡很贵，用完就关。",
    hint_backbone="打电话请站点操作员关机；经常忘记的，在投影机菜单里打开无信号自动关机。",
    category=Category.OPERATOR,
    severity=Severity.MINOR,
    limits=LeftOnLimits,
    judge=judge,
    open_for_s=300,
    samples=(
        Sample(view=_on(9000, 2400), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_on(22_000), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_on(22_000, playing=True), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=sample_view(), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(
            view=sample_view(projector={"reachable": True, "power": "off"}),
            now_ms=SAMPLE_MS,
            when_closed=False,
            when_open=False,
        ),
        Sample(view=sample_view(projector={"reachable": False}), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
    ),
)
