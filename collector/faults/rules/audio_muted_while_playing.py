"""Something is being played and the PC's sound is muted, or turned down so far that nobody hears it."""

from pydantic import Field

from collector.faults.rules.base import (
    SAMPLE_MS,
    STILL,
    Category,
    Finding,
    Limits,
    Rule,
    Sample,
    Severity,
    View,
    sample_view,
)

NAME = "audio_muted_while_playing"


class MutedLimits(Limits):
    """Muted, or a volume (0..1) under `open_volume`; closes when not muted and at least `close_volume`."""

    open_volume: float = Field(default=0.05, ge=0, le=1)
    close_volume: float = Field(default=0.1, ge=0, le=1)


def judge(view: View, limits: MutedLimits, _now_ms: int) -> Finding | None:
    """Once open, only sound turned up closes it: the end of the playing turns nothing up."""
    is_open = view.is_open(NAME)
    audio = view.audio
    if audio is None or not audio.sink or audio.muted is None:
        return STILL if is_open else None
    least = limits.close_volume if is_open else limits.open_volume
    is_low = audio.volume is not None and audio.volume < least
    if not (audio.muted or is_low) or not (is_open or view.is_playing):
        return None
    return Finding({"percent": 0 if audio.muted else round(100 * (audio.volume or 0))})


def _with(*, muted: bool, volume: float = 0.6, playing: bool = True) -> View:
    return sample_view(
        audio={"server": True, "sink": True, "muted": muted, "volume": volume},
        playback={"playing": ["春季果树管理"] if playing else []},
    )


RULE = Rule(
    name=NAME,
    title="播放时静音",
    text="正在播放课件，但主机声音被关掉或调得太低（{percent}%）",
    hint_plain="请点屏幕右下角的小喇叭，取消静音，把音量调到一半以上，再看音箱旋钮。",
    hint_backbone="查系统默认输出是不是接着音箱的那一个；开机总是静音的，检查声音服务保存的音量。",
    category=Category.OPERATOR,
    severity=Severity.MINOR,
    limits=MutedLimits,
    judge=judge,
    open_for_s=120,
    samples=(
        Sample(view=_with(muted=True), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_with(muted=False, volume=0.02), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_with(muted=False, volume=0.07), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=_with(muted=True, playing=False), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=_with(muted=False), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
    ),
)
