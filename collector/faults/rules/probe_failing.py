"""Sensors of the station fail: what they watch is not known, which is not the same as all being well."""

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

NAME = "probe_failing"
_NAMES = {
    "courseware": "课件目录",
    "playback": "播放记录",
    "projector": "投影机",
    "audio": "声音",
    "host": "主机",
    "clock": "时钟",
    "display": "显示接口",
    "alsa": "声卡",
    "textfile": "其他程序的探头",
}


def judge(view: View, _limits: Limits, _now_ms: int) -> Finding | None:
    """A station that has just started has told of no sensor yet; that closes nothing."""
    if view.failing is None:
        return STILL if view.is_open(NAME) else None
    if not view.failing:
        return None
    return Finding({"errors": {name: error[:200] for name, error in view.failing.items()}})


def fill(facts: Facts, translate: Translate) -> Mapping[str, str]:
    errors = facts["errors"]
    names = [translate(_NAMES.get(name, name)) for name in sorted(errors)]
    return {"names": translate("、").join(names), "error": errors[min(errors)]}


RULE = Rule(
    name=NAME,
    title="监测程序读不到数据",
    text="读不到这些数据：{names}（{error}）",
    hint_plain="站点可以照常播放课件，只是有些情况区中心看不到。请不要自行卸载程序。",
    hint_backbone="在主机上运行 yuanjiao-agent doctor，按提示处理权限、地址或缺少的程序；改过设置的，重新启动服务。",
    category=Category.SOFTWARE,
    severity=Severity.MINOR,
    fill=fill,
    judge=judge,
    open_for_periods=3,
    close_for_periods=1,
    samples=(
        Sample(
            view=sample_view(failing={"courseware": "PermissionError: /srv/courseware"}),
            now_ms=SAMPLE_MS,
            when_closed=True,
            when_open=True,
        ),
        Sample(view=sample_view(failing=None), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=sample_view(failing={}), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
    ),
)
