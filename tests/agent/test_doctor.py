import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.doctor import Finding, Network, examine, judge_helper, judge_room, judge_version, render
from agent.room import Space
from agent.upgrade.pointer import Pointer
from tests.clocks import ManualClock

GIB = 1024**3
WALL_MS = ManualClock().now().wall_ms
WELL: Mapping[str, Mapping[str, Any]] = {
    "clock": {"offset_ms": 800, "jumps": 0},
    "host": {"disk_free": 80 * GIB, "disk_total": 200 * GIB, "read_only": False},
    "courseware": {"files": 12, "readable": True, "corrupt": []},
    "projector": {"reachable": True, "power": "on", "faults": {}, "lamp_hours": 1200, "error": ""},
    "audio": {"server": True, "sink": True, "muted": False, "volume": 0.8, "streams": 1, "sounding": True},
}


def findings(
    probe: str = "", *, network: Network = Network.WELL, has_key: bool = True, wall_ms: int = WALL_MS, **changes: Any
) -> list[Finding]:
    """Of a station where all is well but for these changes to one sensor's state."""
    states = {name: {**state, **(changes if name == probe else {})} for name, state in WELL.items()}
    return examine(states, wall_ms=wall_ms, network=network, has_key=has_key)


def complaints(found: list[Finding]) -> list[str]:
    return [each.text for each in found if each.ok is False]


def test_a_station_where_all_is_well_gets_only_ticks() -> None:
    assert [each.ok for each in findings()] == [True] * 7


def test_a_station_of_which_nothing_is_known_is_not_accused() -> None:
    unknown = examine({"projector": None}, wall_ms=WALL_MS, network=Network.UNTRIED, has_key=True)
    assert complaints(unknown) == []


@pytest.mark.parametrize(
    ("probe", "changes", "text"),
    [
        ("clock", {"offset_ms": 3 * 3_600_000}, "电脑时间慢了 3 小时"),
        ("clock", {"offset_ms": -40 * 86_400_000}, "电脑时间快了 40 天"),
        ("clock", {"offset_ms": 121_000}, "电脑时间慢了 2 分钟"),
        ("host", {"read_only": True}, "存放课件的硬盘变成了只读"),
        ("host", {"disk_free": GIB}, "硬盘剩余 1.0 GB（共 200 GB），快满了"),
        ("host", {"disk_free": 9 * GIB}, "硬盘剩余 9.0 GB（共 200 GB），快满了"),
        ("courseware", {"readable": False}, "打不开下载目录"),
        ("courseware", {"corrupt": ["养猪.ts", "春耕.mp4"]}, "下载目录里有损坏的课件：养猪.ts、春耕.mp4"),
        ("projector", {"reachable": False}, "连不上投影机"),
        ("projector", {"error": "the projector refuses the password"}, "投影机密码不对"),
        ("projector", {"error": "the projector asks for a password"}, "投影机密码不对"),
        ("projector", {"faults": {"lamp": "error", "filter": "warning"}}, "投影机报告问题：灯泡故障、滤网警告"),
        ("projector", {"faults": {"shutter": "error"}}, "投影机报告问题：shutter故障"),
        ("projector", {"error": "the projector did not answer in time"}, "投影机应答异常"),
        ("audio", {"server": False}, "连不上声音服务"),
        ("audio", {"sink": False}, "没有声音输出设备"),
        ("audio", {"muted": True}, "声音被静音了"),
        ("audio", {"volume": 0.01}, "音量调到了最低"),
        ("audio", {"sounding": False}, "正在播放但没有声音"),
    ],
)
def test_each_trouble_is_named_alone_and_with_what_to_do(probe: str, changes: dict[str, Any], text: str) -> None:
    found = findings(probe, **changes)
    assert complaints(found) == [text]
    assert [each.advice != "" for each in found if each.ok is False] == [True]


@pytest.mark.parametrize(
    ("network", "text"),
    [
        (Network.UNREACHABLE, "连不上区中心"),
        (Network.UNTRUSTED, "区中心的证书不可信"),
        (Network.REFUSED, "区中心不认识本站，或已停用本站的密钥"),
    ],
)
def test_each_trouble_with_the_centre_is_named(network: Network, text: str) -> None:
    found = findings(network=network)
    assert complaints(found) == [text]
    assert [each.advice != "" for each in found if each.ok is False] == [True]


def test_a_station_without_a_key_is_told_to_enrol() -> None:
    found = findings(has_key=False)
    assert complaints(found) == ["本站还没有密钥"]
    assert "yuanjiao-agent enroll" in found[0].advice


def test_a_clock_in_1970_points_to_the_battery_even_before_the_centre_is_reached() -> None:
    found = findings("clock", wall_ms=5_000, offset_ms=None)
    assert complaints(found) == ["电脑时间明显不对"]
    assert "纽扣电池" in found[2].advice


def test_a_quiet_room_is_well_when_nothing_plays() -> None:
    assert complaints(findings("audio", streams=0, sounding=False)) == []


def test_a_download_folder_that_never_answers_is_not_called_missing() -> None:
    states = {**WELL, "courseware": None}
    found = examine(states, wall_ms=WALL_MS, network=Network.WELL, has_key=True, hanging=["courseware"])
    assert complaints(found) == ["下载目录一直没有应答"]
    assert "网络共享" in found[4].advice


@pytest.mark.parametrize(
    ("space", "ok", "text"),
    [
        (Space(free=40 * GIB, total=200 * GIB), True, "有空间"),
        (Space(free=GIB, total=200 * GIB), False, "存放记录的硬盘满了，只剩 1.0 GB"),
        (Space(free=0, total=200 * GIB), False, "存放记录的硬盘满了，只剩 0.0 GB"),
        (None, None, "还不知道"),
    ],
)
def test_a_full_disk_below_the_records_is_told(space: Space | None, ok: bool | None, text: str) -> None:
    found = judge_room(space)
    assert found.ok is ok
    assert text in found.text
    assert ("清空回收站" in found.advice) is (ok is False)


def test_every_finding_is_a_line_with_its_sign_and_advice_below() -> None:
    shown = render(
        [Finding(ok=True, text="好"), Finding(ok=False, text="坏", advice="修"), Finding(ok=None, text="不知")]
    )
    assert shown == "✓ 好\n✗ 坏\n   → 修\n– 不知"


def test_a_missing_helper_is_named_with_what_to_do(tmp_path: Path) -> None:
    at, status = tmp_path / "session.sock", tmp_path / "session.json"
    assert (judge_helper(at, status).ok, "systemctl start" in judge_helper(at, status).advice) == (None, True)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(at))
        assert (judge_helper(at, status).ok, "重新登录" in judge_helper(at, status).advice) == (False, True)
        status.touch()
        assert judge_helper(at, status) == Finding(ok=True, text="桌面会话助手正常")


@pytest.mark.parametrize(
    ("pointer", "ok", "said"),
    [
        (Pointer(), True, "站点程序版本 0.1.0"),
        (Pointer(slot="a", trial=True), None, "正在试用"),
        (Pointer(failed="0.2.0", why="a bug"), None, "升级到 0.2.0 没有成功，已自动退回"),
    ],
)
def test_an_upgrade_is_told_in_plain_words_and_nobody_has_to_do_anything(
    pointer: Pointer, ok: bool | None, said: str
) -> None:
    found = judge_version(pointer, "0.1.0")

    assert found.ok is ok
    assert said in found.text
    assert (found.advice == "") is (ok is True)
