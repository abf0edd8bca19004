"""The projector reports a fault of its own: lamp, fan, temperature, cover, filter."""

from collections.abc import Mapping

from collector.faults.rules.base import (
    SAMPLE_MS,
    STILL,
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
)

NAME = "projector_error"
_PARTS = {"lamp": "灯泡", "fan": "风扇", "temperature": "温度", "cover": "盖板", "filter": "滤网", "other": "其他部件"}
_LEVELS = {"error": "故障", "warning": "警告"}
_FIXED_BY_HAND = frozenset({"cover", "filter"})
_MAJOR = frozenset({"fan"})


def judge(view: View, _limits: Limits, _now_ms: int) -> Finding | None:
    """A projector that is off or out of reach tells of no fault; that closes nothing."""
    projector = view.projector
    if projector is not None and projector.reachable and projector.faults:
        return Finding(
            {"parts": dict(projector.faults)},
            category=_category(projector.faults),
            severity=_severity(projector.faults),
        )
    works = projector is not None and projector.reachable and projector.power == "on"
    return STILL if view.is_open(NAME) and not works else None


def _category(parts: Mapping[str, str]) -> Category:
    broken = {part for part, level in parts.items() if level == "error"}
    if broken & _MAJOR:
        return Category.HARDWARE_MAJOR
    return Category.OPERATOR if set(parts) <= _FIXED_BY_HAND else Category.HARDWARE_COMMON


def _severity(parts: Mapping[str, str]) -> Severity:
    """Overheating is a matter of safety."""
    if parts.get("temperature") == "error":
        return Severity.CRITICAL
    return Severity.MAJOR if "error" in parts.values() else Severity.MINOR


def fill(facts: Facts, translate: Translate) -> Mapping[str, str]:
    told = [
        f"{translate(_PARTS.get(part, part))}{translate(_LEVELS.get(level, level))}"
        for part, level in sorted(facts["parts"].items())
    ]
    return {"parts": translate("、").join(told)}


def _with(power: str, **faults: str) -> View:
    return sample_view(projector={"reachable": True, "power": power, "faults": faults})


RULE = Rule(
    name=NAME,
    title="投影机报故障",
    text="投影机报告：{parts}",
    hint_plain="请关掉投影机，等风扇停下再拔电源；清洁滤网，盖好盖板，看出风口有没有被挡住，十分钟后再开。",
    hint_backbone="按报告的部件处理：灯泡按时数更换，滤网清洗，温度故障查风道；风扇和电路故障送修，并告知区中心。",
    category=Category.HARDWARE_COMMON,
    severity=Severity.MAJOR,
    fill=fill,
    judge=judge,
    open_for_s=60,
    close_for_s=60,
    samples=(
        Sample(view=_with("on", lamp="error"), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_with("on", filter="warning"), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_with("off"), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=_with("on"), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
    ),
)
