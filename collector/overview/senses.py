"""What a station's sensors say, in sentences. Pure: a heartbeat in, lines out.

Not installed, no data and zero are three different lines. Texts are Chinese msgids with %(placeholders)s.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from collector.web.i18n import msgid
from shared.wire.states import (
    AlsaState,
    AudioState,
    CoursewareState,
    DisplayState,
    HostState,
    PlaybackState,
    ProjectorState,
    TextfileState,
)
from shared.wire.v1 import Heartbeat, ProbeReport

CLOCK_TOLERANCE_MS = 120_000
_LOW_DISK = 0.05
_HOT_C = 85.0


class Standing(StrEnum):
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    NO_DATA = "no_data"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Mark:
    shape: str
    word: str
    colour: str


MARKS: Mapping[Standing, Mark] = {
    Standing.GOOD: Mark("●", msgid("正常"), "green"),
    Standing.WARN: Mark("▲", msgid("注意"), "amber"),
    Standing.BAD: Mark("■", msgid("故障"), "red"),
    Standing.NO_DATA: Mark("○", msgid("没有数据"), "grey"),
    Standing.ABSENT: Mark("–", msgid("未安装"), "grey"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One sensor: its name, how it stands, and a sentence to be filled with `values`."""

    name: str
    standing: Standing
    text: str
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def mark(self) -> Mark:
        return MARKS[self.standing]


Reading = tuple[Standing, str, Mapping[str, Any]]


def read_heartbeat(text: str) -> Heartbeat | None:
    """The stored heartbeat, None when it cannot be read."""
    try:
        return Heartbeat.model_validate_json(text)
    except ValidationError:
        return None


def lines_of(heartbeat: Heartbeat) -> list[Line]:
    """Every sensor we know, then those a newer agent has and we do not."""
    lines = [Line(name, *_read(heartbeat.probes.get(probe), reader)) for probe, (name, reader) in READERS.items()]
    foreign = [name for name in heartbeat.probes if name not in READERS and name != "clock"]
    return lines + [
        Line(name, Standing.NO_DATA, msgid("区中心的程序还不认识这一项，请升级区中心的程序。")) for name in foreign
    ]


def clock_line(heartbeat: Heartbeat, received_ms: int) -> Line:
    """How far the station's clock is from the centre's, by the newest heartbeat."""
    offset_ms = heartbeat.wall - received_ms
    seconds = abs(offset_ms) // 1000
    if abs(offset_ms) <= CLOCK_TOLERANCE_MS:
        return Line(msgid("时钟"), Standing.GOOD, msgid("与区中心相差 %(seconds)s 秒"), {"seconds": seconds})
    text = msgid("快了 %(minutes)s 分钟，请校准") if offset_ms > 0 else msgid("慢了 %(minutes)s 分钟，请校准")
    return Line(msgid("时钟"), Standing.WARN, text, {"minutes": seconds // 60})


def _read(report: ProbeReport | None, reader: Callable[[Mapping[str, Any]], Reading]) -> Reading:
    if report is None:
        return Standing.ABSENT, msgid("这台电脑没有装，不监测"), {}
    if report.status == "failed":
        return Standing.BAD, msgid("读取出错：%(error)s"), {"error": report.error[:200]}
    if report.status == "no_data":
        return Standing.NO_DATA, msgid("没有读到数据"), {}
    try:
        return reader(report.state)
    except ValidationError:
        return Standing.NO_DATA, msgid("发来的数据读不懂，请升级区中心的程序。"), {}


def _courseware(state: Mapping[str, Any]) -> Reading:
    seen = CoursewareState.model_validate(state)
    if not seen.readable:
        return Standing.BAD, msgid("课件目录打不开"), {}
    if seen.files is None:
        return Standing.NO_DATA, msgid("还没有数过课件"), {}
    if seen.corrupt:
        return (
            Standing.WARN,
            msgid("有 %(number)s 个损坏的文件：%(names)s"),
            {
                "number": len(seen.corrupt),
                "names": "、".join(seen.corrupt[:3]),
            },
        )
    if seen.incoming:
        return (
            Standing.GOOD,
            msgid("存有 %(files)s 个文件，正在接收 %(incoming)s 个"),
            {
                "files": seen.files,
                "incoming": seen.incoming,
            },
        )
    return Standing.GOOD, msgid("存有 %(files)s 个文件"), {"files": seen.files}


def _playback(state: Mapping[str, Any]) -> Reading:
    seen = PlaybackState.model_validate(state)
    if seen.playing:
        return Standing.GOOD, msgid("正在播放：%(names)s"), {"names": "、".join(seen.playing[:3])}
    return Standing.GOOD, msgid("现在没有播放"), {}


def _projector(state: Mapping[str, Any]) -> Reading:
    seen = ProjectorState.model_validate(state)
    if seen.reachable is False:
        return Standing.BAD, msgid("连不上投影机"), {}
    if seen.faults:
        return Standing.BAD, msgid("投影机报告故障：%(faults)s"), {"faults": "、".join(sorted(seen.faults))}
    if seen.power is None:
        return Standing.NO_DATA, msgid("投影机没有回答"), {}
    power, used = _POWER.get(seen.power, (msgid("状态不明"), msgid("状态不明，灯泡已用 %(hours)s 小时")))
    return (Standing.GOOD, power, {}) if seen.lamp_hours is None else (Standing.GOOD, used, {"hours": seen.lamp_hours})


def _audio(state: Mapping[str, Any]) -> Reading:
    seen = AudioState.model_validate(state)
    if seen.sink is False:
        return Standing.BAD, msgid("没有找到声音设备"), {}
    if seen.sink is None:
        return Standing.NO_DATA, msgid("声音服务没有回答"), {}
    if seen.muted:
        return Standing.WARN, msgid("已静音"), {}
    if seen.volume is None:
        return Standing.GOOD, msgid("声音设备正常"), {}
    return Standing.GOOD, msgid("音量 %(volume)s"), {"volume": f"{seen.volume:.0%}"}


def _host(state: Mapping[str, Any]) -> Reading:
    seen = HostState.model_validate(state)
    if seen.read_only:
        return Standing.BAD, msgid("硬盘变成只读，无法保存数据"), {}
    if seen.disk_free is None or not seen.disk_total:
        return Standing.NO_DATA, msgid("没有读到硬盘容量"), {}
    share = seen.disk_free / seen.disk_total
    values = {"free": f"{seen.disk_free / 1e9:.0f}", "share": f"{share:.0%}"}
    if share < _LOW_DISK:
        return Standing.BAD, msgid("硬盘快满了，剩余 %(free)s GB（%(share)s）"), values
    if seen.temperature_c is not None and seen.temperature_c > _HOT_C:
        return Standing.WARN, msgid("主机过热，%(degrees)s ℃"), {"degrees": f"{seen.temperature_c:.0f}"}
    return Standing.GOOD, msgid("硬盘剩余 %(free)s GB（%(share)s）"), values


def _display(state: Mapping[str, Any]) -> Reading:
    seen = DisplayState.model_validate(state)
    if seen.screens is None:
        return Standing.NO_DATA, msgid("没有读到视频接口"), {}
    if not seen.screens:
        return Standing.WARN, msgid("视频接口上没有接投影机或屏幕"), {}
    return (
        Standing.GOOD,
        msgid("%(connector)s 接着 %(name)s"),
        {
            "connector": seen.connector,
            "name": seen.name or f"{seen.vendor} {seen.product}".strip() or "—",
        },
    )


def _alsa(state: Mapping[str, Any]) -> Reading:
    seen = AlsaState.model_validate(state)
    if not seen.cards:
        return Standing.BAD, msgid("系统里没有声卡"), {}
    return Standing.GOOD, msgid("声卡：%(names)s"), {"names": "、".join(seen.cards[:3])}


def _textfile(state: Mapping[str, Any]) -> Reading:
    seen = TextfileState.model_validate(state)
    values = {"number": len(seen.sensors), "stale": len(seen.stale), "errors": len(seen.errors)}
    if seen.stale or seen.errors:
        return Standing.WARN, msgid("%(number)s 个在报告，%(stale)s 个已过期，%(errors)s 个读不懂"), values
    return Standing.GOOD, msgid("%(number)s 个在报告"), values


_POWER: Mapping[str, tuple[str, str]] = {
    "on": (msgid("已开机"), msgid("已开机，灯泡已用 %(hours)s 小时")),
    "off": (msgid("已关机"), msgid("已关机，灯泡已用 %(hours)s 小时")),
    "cooling": (msgid("正在冷却"), msgid("正在冷却，灯泡已用 %(hours)s 小时")),
    "warming": (msgid("正在预热"), msgid("正在预热，灯泡已用 %(hours)s 小时")),
}

READERS: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], Reading]]] = {
    "courseware": (msgid("课件接收"), _courseware),
    "playback": (msgid("播放"), _playback),
    "projector": (msgid("投影机"), _projector),
    "audio": (msgid("声音"), _audio),
    "host": (msgid("主机"), _host),
    "display": (msgid("显示接口"), _display),
    "alsa": (msgid("声卡"), _alsa),
    "textfile": (msgid("其他程序"), _textfile),
}
