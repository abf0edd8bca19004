"""Words for study sessions and for how a playback ended."""

from collections.abc import Mapping
from dataclasses import dataclass

from collector.usage.records import SessionState
from collector.web.i18n import msgid


@dataclass(frozen=True, slots=True)
class SessionLook:
    shape: str
    word: str
    colour: str


SESSION_LOOKS: Mapping[SessionState, SessionLook] = {
    SessionState.PROPOSED: SessionLook("▲", msgid("待确认"), "amber"),
    SessionState.CLAIMED: SessionLook("●", msgid("站点填报"), "green"),
    SessionState.CONFIRMED: SessionLook("●", msgid("已确认"), "green"),
    SessionState.VOID: SessionLook("–", msgid("已作废"), "grey"),
    SessionState.DUPLICATE: SessionLook("–", msgid("重复填报"), "grey"),
    SessionState.IMPOSSIBLE: SessionLook("■", msgid("数字不合理"), "red"),
}

END_WORDS: Mapping[str | None, str] = {
    "completed": msgid("放完"),
    "stopped": msgid("中途停止"),
    "error": msgid("播放出错"),
    "abandoned": msgid("意外中断"),
    None: msgid("还没有结束"),
}

FLAG_WORDS: Mapping[str, str] = {
    "uncorroborated": msgid("未见打开文件"),
    "projector_off": msgid("投影没有开"),
    "muted": msgid("静音"),
    "speed": msgid("变速播放"),
    "seek_to_end": msgid("快进到结尾"),
    "cut_short": msgid("没有放到结尾"),
    "impossible": msgid("时间对不上，不计入"),
}
"""What is doubtful about a playback: the flags of the station's sensor, and our own."""

KIND_WORDS: tuple[str, ...] = (
    msgid("三会一课"),
    msgid("政策理论"),
    msgid("实用技术"),
    msgid("专题讲座"),
    msgid("文化娱乐"),
    msgid("其他"),
)
"""The kinds of study of the wire, marked for translation; a test holds the two together."""
