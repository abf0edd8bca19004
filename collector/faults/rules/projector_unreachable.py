"""Something is being played and the network projector does not answer.

A projector that is switched off at the wall between sessions is no fault, so by default only playing counts.
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

NAME = "projector_unreachable"


class ReachLimits(Limits):
    """`only_while_playing` false: also when nothing is played (projectors that are never cut from the mains)."""

    only_while_playing: bool = True


def judge(view: View, limits: ReachLimits, _now_ms: int) -> Finding | None:
    """Once open, only an answer closes it: the end of the playing repairs nothing."""
    is_open = view.is_open(NAME)
    projector = view.projector
    if projector is None or projector.reachable is None:
        return STILL if is_open else None
    if projector.reachable:
        return None
    wanted = is_open or view.is_playing or not limits.only_while_playing
    return Finding({"playing": view.is_playing}) if wanted else None


def _with(*, reachable: bool, playing: bool) -> View:
    return sample_view(projector={"reachable": reachable}, playback={"playing": ["春季果树管理"] if playing else []})


RULE = Rule(
    name=NAME,
    title="投影机没有响应",
    text="正在播放课件，但投影机没有响应",
    hint_plain="请看投影机电源灯是否亮、网线是否插好，用遥控器开机。",
    hint_backbone="查投影机的网络设置（地址、待机联网）、网线和交换机；地址变了就改主机上的设置。",
    category=Category.OPERATOR,
    severity=Severity.MAJOR,
    limits=ReachLimits,
    judge=judge,
    open_for_s=120,
    close_for_s=60,
    samples=(
        Sample(view=_with(reachable=False, playing=True), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_with(reachable=False, playing=False), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=sample_view(), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=_with(reachable=True, playing=True), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
    ),
)
