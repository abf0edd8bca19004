"""The agent starts again and again: it crashes, or the PC does."""

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

NAME = "agent_restarting"


class RestartLimits(Limits):
    """Starts within a day: opens at `open_starts`, closes under `close_starts`. Two or three are usual."""

    open_starts: int = Field(default=8, ge=2)
    close_starts: int = Field(default=4, ge=1)


def judge(view: View, limits: RestartLimits, _now_ms: int) -> Finding | None:
    """The station counts by itself; an agent that does not count tells nothing."""
    is_open = view.is_open(NAME)
    if view.starts is None:
        return STILL if is_open else None
    enough = view.starts >= (limits.close_starts if is_open else limits.open_starts)
    return Finding({"count": view.starts}) if enough else None


RULE = Rule(
    name=NAME,
    title="监测程序反复重启",
    text="一天之内监测程序启动了 {count} 次",
    hint_plain="请看主机是不是自己重启或死机。是的话先检查电源插座和插线板，用电扇吹一吹、清清灰。",
    hint_backbone="在主机上看 journalctl -u yuanjiao-agent 里的退出原因；整机重启的，查电源、内存和温度。",
    category=Category.SOFTWARE,
    severity=Severity.MINOR,
    limits=RestartLimits,
    judge=judge,
    samples=(
        Sample(view=sample_view(starts=8), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=sample_view(starts=5), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=sample_view(starts=None), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=sample_view(starts=3), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
    ),
)
