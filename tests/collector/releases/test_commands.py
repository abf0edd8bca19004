"""The commands with which the office takes a release in, offers it, takes it off and looks how far stations are."""

from pathlib import Path

import pytest

from collector.__main__ import main
from tests.releases import KEYS, make_release


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A district on SQLite; returns the folder with a release and the release keys."""
    monkeypatch.setenv("YUANJIAO_DATABASE", f"sqlite+aiosqlite:///{tmp_path}/centre.db")
    assert main(["init"]) == 0
    (tmp_path / "a.release").write_bytes(make_release("0.2.0"))
    (tmp_path / "keys.toml").write_text(f'keys = ["{KEYS.keys[0]}"]\n')
    return tmp_path


def test_from_taking_in_to_taking_off(office: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["upgrade", "add", f"{office}/a.release", "--keys", f"{office}/keys.toml"]) == 0
    assert "签名已核对" in capsys.readouterr().out
    assert main(["upgrade", "offer", "0.2.0", "--all"]) == 2
    assert "先给几个站点试用" in capsys.readouterr().err
    assert main(["upgrade", "offer", "0.2.0", "--township", "宝轮镇"]) == 0
    assert main(["upgrade", "offer", "0.2.0", "--station", "510802/1", "--station", "510802/2"]) == 0
    assert "2 个站点" in capsys.readouterr().out
    assert main(["upgrade", "list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert len(listed) == 1 + 238
    assert sum(line.endswith("0.2.0,等待站点取用") for line in listed) > 2
    assert main(["upgrade", "withdraw", "0.2.0"]) == 0
    assert main(["upgrade", "list"]) == 0
    assert "等待站点取用" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["add", "absent.release"], "读不到升级包"),
        (["add", "a.release", "--keys", "absent.toml"], "没有发行公钥文件"),
        (["offer", "0.2.0", "--township", "宝轮镇"], "还没有收下这个版本"),
        (["offer", "0.2.0", "--township", "无名镇"], "没有找到乡镇"),
        (["offer", "0.2.0", "--station", "17"], "510802/17"),
        (["withdraw", "0.2.0"], "没有发给任何站点"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    office: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], why: str
) -> None:
    monkeypatch.chdir(office)

    assert main(["upgrade", *arguments]) == 2

    assert why in capsys.readouterr().err
