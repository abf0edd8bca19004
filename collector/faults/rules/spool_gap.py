"""Records were lost at the station: its memory was full or damaged, and it has declared what is gone."""

from pydantic import Field

from collector.faults.rules.base import (
    SAMPLE_MS,
    Category,
    Finding,
    Limits,
    Past,
    Rule,
    Sample,
    Severity,
    View,
    sample_view,
)

NAME = "spool_gap"
_DAY_MS = 86_400_000


class GapLimits(Limits):
    """Opens on losses told of in the last `open_days`, closes after `close_days` without more."""

    open_days: float = Field(default=1, gt=0)
    close_days: float = Field(default=7, gt=0)


def judge(view: View, limits: GapLimits, now_ms: int) -> Finding | None:
    """What is lost stays lost: the fault is over when no more goes. A memory that is full now will lose more."""
    past = view.past or Past()
    days = limits.close_days if view.is_open(NAME) else limits.open_days
    fresh = past.lost_ms is not None and now_ms - past.lost_ms < days * _DAY_MS
    return Finding({"count": past.lost, "is_full": view.spool_full}) if fresh or view.spool_full else None


def _lost(days: float) -> View:
    return sample_view(past=Past(lost=40, lost_ms=SAMPLE_MS - round(days * _DAY_MS)))


RULE = Rule(
    name=NAME,
    title="站点记录有缺失",
    text="主机存储不够或损坏，本月和上月已有 {count} 条记录缺失",
    hint_plain="请让主机多开一会儿并保持网络通畅，把记录送出来；磁盘快满的，删除不用的旧课件。",
    hint_backbone="查磁盘空间和健康，运行 yuanjiao-agent doctor；长期断网的用 yuanjiao-agent export 拷到 U 盘送来。",
    category=Category.SOFTWARE,
    severity=Severity.MAJOR,
    limits=GapLimits,
    judge=judge,
    samples=(
        Sample(view=_lost(0.5), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=sample_view(spool_full=True), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_lost(3), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=_lost(8), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
        Sample(view=sample_view(), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
    ),
)
