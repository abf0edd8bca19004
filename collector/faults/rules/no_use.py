"""The station is open and its kit works, and yet nothing has been played and no session held for two weeks."""

from collections.abc import Mapping

from pydantic import Field

from collector.faults.rules.base import (
    REMEMBERED_MS,
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
    when,
)

NAME = "no_use"
_DAY_MS = 86_400_000
_BROKEN = frozenset(
    {
        "audio_missing",
        "disk_failing",
        "display_disconnected",
        "download_stalled",
        "player_failing",
        "projector_error",
        "projector_unreachable",
        "satellite_silent",
        "silent_playback",
    }
)
"""Faults that explain why nobody gathers: then they are the work to do."""


class UseLimits(Limits):
    """Opens when the last use was `days` ago."""

    days: int = Field(default=14, ge=1, le=90)


def judge(view: View, limits: UseLimits, now_ms: int) -> Finding | None:
    """A new station counts from its first heartbeat. Only use closes it, not a fault found meanwhile.

    Time in which it was away does not count: nobody gathers at a PC that is off, and who mended it has two weeks.
    """
    is_open = view.is_open(NAME)
    if view.past is None:
        return STILL if is_open else None
    used_ms = now_ms - REMEMBERED_MS if view.past.used_ms is None else view.past.used_ms
    since_ms = max(used_ms, view.first_received_ms) + limits.days * _DAY_MS
    if not is_open:
        since_ms += view.past.unused_absent_ms
    if now_ms < since_ms:
        return None
    if not is_open and (view.is_playing or not view.expected_on or view.open & _BROKEN):
        return None
    return Finding({"days": limits.days, "last_ms": view.past.used_ms}, since_ms=since_ms)


def fill(facts: Facts, translate: Translate) -> Mapping[str, str]:
    last_ms = facts["last_ms"]
    return {
        "days": str(facts["days"]),
        "last": translate("近三个月没有") if last_ms is None else when(last_ms, translate),
    }


def _used(days: int | None) -> View:
    return sample_view(past=Past(used_ms=None if days is None else SAMPLE_MS - days * _DAY_MS))


RULE = Rule(
    name=NAME,
    title="站点长期没有使用",
    text="设备正常，但已有 {days} 天以上没有播放和学习，最近一次：{last}",
    hint_plain="请按计划组织党员群众学习，播放一次课件；已经组织过、系统没有记到的，请用本机播放器播放或补填。",
    hint_backbone="打电话问站点为什么没有开展学习：缺操作员的帮着放一次，不会操作的上门教；长期关门的报乡镇管理站。",
    category=Category.OPERATOR,
    severity=Severity.MINOR,
    limits=UseLimits,
    fill=fill,
    judge=judge,
    open_for_s=3600,
    samples=(
        Sample(view=_used(15), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_used(None), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(
            view=_used(15).but(open=frozenset({"projector_error"})),
            now_ms=SAMPLE_MS,
            when_closed=False,
            when_open=True,
        ),
        Sample(view=_used(15).but(expected_on=False), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(
            view=sample_view(past=Past(used_ms=SAMPLE_MS - 15 * _DAY_MS, unused_absent_ms=2 * _DAY_MS)),
            now_ms=SAMPLE_MS,
            when_closed=False,
            when_open=True,
        ),
        Sample(
            view=sample_view(past=Past(unused_absent_ms=85 * _DAY_MS)),
            now_ms=SAMPLE_MS,
            when_closed=False,
            when_open=True,
        ),
        Sample(view=sample_view(), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(
            view=_used(None).but(first_received_ms=SAMPLE_MS - 3 * _DAY_MS),
            now_ms=SAMPLE_MS,
            when_closed=False,
            when_open=False,
        ),
        Sample(view=_used(13), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
    ),
)
