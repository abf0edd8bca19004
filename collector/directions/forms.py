"""The form of a settings document: which fields it shows, how they are typed in, and what they are called. Pure.

An empty field is left out of the document: the station keeps what it has. Whether a value holds is judged by the
station's own models; here only its kind is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from collector.errors import BadInputError
from collector.web.i18n import msgid
from shared.wire.directions import Verb

Kind = Literal["switch", "number", "text", "words", "lines"]


@dataclass(frozen=True, slots=True)
class Field:
    """`probe` is empty for what belongs to no sensor; None of `choices`: anything may be typed."""

    probe: str
    name: str
    label: str
    kind: Kind
    choices: Mapping[str, str] | None = None

    @property
    def key(self) -> str:
        return f"{self.probe}.{self.name}" if self.probe else self.name


GENERAL = (
    Field("", "heartbeat_s", msgid("多久与中心联系一次（60 到 3600 秒）"), "number"),
    Field("", "open_hours", msgid("开放时间（每行一段，如 1-5 08:30-18:00）"), "lines"),
)
SENSORS: Mapping[str, str] = {
    "courseware": msgid("课件目录"),
    "playback": msgid("播放"),
    "projector": msgid("投影"),
    "display": msgid("显示输出"),
    "audio": msgid("声音"),
    "alsa": msgid("声卡"),
    "host": msgid("主机"),
    "clock": msgid("时钟"),
    "textfile": msgid("外部程序"),
}
SOURCES: Mapping[str, str] = {
    "satellite": msgid("天网"),
    "department": msgid("部门下发"),
    "district": msgid("本区自制"),
    "disc": msgid("光盘"),
}
_ON = msgid("是否启用")
FIELDS = (
    *(Field(probe, "enabled", _ON, "switch") for probe in SENSORS),
    Field("courseware", "settle_s", msgid("文件不再变化多久才算收完（秒）"), "number"),
    Field("courseware", "budget_mib", msgid("每次最多读取（兆字节）"), "number"),
    Field("courseware", "max_entries", msgid("最多查看的文件数"), "number"),
    Field("courseware", "source", msgid("课件来源"), "text", SOURCES),
    Field("courseware", "suffixes", msgid("课件后缀（空格分开）"), "words"),
    Field("projector", "host", msgid("网络地址"), "text"),
    Field("projector", "port", msgid("端口"), "number"),
    Field("projector", "baud", msgid("串口速率"), "number"),
    Field("projector", "timeout_s", msgid("最多等待（秒）"), "number"),
    Field("audio", "timeout_s", msgid("最多等待（秒）"), "number"),
    Field("audio", "listen_s", msgid("每次听多久（秒）"), "number"),
)
VERB_WORDS: Mapping[str, str] = {
    Verb.RESCAN: msgid("重新扫描课件"),
    Verb.SEND_INVENTORY: msgid("重报课件清单"),
    Verb.SET_VOLUME: msgid("设置音量"),
    Verb.UNMUTE: msgid("取消静音"),
    Verb.PROJECTOR_ON: msgid("打开投影机"),
    Verb.PROJECTOR_OFF: msgid("关闭投影机"),
    Verb.RESTART_HELPER: msgid("重启桌面助手"),
    Verb.SEND_DIAGNOSTICS: msgid("上报诊断信息"),
}


def fields_of(probe: str) -> list[Field]:
    return [field for field in FIELDS if field.probe == probe]


def write(document: Mapping[str, Any]) -> dict[str, str]:
    """What the form shows of a document, by field."""
    shown = {}
    for field in (*GENERAL, *FIELDS):
        place = document.get("probes", {}).get(field.probe, {}) if field.probe else document
        if field.name in place:
            shown[field.key] = _show(field, place[field.name])
    return shown


def read(typed: Mapping[str, str]) -> dict[str, Any]:
    """The document that was typed in. Raises BadInputError that names the field."""
    document: dict[str, Any] = {}
    for field in (*GENERAL, *FIELDS):
        text = typed.get(field.key, "").strip()
        if text:
            place = document.setdefault("probes", {}).setdefault(field.probe, {}) if field.probe else document
            place[field.name] = _parse(field, text)
    return document


def read_arguments(verb: str, volume: str) -> dict[str, Any]:
    """The arguments of a verb, from the form; only the volume (in percent) has any."""
    if verb != Verb.SET_VOLUME:
        return {}
    try:
        return {"volume": int(volume) / 100}
    except ValueError as error:
        raise BadInputError("音量应是 0 到 100 的整数。") from error


def _show(field: Field, value: Any) -> str:
    if field.kind == "switch":
        return "on" if value else "off"
    if field.kind in {"words", "lines"}:
        return (" " if field.kind == "words" else "\n").join(sorted(value) if field.kind == "words" else value)
    return str(value)


def _parse(field: Field, text: str) -> Any:
    if field.kind == "switch":
        return text == "on"
    if field.kind == "words":
        return text.lower().replace(".", " ").split()
    if field.kind == "lines":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if field.kind == "text":
        return text
    try:
        number = float(text)
        return int(number) if number.is_integer() else number
    except (ValueError, OverflowError) as error:
        raise BadInputError("有一项应填数字，却不是数字。请改正后再保存。") from error
