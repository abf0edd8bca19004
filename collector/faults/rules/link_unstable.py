"""The link to a station breaks and heals again and again: one ticket that counts the cuts."""

from collections.abc import Mapping

from pydantic import Field

from collector.faults.rules.base import (
    SAMPLE_MS,
    Category,
    Facts,
    Finding,
    Limits,
    Link,
    Rule,
    Sample,
    Severity,
    Translate,
    View,
    sample_view,
    when,
)

NAME = "link_unstable"


class LinkLimits(Limits):
    """Opens over `open_percent` of changes in the last looks, the newest weighing most; closes at `close_percent`.

    What is weighed, and how: `collector.faults.links`.
    """

    open_percent: float = Field(default=30, gt=0, le=100)
    close_percent: float = Field(default=25, ge=0, le=100)


def judge(view: View, limits: LinkLimits, _now_ms: int) -> Finding | None:
    """A station that stays silent changes no more, so it leaves this fault and is simply silent."""
    if view.link is None:
        return None
    least = limits.close_percent if view.is_open(NAME) else limits.open_percent
    if view.link.percent <= least:
        return None
    return Finding({"cuts": view.link.cuts, "since_ms": view.link.since_ms}, since_ms=view.link.since_ms)


def fill(facts: Facts, translate: Translate) -> Mapping[str, str]:
    return {"cuts": str(facts["cuts"]), "since": when(facts["since_ms"], translate)}


def _with(percent: float) -> View:
    return sample_view(link=Link(percent, 4, SAMPLE_MS - 3_600_000))


RULE = Rule(
    name=NAME,
    title="线路时断时续",
    text="从 {since} 起网络断了 {cuts} 次又恢复",
    hint_plain="请看光猫、路由器和主机的网线插头有没有松，电源插座有没有接触不良；不要反复开关设备。",
    hint_backbone="查网线水晶头、光纤弯折和光猫的光功率；夜间好、白天差的，多半是线路拥塞，请电信部门来测。",
    category=Category.NETWORK,
    severity=Severity.MINOR,
    limits=LinkLimits,
    fill=fill,
    judge=judge,
    # As long as silence is held back, so that a township whose line shakes is told in one message.
    open_for_periods=1,
    open_for_s=30,
    samples=(
        Sample(view=_with(31), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_with(30), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=_with(25), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
        Sample(view=sample_view(), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
    ),
)
