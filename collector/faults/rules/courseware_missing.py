"""Courseware that most other stations received lately and this one did not: part of the broadcast does not arrive."""

from collections.abc import Mapping

from pydantic import Field

from collector.faults.rules.base import (
    SAMPLE_MS,
    STILL,
    Category,
    Facts,
    Finding,
    Limits,
    Past,
    Rule,
    Sample,
    Severity,
    Translate,
    View,
    sample_view,
)

NAME = "courseware_missing"
_NAMED = 3
_DISH = "satellite_silent"


class MissingLimits(Limits):
    """Opens at `open_titles` missing, closes at `close_titles`."""

    open_titles: int = Field(default=3, ge=1)
    close_titles: int = Field(default=0, ge=0)


def judge(view: View, limits: MissingLimits, _now_ms: int) -> Finding | None:
    """While nothing arrives at all, that is the fault to mend, and this one is not opened beside it."""
    is_open = view.is_open(NAME)
    if view.past is None or view.courseware is None:
        return STILL if is_open else None
    titles = view.past.missing
    enough = len(titles) > limits.close_titles if is_open else len(titles) >= limits.open_titles
    if not enough or (not is_open and view.is_open(_DISH)):
        return None
    return Finding({"titles": list(titles[:_NAMED]), "count": len(titles)})


def fill(facts: Facts, translate: Translate) -> Mapping[str, str]:
    titles = facts["titles"]
    more = translate(" 等") if facts["count"] > len(titles) else ""
    return {"titles": translate("、").join(titles) + more, "count": str(facts["count"])}


def _missing(*titles: str) -> View:
    return sample_view(past=Past(missing=titles), courseware={"files": 9})


RULE = Rule(
    name=NAME,
    title="缺少别站都有的课件",
    text="别的站点都收到了、本站没有的课件有 {count} 个：{titles}",
    hint_plain="请让主机在播发时间开着机；缺的课件可以从邻近站点用 U 盘拷来，放进课件文件夹。",
    hint_backbone="对照播发时间看主机是否开机；信号时好时坏的查馈线接头和遮挡；急用的从邻站或区中心拷贝。",
    category=Category.COURSEWARE,
    severity=Severity.MINOR,
    limits=MissingLimits,
    fill=fill,
    judge=judge,
    open_for_s=3600,
    samples=(
        Sample(view=_missing("春耕", "防汛", "养蚕", "果树"), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_missing("春耕"), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(
            view=_missing("春耕", "防汛", "养蚕").but(open=frozenset({_DISH})),
            now_ms=SAMPLE_MS,
            when_closed=False,
            when_open=True,
        ),
        Sample(view=sample_view(courseware={"files": 9}), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=_missing(), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
    ),
)
