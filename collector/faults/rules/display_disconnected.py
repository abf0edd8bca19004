"""Something is being played and no screen or projector hangs on the PC's video outputs.

A projector cut from the mains between sessions leaves its cable dead too, so by default only playing counts.
"""

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

NAME = "display_disconnected"


class DisplayLimits(Limits):
    """`only_while_playing` false: also when nothing is played (screens that are never cut from the mains)."""

    only_while_playing: bool = True


def judge(view: View, limits: DisplayLimits, _now_ms: int) -> Finding | None:
    """Once open, only a screen closes it: the end of the playing plugs nothing in."""
    is_open = view.is_open(NAME)
    display = view.display
    if display is None or display.screens is None or not display.outputs:
        return STILL if is_open else None
    if display.screens:
        return None
    wanted = is_open or view.is_playing or not limits.only_while_playing
    return Finding({"outputs": display.outputs}) if wanted else None


def _with(screens: int, *, playing: bool) -> View:
    return sample_view(
        display={"outputs": 2, "screens": screens}, playback={"playing": ["春季果树管理"] if playing else []}
    )


RULE = Rule(
    name=NAME,
    title="没有接上显示设备",
    text="正在播放课件，但主机的 {outputs} 个视频接口上都没有接着投影机或电视",
    hint_plain="请看投影机或电视是否通电，视频线两头是否插紧，遥控器上的信号源是否选对。",
    hint_backbone="换一根视频线、换一个接口试；线太长的加放大器；确认显卡输出没有被系统关掉。",
    category=Category.OPERATOR,
    severity=Severity.MAJOR,
    limits=DisplayLimits,
    judge=judge,
    open_for_s=300,
    close_for_s=60,
    samples=(
        Sample(view=_with(0, playing=True), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_with(0, playing=False), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=sample_view(), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=_with(1, playing=True), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
    ),
)
