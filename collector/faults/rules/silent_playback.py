"""Something is being played, the sound is on, and still nothing sounds."""

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

NAME = "silent_playback"


def judge(view: View, _limits: Limits, _now_ms: int) -> Finding | None:
    """Muted sound is another rule's. Once open, only sound closes it; films have quiet places, so it waits long."""
    is_open = view.is_open(NAME)
    audio = view.audio
    if audio is None or audio.sounding is None:
        return STILL if is_open else None
    if audio.sounding:
        return None
    if is_open:
        return STILL
    is_on = bool(audio.sink) and audio.muted is False and (audio.volume is None or audio.volume > 0)
    return Finding({"sink": audio.sink_name}) if view.is_playing and is_on else None


def _with(*, sounding: bool, playing: bool = True, muted: bool = False) -> View:
    return sample_view(
        audio={"server": True, "sink": True, "muted": muted, "volume": 0.6, "sounding": sounding},
        playback={"playing": ["春季果树管理"] if playing else []},
    )


RULE = Rule(
    name=NAME,
    title="播放没有声音",
    text="正在播放课件，声音没有关，但十分钟以上没有任何声音",
    hint_plain="请先听别的课件有没有声音；有，就是这个课件的问题。没有，请看播放器里的音量和声道。",
    hint_backbone="查播放器选中的声音输出和音轨；课件本身无声的，换一份；重新启动声音服务或主机再试。",
    category=Category.SOFTWARE,
    severity=Severity.MINOR,
    judge=judge,
    open_for_s=600,
    samples=(
        Sample(view=_with(sounding=False), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=_with(sounding=False, playing=False), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=_with(sounding=False, muted=True), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(view=_with(sounding=True), now_ms=SAMPLE_MS, when_closed=False, when_open=False),
    ),
)
