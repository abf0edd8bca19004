"""Another projector or screen stands where one stood: exchanged, repaired, or stolen and made good with another."""

from collections.abc import Mapping

from collector.faults.rules.base import (
    SAMPLE_MS,
    Category,
    Days,
    Facts,
    Finding,
    Rule,
    Sample,
    Severity,
    SignLimits,
    Swap,
    Translate,
    View,
    sample_view,
    when,
)

NAME = "device_swapped"
_DAY_MS = 86_400_000
_DEVICES = {"projector": "投影机", "display": "显示设备"}
_OTHER = "设备"


class SwapLimits(SignLimits):
    """An exchange is asked about for a shorter time."""

    close_days: Days = 3


def judge(view: View, limits: SwapLimits, now_ms: int) -> Finding | None:
    """Nothing is broken: somebody has to say that it is right so, and to write it into the register."""
    swap = view.swap
    if swap is None or not limits.counts(swap.at_ms, now_ms, is_open=view.is_open(NAME)):
        return None
    return Finding({"device": swap.device, "before": swap.before, "after": swap.after, "last_ms": swap.at_ms})


def fill(facts: Facts, translate: Translate) -> Mapping[str, str]:
    device = translate(_DEVICES.get(facts["device"], _OTHER))
    unknown = translate("型号不明")
    before, after = facts["before"] or unknown, facts["after"] or unknown
    return {"device": device, "before": before, "after": after, "last": when(facts["last_ms"], translate)}


def _swapped(days: float) -> View:
    return sample_view(swap=Swap("projector", "EPSON EB-C301MN 1X", "ACER X118 9Y", SAMPLE_MS - round(days * _DAY_MS)))


RULE = Rule(
    name=NAME,
    title="设备被更换",
    text="{last} 发现{device}换了：原来是 {before}，现在是 {after}",
    hint_plain="本站换过或送修过设备的，请告诉骨干操作员换下的设备在哪里；没有人换过的，不要移动，马上报告。",
    hint_backbone="对照设备登记表的型号和编号。是维修或新购的，改登记表后办结；说不清去向的，按丢失上报管理站。",
    category=Category.HARDWARE_COMMON,
    severity=Severity.MINOR,
    by_word=True,
    limits=SwapLimits,
    fill=fill,
    judge=judge,
    samples=(
        Sample(view=_swapped(0.5), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_swapped(2), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=_swapped(3), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
        Sample(view=sample_view(), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
    ),
)
