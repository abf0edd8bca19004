"""The length of films, asked of the real ffprobe and of programs that only pretend to be it."""

import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.probes._length import ask_length
from tests import media
from tests.agent.probes.folder import Folder
from tests.clocks import ManualClock

FFPROBE = Path(shutil.which("ffprobe") or "/usr/bin/ffprobe")


@pytest.fixture
def film(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "a.ts"
    path.write_bytes(media.transport_stream(2.0))
    descriptor = os.open(path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def program(folder: Path, script: str) -> Path:
    path = folder / "ffprobe"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_the_real_ffprobe_tells_the_length(film: int) -> None:
    assert ask_length(FFPROBE, film) == pytest.approx(2, abs=0.3)


@pytest.mark.parametrize("script", ["echo N/A", "echo -5", "echo nan", "echo 1e99", "echo 12; exit 1", "yes", "exit 0"])
def test_an_answer_that_is_no_length_is_none(film: int, tmp_path: Path, script: str) -> None:
    assert ask_length(program(tmp_path, script), film, timeout_s=1) is None


def test_one_that_hangs_is_ended_in_time(film: int, tmp_path: Path) -> None:
    began = time.monotonic()
    assert ask_length(program(tmp_path, "exec sleep 60"), film, timeout_s=0.5) is None
    assert time.monotonic() - began < 20


def test_without_the_program_there_is_no_length(film: int, tmp_path: Path) -> None:
    assert ask_length(tmp_path / "away", film) is None


def test_a_film_that_does_not_tell_its_length_is_received_with_it(tmp_path: Path, clock: ManualClock) -> None:
    root = tmp_path / "courseware"
    root.mkdir()
    folder = Folder(root, clock, ffprobe=FFPROBE)
    folder.look()
    folder.put("水稻 第1讲.ts", media.transport_stream(2.0))
    folder.put("讲义.pdf", b"%PDF-1.4")
    folder.settle()
    lengths = {told["name"]: told["duration_s"] for told in folder.rig.told("courseware.received")}
    assert lengths == {"水稻 第1讲.ts": pytest.approx(2, abs=0.3), "讲义.pdf": None}
