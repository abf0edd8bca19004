"""The player breaks off with an error again and again."""

from pydantic import Field

from collector.faults.rules.base import (
    SAMPLE_MS,
    STILL,
    Category,
    Finding,
    Limits,
    Past,
    Rule,
    Sample,
    Severity,
    View,
    sample_view,
)

NAME = "player_failing"


class PlayerLimits(Limits):
    """In a week: opens at `open_failed` failures that are `open_share` of all playbacks, closes under `close_share`."""

    open_failed: int = Field(default=3, ge=1)
    open_share: float = Field(default=0.5, gt=0, le=1)
    close_share: float = Field(default=0.2, gt=0, le=1)


def judge(view: View, limits: PlayerLimits, _now_ms: int) -> Finding | None:
    """A week without playbacks repairs nothing."""
    is_open = view.is_open(NAME)
    past = view.past
    if past is None or not past.plays:
        return STILL if is_open else None
    share = past.failed / past.plays
    if share < limits.close_share or not (
        is_open or (past.failed >= limits.open_failed and share >= limits.open_share)
    ):
        return None
    return Finding({"failed": past.failed, "plays": past.plays})


def _played(plays: int, failed: int) -> View:
    return sample_view(past=Past(plays=plays, failed=failed))


RULE = Rule(
    name=NAME,
    title="播放器经常出错",
    text="一周内播放 {plays} 次，有 {failed} 次出错中断",
    hint_plain="请换一个课件试；都放不出来的，重启主机后再试，不要安装来路不明的播放软件。",
    hint_backbone="在主机上用出错的课件试放：缺解码器的装上，显卡驱动异常的换输出方式；只有个别课件出错的，重新拷贝。",
    category=Category.SOFTWARE,
    severity=Severity.MINOR,
    limits=PlayerLimits,
    judge=judge,
    samples=(
        Sample(view=_played(5, 3), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_played(10, 3), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=_played(2, 2), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=_played(0, 0), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=sample_view(), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=_played(10, 1), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
    ),
)
