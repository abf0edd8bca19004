import io
import os
import zipfile
from pathlib import Path

import pytest

from agent.probes import _media
from agent.probes._media import PACKET, Checked, Finding, PacketCounter, check
from tests import media


def check_bytes(content: bytes, suffix: str = "mp4") -> Checked:
    return check(io.BytesIO(content), len(content), suffix)


def reason_of(content: bytes, suffix: str = "mp4") -> str:
    finding = check_bytes(content, suffix).finding
    return finding.reason if finding else ""


def count(content: bytes, block: int = 4099) -> Finding | None:
    counter = PacketCounter()
    for start in range(0, len(content), block):
        counter.feed(content[start : start + block])
    return counter.finding()


@pytest.mark.parametrize("faststart", [True, False])
def test_a_whole_mp4_is_whole_and_tells_its_length(faststart: bool) -> None:
    checked = check_bytes(media.mp4(faststart=faststart))
    assert checked.finding is None
    assert checked.duration_s == pytest.approx(2.0, abs=0.2)


@pytest.mark.parametrize("faststart", [True, False])
@pytest.mark.parametrize("share", [0.1, 0.6, 0.99])
def test_a_cut_mp4_is_truncated(faststart: bool, share: float) -> None:
    whole = media.mp4(faststart=faststart)
    assert reason_of(whole[: int(len(whole) * share)]) == _media.TRUNCATED


def test_an_mp4_whose_end_came_as_zeros_is_truncated() -> None:
    whole = media.mp4()
    assert reason_of(whole[:-5000] + bytes(5000)) == _media.TRUNCATED


def test_an_mp4_whose_index_came_as_zeros_is_truncated() -> None:
    whole = media.mp4(faststart=False)
    start = whole.index(b"moov") + 200
    assert reason_of(whole[:start] + bytes(len(whole) - start)) == _media.TRUNCATED


def test_an_mp4_may_end_in_an_empty_free_box() -> None:
    assert check_bytes(media.mp4(faststart=False) + b"\0\0\x20\0free" + bytes(0x2000 - 8)).finding is None


def test_an_mp4_without_its_index_is_truncated() -> None:
    assert reason_of(b"\0\0\0\x10ftypisom\0\0\0\0" + b"\0\0\0\x10mdat" + b"picture!") == _media.TRUNCATED


def test_boxes_nested_without_end_do_not_break_the_check() -> None:
    deep = b"".join((8 * depth).to_bytes(4, "big") + b"moov" for depth in range(5000, 0, -1))
    assert check_bytes(deep).finding is None


def test_boxes_without_number_do_not_hold_up_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_media, "_MAX_BOXES", 10)
    assert check_bytes(b"\0\0\0\x08moov" + b"\0\0\0\x08free" * 50 + b"cut").finding is None


def test_a_box_of_64_bit_length_is_followed() -> None:
    content = b"\0\0\0\x01mdat" + (24).to_bytes(8, "big") + b"pictures" + b"\0\0\0\x08moov"
    assert check_bytes(content).finding is None


@pytest.mark.parametrize("suffix", ["mp4", "ts", "wmv", "avi", "zip", "pptx"])
def test_garbage_under_a_known_suffix_is_unreadable(suffix: str) -> None:
    assert reason_of(b"\x01 nothing a player knows " * 900, suffix) == _media.UNREADABLE


def test_a_film_under_another_films_suffix_is_judged_by_what_it_is() -> None:
    assert check_bytes(media.mp4(), "avi").finding is None
    assert check_bytes(b".RMF" + b"\x07" * 9000, "mp4").finding is None


def test_a_whole_wmv_is_whole_and_a_cut_one_truncated() -> None:
    whole = media.wmv()
    assert check_bytes(whole, "wmv").finding is None
    assert reason_of(whole[:-100], "wmv") == _media.TRUNCATED


def test_a_whole_avi_is_whole_and_a_cut_one_truncated() -> None:
    whole = media.avi()
    assert check_bytes(whole, "avi").finding is None
    assert reason_of(whole[:-100], "avi") == _media.TRUNCATED


def test_a_cut_archive_is_truncated() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("讲稿.txt", "内容" * 500)
    assert check_bytes(packed.getvalue(), "zip").finding is None
    assert reason_of(packed.getvalue()[:-30], "zip") == _media.TRUNCATED


def test_any_file_whose_end_is_empty_is_truncated() -> None:
    assert check_bytes(b"<html>" * 2000, "htm").finding is None
    assert reason_of(b"<html>" * 2000 + bytes(4096), "htm") == _media.TRUNCATED


@pytest.mark.parametrize("block", [1, 187, 188, 4099, 1024 * 1024])
def test_a_whole_stream_has_lost_nothing_however_it_is_cut_into_blocks(block: int) -> None:
    stream = media.transport_stream()[: PACKET * 100]
    assert check_bytes(stream, "ts").stream
    assert count(stream, block) is None


@pytest.mark.parametrize("lost", [1, 3, 7])
def test_lost_packets_of_a_stream_are_found(lost: int) -> None:
    stream = media.transport_stream()
    finding = count(stream[: PACKET * 20] + stream[PACKET * (20 + lost) :])
    assert finding is not None
    assert finding.reason == _media.LOST_PACKETS


def test_a_repeated_packet_and_an_announced_jump_are_no_loss() -> None:
    def packet(counter: int, *, jump: bool = False) -> bytes:
        flags, field = (0x30, b"\x01\x80") if jump else (0x10, b"")
        return (b"\x47\x01\x00" + bytes([flags | counter]) + field).ljust(PACKET, b"\xff")

    assert count(packet(1) + packet(1) + packet(2)) is None
    assert count(packet(1) + packet(9, jump=True)) is None
    assert count(packet(1) + packet(9)) == Finding("lost_packets", "at least 7 of 2 packets lost")


def test_null_packets_are_not_numbered() -> None:
    null = [(b"\x47\x1f\xff" + bytes([0x10 | counter])).ljust(PACKET, b"\xff") for counter in (0, 5, 0)]
    assert count(b"".join(null)) is None


def test_a_stream_with_an_empty_end_has_lost_packets() -> None:
    stream = media.transport_stream()
    finding = count(stream[: -PACKET * 8] + bytes(PACKET * 8))
    assert finding == Finding(_media.LOST_PACKETS, f"8 of {len(stream) // PACKET} packets are no packets")


def test_a_stream_that_ends_within_a_packet_is_truncated() -> None:
    finding = count(media.transport_stream()[:-50])
    assert finding is not None
    assert finding.reason == _media.TRUNCATED


def test_a_sparse_file_and_a_preallocated_one_have_holes_and_a_written_one_has_none(tmp_path: Path) -> None:
    with (tmp_path / "carousel").open("wb") as sparse, (tmp_path / "reserved").open("wb") as reserved:
        sparse.seek(1_000_000)
        sparse.write(b"end")
        sparse.flush()
        assert _media.has_hole(sparse.fileno(), 1_000_003)
        os.posix_fallocate(reserved.fileno(), 0, 1_000_000)
        assert _media.has_hole(reserved.fileno(), 1_000_000)
        reserved.write(b"x" * 1_000_000)
        reserved.flush()
        assert not _media.has_hole(reserved.fileno(), 1_000_000)
