import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.probes._hashing import Job
from agent.probes.courseware import PROBE, memo_key
from shared.wire.states import CoursewareState
from tests import media
from tests.agent.probes.folder import Folder
from tests.agent.probes.rig import Rig
from tests.clocks import ManualClock


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


def test_a_memory_that_was_replaced_under_the_running_sensor_is_read_anew(folder: Folder) -> None:
    folder.put("a.mp4", media.mp4())
    folder.settle()
    folder.rig.memory.clear()
    folder.rig.name = "healed"
    folder.settle()
    assert folder.rig.kinds() == ["courseware.received", "courseware.found"]


def test_what_is_remembered_is_read_once_while_all_goes_well(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.put("a.mp4", media.mp4())
    folder.settle()
    monkeypatch.setattr(Rig, "recall", None)
    assert folder.look()["files"] == 1


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
    folder.restart()
    assert folder.settle()["files"] == 1


def test_the_sample_is_a_state_as_the_wire_reads_it() -> None:
    assert CoursewareState.model_validate(PROBE.sample).files == 2
    assert PROBE.make(PROBE.settings(), Rig()).read(ManualClock().now()).state is not None


def test_asked_for_its_inventory_it_tells_every_whole_file_again_over_several_looks(folder: Folder) -> None:
    for number in range(700):
        folder.put(f"{number:03}.htm", b"<html>%d" % number)
    folder.put("broken.mp4", b"no film")
    folder.look(6)
    received = {told["sha256"] for told in folder.rig.told("courseware.received")}
    folder.sensor.retell()
    folder.look()
    assert len(folder.rig.told("courseware.found")) == 500
    folder.look(2)
    told = folder.rig.told("courseware.found")
    assert (len(told), {each["sha256"] for each in told}) == (700, received)
    assert folder.rig.told("courseware.listed") == [{"took_s": 30.0}]


def test_a_film_that_comes_while_the_inventory_is_told_is_part_of_it(folder: Folder) -> None:
    for number in range(600):
        folder.put(f"{number:03}.htm", b"<html>%d" % number)
    folder.look(6)
    folder.put("新到.htm", b"<html>new")
    folder.look(2)
    folder.sensor.retell()
    folder.look(2)
    kinds = [fact.kind for fact in folder.rig.facts if fact.data.get("name", "新到.htm") == "新到.htm"]
    assert kinds == ["courseware.received", "courseware.found", "courseware.listed"]


def test_an_inventory_is_whole_only_when_all_that_lay_there_is_read(tmp_path: Path, clock: ManualClock) -> None:
    root = tmp_path / "courseware"
    folder = Folder(root, clock)
    folder.put("空的.htm", b"")
    folder.put("水稻.htm", b"<html>rice")
    folder.sensor.retell()
    folder.look(2)
    assert folder.rig.kinds() == []
    folder.look(2)
    assert folder.rig.kinds() == ["courseware.found", "courseware.listed"]
