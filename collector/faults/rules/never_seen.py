"""A station has been enrolled and has never spoken since: nobody finished setting it up, or its way here is shut."""

from collections.abc import Mapping

from pydantic import Field

from collector.faults.rules.base import (
    SAMPLE_MS,
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
    when,
)

NAME = "never_seen"
_HOUR_MS = 3_600_000


class NeverLimits(Limits):
    """Opens `hours` after enrolment, our own downtime not counted."""

    hours: float = Field(default=2, gt=0)


def judge(view: View, limits: NeverLimits, now_ms: int) -> Finding | None:
    """Only a heartbeat closes it."""
    if view.is_heard:
        return None
    basis_ms = max(view.received_ms, view.ready_since_ms)
    if not view.is_open(NAME) and now_ms - basis_ms < limits.hours * _HOUR_MS:
        return None
    return Finding({"enrolled_ms": view.received_ms}, since_ms=view.received_ms)


def fill(facts: Facts, translate: Translate) -> Mapping[str, str]:
    return {"enrolled": when(facts["enrolled_ms"], translate)}


def _unheard(hours: int, *, ready_hours: int = 24) -> View:
    return sample_view(
        is_heard=False,
        received_ms=SAMPLE_MS - hours * _HOUR_MS,
        ready_since_ms=SAMPLE_MS - ready_hours * _HOUR_MS,
        failing=None,
    )


RULE = Rule(
    name=NAME,
    title="登记后从未联系",
    text="站点 {enrolled} 登记，此后从未收到心跳",
    hint_plain="请把主机开着、接好网线，等骨干操作员来看；先不要重装系统。",
    hint_backbone="在主机上看服务 yuanjiao-agent 是否启动、是否开机自启，再运行 yuanjiao-agent doctor 查网络和证书。",
    category=Category.SOFTWARE,
    severity=Severity.MINOR,
    limits=NeverLimits,
    fill=fill,
    judge=judge,
    samples=(
        Sample(view=_unheard(3), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_unheard(3, ready_hours=1), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=_unheard(1), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=sample_view(), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
    ),
)
