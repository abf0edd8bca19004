import errno
import hashlib
import json
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.probes import _tree
from agent.probes._hashing import Job
from agent.probes.courseware import PROBE, CoursewareSensor, CoursewareSettings, memo_key
from shared.wire.states import CoursewareState
from tests import media
from tests.agent.probes.rig import Rig
from tests.clocks import ManualClock


class Folder:
    """A watched folder, its sensor and a runner; every look is half a minute after the one before."""

    def __init__(self, root: Path, clock: ManualClock, **settings: Any) -> None:
        self.root, self.clock, self.rig = root, clock, Rig()
        self.settings = CoursewareSettings(directory=root, **settings)
        self.restart()

    def restart(self) -> None:
        self.sensor = CoursewareSensor(self.settings, self.rig)

    def look(self, times: int = 1) -> Mapping[str, Any]:
        state: Mapping[str, Any] = {}
        for _ in range(times):
            state = self.rig.look(self.sensor, self.clock.now())
            self.clock.advance(seconds=30)
        return state

    def settle(self) -> Mapping[str, Any]:
        """As many looks as a file needs to be taken in, and one more."""
        return self.look(4)

    def put(self, name: str | bytes, content: bytes) -> bytes:
        path = os.path.join(os.fsencode(self.root), os.fsencode(name))  # noqa: PTH118 names that are no text
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        Path(os.fsdecode(path)).write_bytes(content)
        return path


@pytest.fixture
def folder(tmp_path: Path, clock: ManualClock) -> Folder:
    """An empty folder that has been scanned once: what comes now is received."""
    root = tmp_path / "courseware"
    root.mkdir()
    made = Folder(root, clock)
    made.look()
    return made


def test_a_whole_lesson_is_received_with_its_hash_title_and_length(folder: Folder) -> None:
    folder.put("农业/水稻 第1讲.mp4", media.mp4())
    arrived = folder.clock.now()
    state = folder.settle()
    fact = folder.rig.facts[0]
    assert folder.rig.kinds() == ["courseware.received"]
    assert fact.at == arrived
    assert fact.data["sha256"] == hashlib.sha256(media.mp4()).hexdigest()
    assert fact.data["name"] == "农业/水稻 第1讲.mp4"
    assert fact.data["title"] == "水稻 第1讲"
    assert fact.data["duration_s"] == pytest.approx(2, abs=0.2)
    assert (state["files"], state["bytes"], state["incoming"]) == (1, len(media.mp4()), 0)
    assert (state["last_received_ms"], state["last_received_mono"]) == (arrived.wall_ms, arrived.mono_ms)


def test_a_lesson_is_not_taken_in_before_it_has_been_the_same_for_a_minute(folder: Folder) -> None:
    folder.put("a.mp4", media.mp4())
    assert folder.look(2)["incoming"] == 1
    assert folder.rig.facts == []
    assert folder.look()["files"] == 1


def test_two_looks_are_needed_even_if_no_time_is(folder: Folder) -> None:
    folder.settings = folder.settings.model_copy(update={"settle_s": 0})
    folder.restart()
    folder.put("a.mp4", media.mp4())
    assert folder.look()["files"] == 0
    assert folder.look()["files"] == 1


def test_a_lesson_that_still_grows_waits(folder: Folder) -> None:
    whole = media.mp4()
    for end in range(1000, 6000, 1000):
        folder.put("a.mp4", whole[:end])
        assert folder.look()["incoming"] == 1
    folder.put("a.mp4", whole)
    folder.settle()
    assert folder.rig.kinds() == ["courseware.received"]


@pytest.mark.parametrize("name", ["a.mp4.part", "a.tmp", "A.MP4.CRDOWNLOAD"])
def test_a_download_that_still_runs_is_incoming(folder: Folder, name: str) -> None:
    folder.put(name, media.mp4())
    assert folder.settle()["incoming"] == 1
    assert folder.rig.facts == []


@pytest.mark.parametrize("name", [".a.mp4", "~$课件.doc", "a.mp4~", "notes.xyz", ".trash/a.mp4", "mp4"])
def test_what_is_no_courseware_is_passed_by(folder: Folder, name: str) -> None:
    folder.put(name, media.mp4())
    assert folder.settle()["incoming"] == 0
    assert folder.rig.facts == []


def test_an_empty_file_and_one_with_a_hole_are_still_coming(folder: Folder) -> None:
    folder.put("empty.mp4", b"")
    path = folder.put("carousel.mp4", b"")
    with Path(os.fsdecode(path)).open("r+b") as file:
        file.seek(100_000)
        file.write(media.mp4())
    assert folder.settle()["incoming"] == 2
    assert folder.rig.facts == []


def test_what_lay_there_at_the_first_scan_is_found_also_after_a_restart(tmp_path: Path, clock: ManualClock) -> None:
    folder = Folder(tmp_path, clock)
    folder.put("old.mp4", media.mp4())
    folder.look()
    folder.restart()
    folder.put("new.mp4", media.mp4(1.0))
    state = folder.settle()
    assert [fact.data["name"] for fact in folder.rig.facts if fact.kind == "courseware.found"] == ["old.mp4"]
    assert [fact.data["name"] for fact in folder.rig.facts if fact.kind == "courseware.received"] == ["new.mp4"]
    assert state["files"] == 2


def test_a_file_still_coming_at_the_first_scan_is_received(tmp_path: Path, clock: ManualClock) -> None:
    folder = Folder(tmp_path, clock)
    folder.put("a.mp4", media.mp4()[:2000])
    folder.look()
    folder.put("a.mp4", media.mp4())
    folder.settle()
    assert folder.rig.kinds() == ["courseware.received"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("faststart.mp4", lambda: media.mp4()[:-3000], "truncated"),
        ("plain.mp4", lambda: media.mp4(faststart=False)[:-3000], "truncated"),
        ("zeros.mp4", lambda: media.mp4()[:-5000] + bytes(5000), "truncated"),
        ("lost.ts", lambda: media.transport_stream()[:18800] + media.transport_stream()[19740:], "lost_packets"),
        ("garbage.mp4", lambda: b"garbage! " * 999, "unreadable"),
    ],
)
def test_a_broken_file_is_rejected_once(folder: Folder, name: str, content: Callable[[], bytes], reason: str) -> None:
    folder.put(name, content())
    folder.settle()
    folder.restart()
    state = folder.settle()
    assert folder.rig.kinds() == ["courseware.rejected"]
    assert folder.rig.facts[0].data["reason"] == reason
    assert (state["corrupt"], state["files"], state["incoming"]) == ([name], 0, 0)


def test_a_broken_file_that_comes_again_whole_is_received(folder: Folder) -> None:
    folder.put("a.mp4", media.mp4()[:-3000])
    folder.settle()
    folder.put("a.mp4", media.mp4())
    assert folder.settle()["corrupt"] == []
    assert folder.rig.kinds() == ["courseware.rejected", "courseware.received"]


def test_a_whole_transport_stream_is_received(folder: Folder) -> None:
    folder.put("a.ts", media.transport_stream())
    folder.settle()
    assert folder.rig.kinds() == ["courseware.received"]


def test_a_file_that_goes_is_removed_and_one_that_changes_is_removed_and_received(folder: Folder) -> None:
    gone = folder.put("gone.mp4", media.mp4())
    folder.put("changed.ts", media.transport_stream())
    folder.settle()
    folder.rig.facts.clear()
    Path(os.fsdecode(gone)).unlink()
    folder.put("changed.ts", media.transport_stream(1.0))
    folder.settle()
    removed = {fact["name"]: fact["sha256"] for fact in folder.rig.told("courseware.removed")}
    assert removed == {
        "gone.mp4": hashlib.sha256(media.mp4()).hexdigest(),
        "changed.ts": hashlib.sha256(media.transport_stream()).hexdigest(),
    }
    assert [fact["name"] for fact in folder.rig.told("courseware.received")] == ["changed.ts"]


def test_a_file_only_touched_is_no_news(folder: Folder) -> None:
    path = folder.put("a.mp4", media.mp4())
    folder.settle()
    folder.rig.facts.clear()
    os.utime(path, ns=(1, 1))
    folder.settle()
    assert folder.rig.facts == []


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


def test_the_digest_rests_on_the_contents_not_on_the_names(folder: Folder) -> None:
    path = Path(os.fsdecode(folder.put("a.mp4", media.mp4())))
    before = folder.settle()["digest"]
    path.rename(path.with_name("b.mp4"))
    assert folder.settle()["digest"] == before
    folder.put("c.ts", media.transport_stream())
    assert folder.settle()["digest"] != before


def test_a_large_file_is_read_over_several_looks_and_hashed_right(folder: Folder) -> None:
    content = b"<html>" + os.urandom(3 * 1024 * 1024)
    folder.put("a.htm", content)
    folder.settings = folder.settings.model_copy(update={"budget_mib": 1})
    folder.restart()
    folder.look(3)
    assert folder.sensor.job is not None
    assert folder.sensor.job.offset == 1024 * 1024
    folder.look(3)
    assert folder.rig.told("courseware.received")[0]["sha256"] == hashlib.sha256(content).hexdigest()


def test_two_large_files_share_the_budget_and_the_first_is_finished_first(folder: Folder) -> None:
    for name in ("a.htm", "b.htm"):
        folder.put(name, b"<html>" + os.urandom(2 * 1024 * 1024))
    folder.settings = folder.settings.model_copy(update={"budget_mib": 1})
    folder.restart()
    folder.look(5)
    assert len(folder.rig.facts) == 1
    folder.look(3)
    assert folder.rig.kinds() == ["courseware.received"] * 2


def test_small_files_share_the_budget(folder: Folder) -> None:
    for number in range(4):
        folder.put(f"{number}.htm", b"<html>" + os.urandom(1024 * 1024 - 6))
    folder.settings = folder.settings.model_copy(update={"budget_mib": 2})
    folder.restart()
    folder.look(3)
    assert len(folder.rig.facts) == 2


def test_a_look_without_news_writes_nothing(folder: Folder) -> None:
    folder.put("a.mp4", media.mp4())
    folder.settle()
    assert folder.sensor.read(folder.clock.now()).memo == {}


def test_the_monotonic_time_of_another_boot_is_not_told(folder: Folder) -> None:
    folder.put("a.mp4", media.mp4())
    folder.settle()
    folder.clock.reboot("c" * 32)
    state = folder.look()
    assert state["last_received_ms"] is not None
    assert state["last_received_mono"] is None


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


def test_the_disk_is_left_to_the_player_while_a_lesson_runs(folder: Folder) -> None:
    folder.put("a.htm", b"<html>" + os.urandom(3 * 1024 * 1024))
    folder.settings = folder.settings.model_copy(update={"budget_mib": 8})
    folder.rig.states["playback"] = {"playing": ["水稻"]}
    folder.restart()
    folder.look(3)
    assert folder.sensor.job is not None
    assert folder.sensor.job.offset == 1024 * 1024


def test_a_file_that_changes_while_it_is_read_settles_anew(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder.put("a.htm", b"<html>" * 1000)
    monkeypatch.setattr(Job, "_read_on", _write_more_while_reading(path))
    folder.settle()
    assert folder.rig.facts == []
    monkeypatch.undo()
    folder.look(4)
    assert folder.rig.kinds() == ["courseware.received"]


def _write_more_while_reading(path: bytes) -> Any:
    original = Job._read_on

    def read_on(job: Job, descriptor: int, budget: int) -> None:
        original(job, descriptor, budget)
        with Path(os.fsdecode(path)).open("ab") as file:
            file.write(b"</html>")

    return read_on


def test_a_look_that_was_not_written_down_is_made_again(folder: Folder) -> None:
    folder.put("a.mp4", media.mp4())
    folder.look(2)
    folder.sensor.read(folder.clock.now())  # The power fails before the spool has it.
    folder.settle()
    assert folder.rig.kinds() == ["courseware.received"]


def test_many_files_are_told_over_several_looks(folder: Folder) -> None:
    for number in range(600):
        folder.put(f"{number}.htm", b"<html>%d" % number)
    folder.look(3)
    assert len(folder.rig.facts) == 500
    folder.look()
    assert len(folder.rig.facts) == 600


def test_another_folder_in_the_settings_is_a_first_scan(folder: Folder, tmp_path: Path) -> None:
    folder.put("a.mp4", media.mp4())
    folder.settle()
    other = tmp_path / "other"
    other.mkdir()
    (other / "b.ts").write_bytes(media.transport_stream())
    folder.settings = folder.settings.model_copy(update={"directory": other})
    folder.restart()
    folder.settle()
    assert folder.rig.kinds() == ["courseware.received", "courseware.removed", "courseware.found"]


def test_a_memo_that_no_longer_reads_is_forgotten(folder: Folder) -> None:
    path = folder.put("a.mp4", media.mp4())
    folder.settle()
    folder.rig.memory[memo_key(path)] = "torn{"
    assert folder.settle()["files"] == 1


def test_the_sample_is_a_state_as_the_wire_reads_it() -> None:
    assert CoursewareState.model_validate(PROBE.sample).files == 2
    assert PROBE.make(PROBE.settings(), Rig()).read(ManualClock().now()).state is not None
