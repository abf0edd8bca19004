"""Files in the courseware folder that are broken or cannot be read."""

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

NAME = "courseware_corrupt"
_NAMED = 3


def judge(view: View, _limits: Limits, _now_ms: int) -> Finding | None:
    courseware = view.courseware
    if courseware is None or not courseware.readable:
        return STILL if view.is_open(NAME) else None
    return Finding({"names": list(courseware.corrupt)}) if courseware.corrupt else None


def fill(facts: Facts, translate: Translate) -> Mapping[str, str]:
    names = facts["names"]
    more = translate(" 等") if len(names) > _NAMED else ""
    return {"names": translate("、").join(names[:_NAMED]) + more, "count": str(len(names))}


RULE = Rule(
    name=NAME,
    title="课件损坏",
    text="{count} 个课件损坏或打不开：{names}",
    hint_plain="请不要播放这些课件。删除后等天网重播，或用光盘、U 盘重新拷贝。",
    hint_backbone="删除损坏的文件，从别的站点或区中心拷一份好的；若经常损坏，查磁盘和卫星信号质量。",
    category=Category.COURSEWARE,
    severity=Severity.MINOR,
    fill=fill,
    judge=judge,
    open_for_s=600,
    samples=(
        Sample(
            view=sample_view(courseware={"corrupt": ["春耕.wmv"]}),
            now_ms=SAMPLE_MS,
            when_closed=True,
            when_open=True,
        ),
        Sample(
            view=sample_view(courseware={"readable": False}),
            now_ms=SAMPLE_MS,
            when_closed=False,
            when_open=True,
        ),
        Sample(view=sample_view(courseware={"files": 3}), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
    ),
)
