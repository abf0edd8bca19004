"""The disk that takes the courseware is nearly full."""

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

NAME = "disk_low"
_GIB = 1024**3


class DiskLimits(Limits):
    """Opens under `open_percent` free, closes over `close_percent`."""

    open_percent: float = Field(default=5, gt=0, lt=100)
    close_percent: float = Field(default=10, gt=0, lt=100)


def judge(view: View, limits: DiskLimits, _now_ms: int) -> Finding | None:
    is_open = view.is_open(NAME)
    host = view.host
    if host is None or host.disk_free is None or not host.disk_total:
        return STILL if is_open else None
    percent = 100 * host.disk_free / host.disk_total
    if percent >= limits.open_percent and not (is_open and percent <= limits.close_percent):
        return None
    return Finding({"percent": int(percent), "free_gib": round(host.disk_free / _GIB, 1)})


def _with_free(percent: int) -> View:
    return sample_view(host={"disk_free": percent * _GIB, "disk_total": 100 * _GIB})


RULE = Rule(
    name=NAME,
    title="磁盘快满了",
    text="课件盘只剩 {percent}%（{free_gib} GB）",
    hint_plain="请删除不再使用的旧课件，并清空回收站。快满时新课件会收不下来。",
    hint_backbone="找出占空间的旧课件、日志和系统更新；需要长期保存的拷到移动硬盘。空余超过 10% 后工单自动办结。",
    category=Category.SOFTWARE,
    severity=Severity.MAJOR,
    limits=DiskLimits,
    judge=judge,
    open_for_s=60,
    close_for_s=60,
    samples=(
        Sample(view=_with_free(4), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_with_free(7), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=sample_view(), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=_with_free(11), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
    ),
)
