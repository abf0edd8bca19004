"""The PC has a sound server but nothing to sound through: no card, no loudspeaker output."""

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

NAME = "audio_missing"


def judge(view: View, _limits: Limits, _now_ms: int) -> Finding | None:
    """Without a sound server (nobody has signed in on the PC) only the kernel can tell that a card is gone."""
    audio, alsa = view.audio, view.alsa
    if audio is not None and audio.server and audio.sink is not None:
        return None if audio.sink else Finding()
    if alsa is not None and not alsa.cards:
        return Finding()
    return STILL if view.is_open(NAME) else None


RULE = Rule(
    name=NAME,
    title="没有声音设备",
    text="主机找不到声卡或音箱输出，播放课件会没有声音",
    hint_plain="请看音箱电源是否打开、音频线和 USB 声卡是否插好，换一个 USB 口再试。",
    hint_backbone="查系统声音设置里有没有输出设备；换声卡或音频线试；投影机带声音的，查 HDMI 线。",
    category=Category.HARDWARE_COMMON,
    severity=Severity.MAJOR,
    judge=judge,
    open_for_s=120,
    close_for_s=60,
    samples=(
        Sample(
            view=sample_view(audio={"server": True, "sink": False}),
            now_ms=SAMPLE_MS,
            when_closed=True,
            when_open=True,
        ),
        Sample(view=sample_view(alsa={"cards": []}), now_ms=SAMPLE_MS, when_closed=True, when_open=True),
        Sample(view=sample_view(audio={"server": False}), now_ms=SAMPLE_MS, when_closed=False, when_open=True),
        Sample(
            view=sample_view(audio={"server": True, "sink": True}),
            now_ms=SAMPLE_MS,
            when_closed=False,
            when_open=False,
        ),
    ),
)
