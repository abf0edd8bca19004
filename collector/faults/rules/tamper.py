"""What a station sent does not fit what it sent before: a copied disk, changed records, a clock or disk set back."""

from collections.abc import Mapping

from collector.faults.rules.base import (
    SAMPLE_MS,
    Category,
    Facts,
    Finding,
    Rule,
    Sample,
    Severity,
    SignLimits,
    Suspicion,
    Translate,
    View,
    sample_view,
    when,
)

NAME = "tamper"
_DAY_MS = 86_400_000
_CHANGED = "复制了硬盘或改动了数据"
_SET_BACK = {"clock-set-back": "把主机的时钟往回拨过", "disk-set-back": "主机装了还原卡或做过一键还原"}


def judge(view: View, limits: SignLimits, now_ms: int) -> Finding | None:
    suspicion = view.suspicion
    if suspicion is None or not limits.counts(suspicion.last_ms, now_ms, is_open=view.is_open(NAME)):
        return None
    return Finding({"count": suspicion.count, "kind": suspicion.kind, "last_ms": suspicion.last_ms})


def fill(facts: Facts, translate: Translate) -> Mapping[str, str]:
    why = _SET_BACK.get(str(facts.get("kind")), _CHANGED)
    return {"count": str(facts["count"]), "last": when(facts["last_ms"], translate), "why": translate(why)}


def _suspect(days: int, kind: str = "stream-conflict") -> View:
    return sample_view(suspicion=Suspicion(2, kind, SAMPLE_MS - days * _DAY_MS))


RULE = Rule(
    name=NAME,
    title="记录前后对不上",
    text="近日有 {count} 次上报与以前的记录对不上，最近一次是 {last}，可能是{why}",
    hint_plain="请不要改动监测程序的文件。换过硬盘、用过一键还原的，请告诉骨干操作员。",
    hint_backbone="问清是否克隆过硬盘、还原过系统；装了还原卡的，请把程序数据所在的分区设为不还原；克隆过的，请区中心给这台主机重新登记；不明原因的上报区中心。",
    category=Category.SOFTWARE,
    severity=Severity.MAJOR,
    by_word=True,
    limits=SignLimits,
    fill=fill,
    judge=judge,
    samples=(
        Sample(view=_suspect(0), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_suspect(0, "clock-set-back"), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_suspect(0, "disk-set-back"), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_suspect(3), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=_suspect(8), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
        Sample(view=sample_view(), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
    ),
)
