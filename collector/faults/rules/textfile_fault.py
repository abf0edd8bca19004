"""Another program's sensor reports a fault, has gone silent, or drops what cannot be read.

A program tells of a fault by a text under `fault` in its state; without one nothing is wrong.
"""

from collections.abc import Mapping
from typing import Any

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

NAME = "textfile_fault"
_NAMED = 3
_LONGEST = 100


def judge(view: View, _limits: Limits, _now_ms: int) -> Finding | None:
    textfile = view.textfile
    if textfile is None:
        return STILL if view.is_open(NAME) else None
    told = {str(each.get("title") or name): _fault(each) for name, each in textfile.sensors.items()}
    faults = {name: text for name, text in told.items() if text}
    faults |= dict.fromkeys(textfile.stale, "") | {name: text[:_LONGEST] for name, text in textfile.errors.items()}
    return Finding({"faults": faults}) if faults else None


def _fault(sensor: Mapping[str, Any]) -> str:
    state = sensor.get("state")
    fault = state.get("fault") if isinstance(state, Mapping) else None
    return fault.strip()[:_LONGEST] if isinstance(fault, str) else ""


def fill(facts: Facts, translate: Translate) -> Mapping[str, str]:
    faults = facts["faults"]
    told = [f"{name}：{text or translate('没有新数据')}" for name, text in sorted(faults.items())[:_NAMED]]
    more = translate(" 等") if len(faults) > _NAMED else ""
    return {"faults": translate("；").join(told) + more}


def _with(fault: str, *stale: str) -> View:
    sensors = {"ups": {"age_s": 5, "title": "备用电源", "state": {"fault": fault}}}
    return sample_view(textfile={"sensors": sensors, "stale": list(stale)})


RULE = Rule(
    name=NAME,
    title="附加设备报故障",
    text="附加设备报告：{faults}",
    hint_plain="请看报告里的设备电源和连线是否正常，不清楚的不要拆，告诉骨干操作员。",
    hint_backbone="按报告检查这台设备和写数据的程序；程序停了的重新启动，不再使用的删掉它留下的 JSON 文件。",
    category=Category.HARDWARE_COMMON,
    severity=Severity.MINOR,
    fill=fill,
    judge=judge,
    open_for_s=600,
    close_for_s=60,
    samples=(
        Sample(view=_with("电池电量低"), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_with("", "boiler"), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=sample_view(), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=_with(""), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
    ),
)
