"""Nothing has been heard of a station for longer than its period and grace. Our own downtime never counts."""

from collections.abc import Mapping

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

NAME = "station_silent"


def judge(view: View, _limits: Limits, now_ms: int) -> Finding | None:
    """Dated to the heartbeat that did not come, or to the opening. Only a heartbeat closes it, no restart of ours."""
    is_open = view.is_open(NAME)
    if not (view.expected_on or is_open):
        return None
    opened_ms = view.expected_since_ms
    basis_ms = view.received_ms if is_open else max(view.received_ms, view.ready_since_ms, opened_ms)
    if now_ms < basis_ms + (view.period_s + view.grace_s) * 1000:
        return None
    return Finding({"last_ms": view.received_ms}, since_ms=max(view.received_ms + view.period_s * 1000, opened_ms))


def fill(facts: Facts, translate: Translate) -> Mapping[str, str]:
    return {"last": when(facts["last_ms"], translate)}


RULE = Rule(
    name=NAME,
    title="站点失联",
    text="最后一次收到消息是 {last}，此后没有心跳",
    hint_plain="请看主机是否开着、网线是否插好、光猫的灯是否正常。停电的话，来电后开机即可，记录不会丢。",
    hint_backbone="先打电话问是否停电、停机；再到场看主机、网线、光猫和路由器，在主机上运行 yuanjiao-agent doctor。",
    category=Category.NETWORK,
    severity=Severity.MAJOR,
    fill=fill,
    judge=judge,
    # A whole period and a bit: so a dark township is told in one message (see collector.faults.areas).
    open_for_periods=1,
    open_for_s=30,
    samples=(
        Sample(view=sample_view(), now_ms=SAMPLE_MS + 900_000, when_closed=True, when_open=True),
        Sample(
            view=sample_view(ready_since_ms=SAMPLE_MS + 600_000),
            now_ms=SAMPLE_MS + 900_000,
            when_closed=False,
            when_open=True,
        ),
        Sample(
            view=sample_view(expected_since_ms=SAMPLE_MS + 600_000),
            now_ms=SAMPLE_MS + 900_000,
            when_closed=False,
            when_open=True,
        ),
        Sample(view=sample_view(expected_on=False), now_ms=SAMPLE_MS + 900_000, when_closed=False, when_open=True),
        Sample(view=sample_view(), now_ms=SAMPLE_MS + 899_000, when_closed=False, when_open=False),
    ),
)
