"""The disk that takes the courseware is dying: it says so itself, cannot read sectors, or is written to no more."""

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

NAME = "disk_failing"


class HealthLimits(Limits):
    """Opens at `open_pending` sectors that cannot be read or `open_reallocated` replaced; closes under both."""

    open_pending: int = Field(default=1, ge=1)
    open_reallocated: int = Field(default=50, ge=1)


def judge(view: View, limits: HealthLimits, _now_ms: int) -> Finding | None:
    """A disk that may not be asked tells nothing. A new disk closes it, or sectors that could be written again."""
    host = view.host
    if host is None or (host.disk_passed is None and host.disk_pending is None and not host.read_only):
        return STILL if view.is_open(NAME) else None
    pending, replaced = host.disk_pending or 0, host.disk_reallocated or 0
    is_bad = pending >= limits.open_pending or replaced >= limits.open_reallocated
    if host.disk_passed is not False and not is_bad and not host.read_only:
        return None
    severity = Severity.CRITICAL if host.read_only else None
    return Finding({"pending": pending, "replaced": replaced}, severity=severity)


def _with(*, passed: bool | None = True, pending: int = 0, replaced: int = 0, read_only: bool = False) -> View:
    host = {"disk_passed": passed, "disk_pending": pending, "disk_reallocated": replaced, "read_only": read_only}
    return sample_view(host=host)


RULE = Rule(
    name=NAME,
    title="磁盘快坏了",
    text="课件盘自检异常：{pending} 个扇区读不出，{replaced} 个扇区已替换",
    hint_plain="请尽量少开关机，不要搬动主机，等人来换硬盘；重要的资料先拷到 U 盘。",
    hint_backbone="用 smartctl -a 核对；先把课件和记录拷出来，再换盘重装。系统已变成只读的，立即停用换盘。",
    category=Category.HARDWARE_MAJOR,
    severity=Severity.MAJOR,
    limits=HealthLimits,
    judge=judge,
    open_for_s=600,
    samples=(
        Sample(view=_with(passed=False), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_with(pending=8), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_with(replaced=60), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_with(passed=None, read_only=True), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=sample_view(host={"uptime_s": 5}), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=_with(replaced=8), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
    ),
)
