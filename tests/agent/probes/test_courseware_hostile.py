import errno
import hashlib
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.probes import _tree
from agent.probes.courseware import memo_key
from tests import media
from tests.agent.probes.folder import Folder


class Drives:
    """Real file systems in memory, plugged in and pulled out. What lay on one that is pulled is kept aside by name."""

    def __init__(self) -> None:
        self.mounted: list[Path] = []
        self.kept: dict[str, tuple[tuple[str, bytes], ...]] = {}

    def plug(self, place: Path, kept: str = "") -> None:
        place.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", place], check=True)
        self.mounted.append(place)
        for name, content in self.kept.get(kept, ()):
            (place / name).write_bytes(content)

    def pull(self, place: Path, keep: str) -> None:
        self.kept[keep] = tuple((path.name, path.read_bytes()) for path in place.iterdir())
        subprocess.run(["umount", place], check=True)
        self.mounted.remove(place)

    def pull_all(self) -> None:
        for place in self.mounted:
            subprocess.run(["umount", "--lazy", place], check=True)


def test_a_missing_folder_removes_nothing(folder: Folder) -> None:
    folder.put("a.mp4", media.mp4())
    before = folder.settle()
    folder.root.rename(folder.root.with_name("away"))
    away = folder.look()
    folder.root.with_name("away").rename(folder.root)
    assert (away["readable"], away["files"], away["digest"]) == (False, 1, before["digest"])
    assert folder.settle()["readable"]
    assert folder.rig.kinds() == ["courseware.received"]


def test_the_bare_mount_point_of_a_disk_that_is_away_removes_nothing(folder: Folder) -> None:
    folder.put("a.mp4", media.mp4())
    folder.settle()
    folder.root.rename(folder.root.with_name("disk"))
    folder.root.mkdir()
    assert not folder.settle()["readable"]
    assert folder.rig.told("courseware.removed") == []


@pytest.fixture
def drives() -> Iterator[Drives]:
    drives = Drives()
    yield drives
    drives.pull_all()


@pytest.mark.parametrize("place", ["", "光盘"], ids=["the whole folder", "a disc within it"])
def test_a_drive_that_is_pulled_out_and_comes_back_removes_nothing(folder: Folder, drives: Drives, place: str) -> None:
    mount = folder.root / place
    drives.plug(mount)
    folder.put(f"{place}/a.mp4".lstrip("/"), media.mp4())
    folder.settle()
    drives.pull(mount, "saved")
    (mount / "stray.htm").write_bytes(b"<html>")
    folder.restart()
    folder.settle()
    folder.settle()
    drives.plug(mount, "saved")
    folder.settle()
    told = [fact.kind for fact in folder.rig.facts if fact.data["name"].endswith("a.mp4")]
    assert told == ["courseware.received"]
    assert folder.settle()["files"] == 1


def test_a_film_deleted_from_a_drive_that_is_there_is_a_removal(folder: Folder, drives: Drives) -> None:
    drives.plug(folder.root / "U盘")
    path = folder.put("U盘/a.mp4", media.mp4())
    folder.settle()
    Path(os.fsdecode(path)).unlink()
    folder.look()
    assert folder.rig.kinds() == ["courseware.received", "courseware.removed"]


def test_a_folder_moved_in_is_taken_in_with_all_that_lies_in_it(folder: Folder, tmp_path: Path) -> None:
    aside = tmp_path / "aside" / "第1季"
    aside.mkdir(parents=True)
    for number in range(3):
        (aside / f"{number}.htm").write_bytes(b"<html>%d" % number)
    folder.settle()
    aside.rename(folder.root / "第1季")
    folder.settle()
    assert sorted(each["name"] for each in folder.rig.told("courseware.received")) == [
        "第1季/0.htm",
        "第1季/1.htm",
        "第1季/2.htm",
    ]


def test_a_folder_emptied_by_hand_is_a_removal(folder: Folder) -> None:
    path = folder.put("a.mp4", media.mp4())
    folder.settle()
    Path(os.fsdecode(path)).unlink()
    state = folder.look()
    assert state["readable"]
    assert folder.rig.kinds() == ["courseware.received", "courseware.removed"]


def test_a_folder_within_that_cannot_be_read_removes_nothing(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.put("satellite/a.mp4", media.mp4())
    folder.settle()

    # Flags the kernel refuses: tests may run as root, whom no mode bits stop.
    monkeypatch.setattr(_tree, "_FOLDER", os.O_RDONLY | os.O_DIRECTORY | os.O_CREAT)
    state = folder.look()
    assert (state["readable"], state["files"]) == (True, 1)
    assert folder.rig.told("courseware.removed") == []


def test_more_entries_than_the_limit_are_told_and_removes_nothing(folder: Folder) -> None:
    folder.put("a.mp4", media.mp4())
    folder.settle()
    folder.settings = folder.settings.model_copy(update={"max_entries": 1})
    folder.restart()
    folder.put("b.mp4", media.mp4())
    assert folder.look()["capped"]
    assert folder.rig.told("courseware.removed") == []


def test_an_unreadable_file_is_told_once_and_taken_in_when_it_reads_again(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> int:
        raise OSError(errno.EIO, "bad sector")

    folder.put("a.mp4", media.mp4())
    with monkeypatch.context() as broken:
        broken.setattr(_tree, "open_beneath", fail)
        folder.look(12)
        assert [fact["reason"] for fact in folder.rig.told("courseware.rejected")] == ["unreadable"]
        assert folder.look()["corrupt"] == ["a.mp4"]
    folder.settle()
    assert folder.rig.kinds() == ["courseware.rejected", "courseware.received"]


def test_pipes_devices_sockets_and_looping_links_do_not_hold_up_a_look(folder: Folder, tmp_path: Path) -> None:
    os.mkfifo(folder.root / "pipe.mp4")
    (folder.root / "loop").symlink_to(folder.root)
    (folder.root / "zero.mp4").symlink_to("/dev/zero")
    outside = tmp_path / "outside.mp4"
    outside.write_bytes(media.mp4())
    (folder.root / "outside.mp4").symlink_to(outside)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder.root / "s.mp4"))
        state = folder.settle()
    assert (state["files"], state["incoming"]) == (0, 0)


def test_a_folder_swapped_for_a_link_leads_nowhere(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "a.mp4").write_bytes(media.mp4())
    (folder.root / "sub").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        _tree.open_beneath(os.fsencode(folder.root), b"sub/a.mp4")


def test_a_file_swapped_for_a_link_is_not_read(folder: Folder) -> None:
    (folder.root / "a.mp4").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="Too many levels"):
        _tree.open_beneath(os.fsencode(folder.root), b"a.mp4")


def test_a_file_swapped_for_a_pipe_is_not_read(folder: Folder) -> None:
    os.mkfifo(folder.root / "a.mp4")
    with pytest.raises(OSError, match="not a regular file"):
        _tree.open_beneath(os.fsencode(folder.root), b"a.mp4")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"a=b.mp4", "a=b.mp4"),
        (b"<script>alert(1)<.mp4", "<script>alert(1)<.mp4"),
        ("水稻.mp4".encode("gbk"), "水稻.mp4"),
        (b"\xff\xff\xff.mp4", "\ufffd\ufffd\ufffd.mp4"),
        (("课" * 83 + "xx.mp4").encode(), "课" * 83 + "xx.mp4"),
        ("abc\u202e4pm.mp4".encode(), "abc4pm.mp4"),
        (b"line\nfeed\x1b[31m.mp4", "linefeed[31m.mp4"),
    ],
)
def test_a_name_of_any_bytes_is_told_as_clean_text(folder: Folder, raw: bytes, text: str) -> None:
    folder.put(raw, media.mp4())
    folder.settle()
    assert folder.rig.facts[0].data["name"] == text


@pytest.mark.parametrize("raw", ["水稻.mp4".encode("gbk"), b"a%2f=\xff\n.mp4", "课件 1.mp4".encode()])
def test_the_memo_finds_a_file_by_its_path_whatever_its_bytes(folder: Folder, raw: bytes) -> None:
    path = folder.put(raw, media.mp4())
    folder.settle()
    key = memo_key(path)
    assert key.isascii()
    assert memo_key(os.fsdecode(path)) == key
    assert json.loads(folder.rig.memory[key])["sha256"] == hashlib.sha256(media.mp4()).hexdigest()


def test_a_rejected_file_has_no_hash_in_the_memo(folder: Folder) -> None:
    path = folder.put("a.mp4", media.mp4()[:-3000])
    folder.settle()
    assert json.loads(folder.rig.memory[memo_key(path)])["sha256"] is None


@pytest.mark.parametrize(("depth", "files"), [(_tree.MAX_DEPTH, 1), (_tree.MAX_DEPTH + 1, 0)])
def test_folders_are_followed_eight_deep(folder: Folder, depth: int, files: int) -> None:
    folder.put("d/" * depth + "a.mp4", media.mp4())
    assert folder.settle()["files"] == files


def test_a_path_with_dots_has_the_key_of_the_path_without() -> None:
    assert (
        memo_key("/srv/x/../courseware/./a b.mp4")
        == memo_key(b"/srv/courseware/a b.mp4")
        == "/srv/courseware/a%20b.mp4"
    )
