"""The station is heard, and yet its records pile up there and do not arrive."""

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

NAME = "spool_stuck"


class StuckLimits(Limits):
    """Opens at `open_lines` not yet stored, closes at `close_lines`. A long backlog is let come in for hours first."""

    open_lines: int = Field(default=1000, ge=1)
    close_lines: int = Field(default=100, ge=0)


def judge(view: View, limits: StuckLimits, _now_ms: int) -> Finding | None:
    is_open = view.is_open(NAME)
    if view.waiting is None:
        return STILL if is_open else None
    enough = view.waiting > limits.close_lines if is_open else view.waiting >= limits.open_lines
    return Finding({"count": view.waiting}) if enough else None


RULE = Rule(
    name=NAME,
    title="记录积压在站点",
    text="站点在线，但还有 {count} 条记录积压在主机上送不出来",
    hint_plain="记录都在主机上，不会丢。请让主机多开一会儿，保持网络通畅。",
    hint_backbone="运行 yuanjiao-agent doctor，看网速和流量是否受限；太差的用 yuanjiao-agent export 拷到 U 盘送来。",
    category=Category.NETWORK,
    severity=Severity.MINOR,
    limits=StuckLimits,
    judge=judge,
    open_for_s=21_600,
    samples=(
        Sample(view=sample_view(waiting=1500), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=sample_view(waiting=500), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=sample_view(waiting=None), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=sample_view(waiting=100), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
    ),
)
