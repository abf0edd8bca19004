"""A release is laid beside the running agent: what fits, and what a power cut at any step of the switch leaves."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.upgrade.choosing import Moment, choose
from agent.upgrade.fetching import BY_HAND, stage
from agent.upgrade.installing import Running, install, require_fit
from agent.upgrade.pointer import PACKAGE, Place, Pointer
from shared.release import BadRelease, describe, read_header, split_release
from tests.releases import KEY, KEYS, OTHER_KEY, make_release, pack

PACKAGED = Running("0.1.0", PACKAGE)
SLOT_A = Running("0.2.0", "a")
NOW = Moment("boot", 1000)


class PowerCutError(BaseException):
    """Nothing after this moment happens."""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path / "upgrade")
    place.waiting.mkdir(parents=True)
    return place


def waiting(place: Place, release: bytes) -> Path:
    header, payload = split_release(release)
    stage(place, header, payload, BY_HAND)
    return place.waiting / f"{header.manifest.sha256}.0.release"


def started(place: Place, package: str = "0.1.0") -> tuple[str, str]:
    """Slot and version the next start would run."""
    chosen = choose(place.read(), place.describe, package=package, now=NOW, trial_s=600)
    return chosen.slot, place.describe(chosen.slot)[0] or package


def fit(release: bytes, running: Running = PACKAGED, *, highest: str = "", **have: str) -> str:
    header = read_header(release.partition(b"\n")[0])
    return require_fit(header, KEYS, running, highest, installed=lambda name: have.get(name, "")).version


def test_a_newer_one_goes_into_a_slot_and_is_started_next_on_trial(place: Place) -> None:
    install(waiting(place, make_release("0.2.0")), place, KEYS, PACKAGED, offer=3)

    assert started(place) == ("a", "0.2.0")
    assert place.read() == Pointer(slot="a", before=PACKAGE, trial=True, offer=3)
    compiled = list(place.code("a").rglob("*.pyc"))
    assert len(compiled) == 2


def test_the_next_one_takes_the_other_slot_and_the_running_one_is_what_to_go_back_to(place: Place) -> None:
    install(waiting(place, make_release("0.2.0")), place, KEYS, PACKAGED)
    place.write(Pointer(slot="a", before=PACKAGE, highest="0.2.0"))
    install(waiting(place, make_release("0.3.0")), place, KEYS, SLOT_A)

    assert started(place) == ("b", "0.3.0")
    assert place.describe("a")[0] == "0.2.0"
    assert place.read().before == "a"


def test_an_older_or_the_same_version_is_refused_by_hand_too() -> None:
    for version in ("0.1.0", "0.0.9"):
        with pytest.raises(BadRelease, match="不允许退回"):
            fit(make_release(version))


def test_what_has_once_proven_itself_is_the_floor_even_after_it_was_taken_back() -> None:
    with pytest.raises(BadRelease, match="不允许退回"):
        fit(make_release("0.2.5"), highest="0.3.0")

    assert fit(make_release("0.3.1"), highest="0.3.0") == "0.3.1"


def test_one_that_needs_a_step_between_says_so() -> None:
    with pytest.raises(BadRelease, match=r"先升级到 0\.2\.0"):
        fit(make_release("0.3.0", minimum_from="0.2.0"))

    assert fit(make_release("0.3.0", minimum_from="0.2.0"), SLOT_A) == "0.3.0"


def test_one_that_needs_other_packages_sends_people_to_the_debian_package() -> None:
    release = make_release("0.2.0", needs={"httpx": "0.28", "newer": "2.0", "absent": "1"})
    with pytest.raises(BadRelease, match=r"newer、absent.*\.deb"):
        fit(release, httpx="0.28.1", newer="1.9.9")


def test_the_needs_of_this_very_source_are_met_here() -> None:
    header = read_header(make_release("0.2.0", needs={"pydantic": "2.14", "httpx": "0.28"}).partition(b"\n")[0])

    assert require_fit(header, KEYS, PACKAGED, "").version == "0.2.0"


def test_another_key_installs_nothing(place: Place) -> None:
    with pytest.raises(BadRelease, match="签名不对"):
        install(waiting(place, make_release("0.2.0", keys=(OTHER_KEY,))), place, KEYS, PACKAGED)

    assert started(place) == (PACKAGE, "0.1.0")


@pytest.mark.parametrize("name", ["../../identity.json", "/etc/passwd", "agent\\..\\x", "a/../../b"])
def test_not_even_a_signed_archive_writes_outside_its_slot(place: Place, name: str) -> None:
    release = make_release("0.2.0", {"__main__.py": "", name: "bad"})
    with pytest.raises(BadRelease):
        install(waiting(place, release), place, KEYS, PACKAGED)

    assert started(place) == (PACKAGE, "0.1.0")
    assert sorted(path.name for path in place.folder.parent.iterdir()) == ["upgrade"]


def test_a_signed_file_that_is_no_archive_or_no_program_is_refused(place: Place) -> None:
    for payload in (b"no archive", pack({"agent/x.py": ""})):
        header = describe(payload, version="0.2.0", minimum_from="0.0.0", created=0, needs={}).sign([KEY])
        with pytest.raises(BadRelease):
            install(waiting(place, header.dump() + payload), place, KEYS, PACKAGED)
    assert started(place) == (PACKAGE, "0.1.0")


STEPS = ("fsync", "replace", "rename", "mkdir", "unlink", "rmdir", "open")


@contextmanager
def power_cut(monkeypatch: pytest.MonkeyPatch, at: int, done: list[str]) -> Iterator[None]:
    """The disk is not touched any more from the step `at` on; `done` counts the steps."""

    def counted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def act(*arguments: Any, **named: Any) -> Any:
            if len(done) >= at:
                raise PowerCutError
            done.append(name)
            return real(*arguments, **named)

        return act

    with monkeypatch.context() as patch:
        for name in STEPS:
            patch.setattr(os, name, counted(name, getattr(os, name)))
        yield


def test_a_power_cut_at_any_step_leaves_the_old_agent_or_the_whole_new_one(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With both slots in use before, so that one of them has to go first."""
    monkeypatch.setattr("agent.upgrade.installing.subprocess.run", lambda *_, **__: None)
    (tmp_path / "identity.json").write_text("me")
    outcomes: list[str] = []
    at = 0
    while not outcomes or outcomes[-1] != "whole":
        place.write(Pointer())
        install(waiting(place, make_release("0.2.0")), place, KEYS, PACKAGED)
        place.write(Pointer(slot="a", before=PACKAGE, highest="0.2.0"))
        install(waiting(place, make_release("0.2.5")), place, KEYS, SLOT_A)
        place.write(Pointer(slot="a", before="b", highest="0.2.0"))
        file, done = waiting(place, make_release("0.3.0")), list[str]()
        try:
            with power_cut(monkeypatch, at, done):
                install(file, place, KEYS, SLOT_A)
            outcomes.append("whole")
        except PowerCutError:
            outcomes.append(started(place)[1])
        assert started(place) in {("a", "0.2.0"), ("b", "0.3.0")}
        back = choose(
            replace(place.read(), starts=5, boot="boot"), place.describe, package="0.1.0", now=NOW, trial_s=600
        )
        assert back.slot in {"a", "b", PACKAGE}
        assert back.slot == PACKAGE or {"release", "__main__.py", "version.py"} <= {
            path.name for path in place.slot(back.slot).rglob("*")
        }, "what to go back to is whole"
        install(file, place, KEYS, SLOT_A)
        assert started(place) == ("b", "0.3.0"), "the next attempt succeeds"
        at += 1

    assert at > 20
    assert outcomes.count("0.2.0") > 20
    assert (tmp_path / "identity.json").read_text() == "me"


def test_every_file_is_on_the_disk_before_anything_points_at_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    lasting: list[Path] = []
    real_sync, real_write = os.fsync, Place.write

    def sync(descriptor: int) -> None:
        lasting.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        real_sync(descriptor)

    def write(self: Place, pointer: Pointer) -> None:
        if pointer.trial:
            files = {path.relative_to(place.slot("a")) for path in place.slot("a").rglob("*")}
            fresh = place.folder / "a.new"
            assert files <= {path.relative_to(fresh) for path in lasting if path.is_relative_to(fresh)}
            assert lasting[-1] == place.folder, "and the slot's new name last"
        real_write(self, pointer)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Place, "write", write)
    install(waiting(place, make_release("0.2.0")), place, KEYS, PACKAGED)

    assert started(place) == ("a", "0.2.0")


def test_a_full_disk_leaves_everything_as_it_was(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    file = waiting(place, make_release("0.2.0"))

    def full(*_arguments: object, **_named: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        install(file, place, KEYS, PACKAGED)

    assert started(place) == (PACKAGE, "0.1.0")
    assert sorted(path.name for path in place.folder.iterdir()) == ["waiting"]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"slot":"c"}', b'{"slot":"../x"}', b'{"starts":"5"}', b"\xff"])
def test_a_damaged_pointer_means_the_package(place: Place, text: bytes) -> None:
    place.file.write_bytes(text)

    assert started(place) == (PACKAGE, "0.1.0")


def test_a_pointer_of_a_later_version_is_understood_as_far_as_known(place: Place) -> None:
    place.file.write_bytes(b'{"slot":"","highest":"0.3.0","wish":[1]}')

    assert place.read().highest == "0.3.0"
