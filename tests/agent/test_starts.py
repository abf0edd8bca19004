from pathlib import Path

import pytest

from agent.starts import FILE, count_start

DAY_MS = 86_400_000


def test_starts_of_the_last_day_are_counted(tmp_path: Path) -> None:
    counts = [count_start(tmp_path, hour * 3_600_000) for hour in (0, 1, 2, 24, 25)]
    assert counts == [1, 2, 3, 3, 3]


def test_a_clock_that_went_back_counts_nothing_from_the_future(tmp_path: Path) -> None:
    count_start(tmp_path, 10 * DAY_MS)
    assert count_start(tmp_path, DAY_MS) == 1


@pytest.mark.parametrize("content", [b"\xff\xfe", b"1\nx\n", b""])
def test_a_damaged_file_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert count_start(tmp_path, DAY_MS) == 1


def test_a_folder_that_takes_no_file_still_counts_this_start(tmp_path: Path) -> None:
    assert count_start(tmp_path / "gone", DAY_MS) == 1
