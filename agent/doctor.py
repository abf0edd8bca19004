"""Turns one look of every sensor into sentences for the person at the PC: what is well, what is not, what to do.

It judges states and looks at nothing itself. None means that the question does not arise or could not be answered.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from agent.room import Limits, Space, above_floor
from agent.upgrade.pointer import Pointer
from shared.wire.states import AudioState, ClockState, CoursewareState, HostState, ProjectorState

_GIB = 1024**3
_LEAST_FREE_BYTES = 2 * _GIB
_LEAST_FREE_SHARE = 0.05
_WORST_OFFSET_MS = 120_000
_FIRST_POSSIBLE_MS = 1_735_689_600_000  # 2025: no station ran this program before
_QUIET = 0.02

_PARTS = {"fan": "风扇", "lamp": "灯泡", "temperature": "温度", "cover": "机盖", "filter": "滤网", "other": "其他部件"}


class Network(StrEnum):
    """What came of one exchange with the centre."""

    WELL = "well"
    UNREACHABLE = "unreachable"
    UNTRUSTED = "untrusted"
    """The centre's certificate cannot be trusted."""
    REFUSED = "refused"
    """The centre does not know this station or its key."""
    UNTRIED = "untried"


@dataclass(frozen=True, slots=True)
class Finding:
    """`ok` None: not known or nothing to judge. `advice` is empty unless there is something to do."""

    ok: bool | None
    text: str
    advice: str = ""


def examine(
    states: Mapping[str, Mapping[str, Any] | None],
    *,
    wall_ms: int,
    network: Network,
    has_key: bool,
    hanging: Collection[str] = (),
) -> list[Finding]:
    """Findings in the order in which a person should work through them.

    `states` maps sensor names to the newest state as it goes on the wire, None or missing where a sensor saw nothing;
    `hanging` names those that did not come to an end. `wall_ms` is the PC's own time, epoch milliseconds.
    """
    clock = ClockState.model_validate(states.get("clock") or {})
    host = HostState.model_validate(states.get("host") or {})
    return [
        _judge_key(present=has_key),
        _judge_network(network),
        _judge_clock(clock, wall_ms),
        _judge_disk(host),
        _judge_directory(states.get("courseware"), hangs="courseware" in hanging),
        _judge_projector(states.get("projector")),
        _judge_sound(states.get("audio")),
    ]


def judge_helper(socket: Path, status: Path) -> Finding:
    """Whether the agent listens for helpers of desktop sessions, and one of them has spoken."""
    if not socket.is_socket():
        return Finding(
            ok=None,
            text="站点程序没有在运行，或不是由 systemd 启动的",
            advice="登记之后请运行 sudo systemctl start yuanjiao-agent；VLC 等播放器和声音要靠它才能看到。",
        )
    if not status.exists():
        return Finding(
            ok=False,
            text="桌面会话助手没有在运行，看不到 VLC 等播放器和声音",
            advice="请注销后重新登录桌面；仍不行请在桌面终端运行 systemctl --user restart yuanjiao-session。",
        )
    return Finding(ok=True, text="桌面会话助手正常")


def judge_room(space: Space | None) -> Finding:
    """Whether the agent can still record, by the disk it records on; None where that disk cannot be asked."""
    if space is None:
        return Finding(ok=None, text="还不知道存放记录的硬盘有没有空间")
    if above_floor(Limits(), space) <= 0:
        return Finding(
            ok=False,
            text=f"存放记录的硬盘满了，只剩 {space.free / _GIB:.1f} GB，新的记录可能写不进去",
            advice="请删除不用的文件，清空回收站；腾出空间后会自动恢复，已有的记录没有丢失。",
        )
    return Finding(ok=True, text="存放记录的硬盘有空间")


def judge_version(pointer: Pointer, running: str) -> Finding:
    """What became of the last upgrade. `running` is the version of the agent that is to run."""
    if pointer.trial:
        return Finding(ok=None, text=f"正在试用新版本 {running}", advice="会自动确认或退回，不用处理。")
    if pointer.failed:
        return Finding(
            ok=None,
            text=f"升级到 {pointer.failed} 没有成功，已自动退回，现在是 {running}",
            advice="不用处理，已报告区中心；记录没有丢失。反复出现请联系区中心。",
        )
    return Finding(ok=True, text=f"站点程序版本 {running}")


def render(findings: Sequence[Finding]) -> str:
    """A line a finding, ✓ ✗ or –, and below it what to do."""
    signs = {True: "✓", False: "✗", None: "–"}
    lines = [f"{signs[each.ok]} {each.text}" + (f"\n   → {each.advice}" if each.advice else "") for each in findings]
    return "\n".join(lines)


def _judge_key(*, present: bool) -> Finding:
    if present:
        return Finding(ok=True, text="本站密钥已就绪")
    return Finding(
        ok=False, text="本站还没有密钥", advice="请向区中心索取安装码，运行 yuanjiao-agent enroll 完成登记。"
    )


def _judge_network(network: Network) -> Finding:
    match network:
        case Network.WELL:
            return Finding(ok=True, text="与区中心通信正常")
        case Network.UNREACHABLE:
            return Finding(
                ok=False,
                text="连不上区中心",
                advice="请检查网线和路由器，看能否打开网页；断网期间的记录会保存在本机，联网后自动补传。",
            )
        case Network.UNTRUSTED:
            return Finding(
                ok=False, text="区中心的证书不可信", advice="请先校准电脑时间；仍不行请联系区中心核对证书和地址。"
            )
        case Network.REFUSED:
            return Finding(
                ok=False,
                text="区中心不认识本站，或已停用本站的密钥",
                advice="请联系区中心核对；要继续使用，请索取新的安装码，运行 yuanjiao-agent enroll 重新登记。",
            )
        case Network.UNTRIED:
            return Finding(ok=None, text="没有测试与区中心的通信")


def _judge_clock(clock: ClockState, wall_ms: int) -> Finding:
    if wall_ms < _FIRST_POSSIBLE_MS:
        return Finding(
            ok=False,
            text="电脑时间明显不对",
            advice="请校准日期和时间；如果每次开机都不对，请更换主板上的纽扣电池。",
        )
    if clock.offset_ms is None:
        return Finding(ok=None, text="还不知道电脑时间准不准，与区中心通信后才能比较")
    if abs(clock.offset_ms) <= _WORST_OFFSET_MS:
        return Finding(ok=True, text="电脑时间准确")
    side = "慢" if clock.offset_ms > 0 else "快"
    return Finding(
        ok=False,
        text=f"电脑时间{side}了 {_say_duration(abs(clock.offset_ms))}",
        advice="请校准日期和时间，并打开“自动设置时间”。",
    )


def _say_duration(span_ms: int) -> str:
    minutes = span_ms // 60_000
    if minutes < 120:
        return f"{minutes} 分钟"
    return f"{minutes // 60} 小时" if minutes < 2880 else f"{minutes // 1440} 天"


def _judge_disk(host: HostState) -> Finding:
    if host.read_only:
        return Finding(
            ok=False,
            text="存放课件的硬盘变成了只读",
            advice="硬盘可能已出错：请先备份重要文件，重启电脑；再出现请联系骨干操作员更换硬盘。",
        )
    if host.disk_free is None or host.disk_total is None:
        return Finding(ok=None, text="读不到硬盘容量")
    free = f"硬盘剩余 {host.disk_free / _GIB:.1f} GB（共 {host.disk_total / _GIB:.0f} GB）"
    if host.disk_free < max(_LEAST_FREE_BYTES, host.disk_total * _LEAST_FREE_SHARE):
        return Finding(ok=False, text=f"{free}，快满了", advice="请删除已播放过的旧课件和不用的文件，清空回收站。")
    return Finding(ok=True, text=free)


def _judge_directory(state: Mapping[str, Any] | None, *, hangs: bool) -> Finding:
    if hangs:
        return Finding(
            ok=False,
            text="下载目录一直没有应答",
            advice="目录在网络共享或移动硬盘上的，请检查那台电脑、网线或硬盘；重新接好仍不行，请重启本机。",
        )
    if state is None:
        return Finding(ok=None, text="没有设置下载目录")
    courseware = CoursewareState.model_validate(state)
    if not courseware.readable:
        return Finding(
            ok=False, text="打不开下载目录", advice="请确认移动硬盘已接好、目录没有改名，且本程序有读取权限。"
        )
    if courseware.corrupt:
        return Finding(
            ok=False,
            text=f"下载目录里有损坏的课件：{'、'.join(courseware.corrupt)}",
            advice="请等待下一轮播发重新接收，或向管理站拷贝；经常出现请检查卫星天线和信号。",
        )
    return Finding(ok=True, text=f"下载目录正常，有 {courseware.files or 0} 个课件")


def _judge_projector(state: Mapping[str, Any] | None) -> Finding:
    if state is None:
        return Finding(ok=None, text="没有设置投影机")
    projector = ProjectorState.model_validate(state)
    if not projector.reachable:
        return Finding(
            ok=False,
            text="连不上投影机",
            advice="请确认投影机已通电、网线或串口线已插好，且设置里的地址或串口是投影机的。",
        )
    if "password" in projector.error:
        return Finding(ok=False, text="投影机密码不对", advice="请在投影机菜单里查看 PJLink 密码，并改正本机设置。")
    if projector.faults:
        named = "、".join(_say_fault(part, level) for part, level in projector.faults.items())
        return Finding(
            ok=False, text=f"投影机报告问题：{named}", advice="请关机冷却后检查滤网和灯泡；仍报错请联系骨干操作员。"
        )
    if projector.error:
        return Finding(
            ok=False, text="投影机应答异常", advice="请关掉投影机电源，一分钟后再开；仍异常请联系骨干操作员。"
        )
    hours = "" if projector.lamp_hours is None else f"，灯泡已用 {projector.lamp_hours} 小时"
    return Finding(ok=True, text=f"投影机正常{hours}")


def _say_fault(part: str, level: str) -> str:
    return f"{_PARTS.get(part, part)}{'警告' if level == 'warning' else '故障'}"


def _judge_sound(state: Mapping[str, Any] | None) -> Finding:
    if state is None:
        return Finding(ok=None, text="没有检查声音")
    audio = AudioState.model_validate(state)
    if not audio.server:
        return Finding(
            ok=False, text="连不上声音服务", advice="请先登录桌面；已登录请注销后再登录，或检查本程序的声音权限设置。"
        )
    if not audio.sink:
        return Finding(ok=False, text="没有声音输出设备", advice="请检查音箱或 HDMI 线是否接好，声卡是否被禁用。")
    return _judge_output(audio)


def _judge_output(audio: AudioState) -> Finding:
    if audio.muted:
        return Finding(ok=False, text="声音被静音了", advice="请点击屏幕右下角的喇叭，取消静音。")
    if audio.volume is not None and audio.volume <= _QUIET:
        return Finding(ok=False, text="音量调到了最低", advice="请把系统音量调高到 50% 以上。")
    if audio.streams and not audio.sounding:
        return Finding(ok=False, text="正在播放但没有声音", advice="请检查播放器是否静音、这个课件本身是否有声音。")
    return Finding(ok=True, text="声音设备正常" + ("，正在出声" if audio.sounding else ""))
