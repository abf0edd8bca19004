"""A courseware file has begun to come and does not get finished."""

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

NAME = "download_stalled"
_HOUR_MS = 3_600_000


class StallLimits(Limits):
    """Unfinished files with no file finished for `hours`: a carousel brings a whole round in less."""

    hours: int = Field(default=12, ge=1)


def judge(view: View, limits: StallLimits, now_ms: int) -> Finding | None:
    """A finished file closes it, or the unfinished ones gone."""
    courseware = view.courseware
    if courseware is None or not courseware.readable or courseware.incoming is None:
        return STILL if view.is_open(NAME) else None
    if not courseware.incoming:
        return None
    last_ms = view.first_received_ms if view.last_file_ms is None else view.last_file_ms
    if now_ms - last_ms < limits.hours * _HOUR_MS:
        return None
    return Finding({"count": courseware.incoming, "hours": limits.hours})


def _with(incoming: int, hours: int) -> View:
    return sample_view(courseware={"incoming": incoming}, last_file_ms=SAMPLE_MS - hours * _HOUR_MS)


RULE = Rule(
    name=NAME,
    title="课件接收中断",
    text="{count} 个课件收到一半，{hours} 小时以上没有收完一个",
    hint_plain="请不要关机，也不要打开正在接收的文件；看接收软件是否还开着，信号灯是否正常。",
    hint_backbone="看接收软件的信号质量和丢包；重新启动接收软件；残留的半截文件删掉，等下一轮重播。",
    category=Category.COURSEWARE,
    severity=Severity.MINOR,
    limits=StallLimits,
    judge=judge,
    open_for_s=7200,
    samples=(
        Sample(view=_with(2, 13), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=sample_view(courseware={"readable": False}), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=_with(2, 11), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
        Sample(view=_with(0, 13), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
    ),
)
