"""A sender's SHA-256 sums beside the courseware: what they find, and what in them is passed by."""

import hashlib

import pytest

from tests import media
from tests.agent.probes.folder import Folder

WHOLE = media.mp4()
FLIPPED = WHOLE[:4000] + bytes([WHOLE[4000] ^ 1]) + WHOLE[4001:]
SUM = hashlib.sha256(WHOLE).hexdigest()


@pytest.mark.parametrize(
    ("manifest", "line"),
    [
        ("SHA256SUMS", f"{SUM}  农业/春耕.mp4\n"),
        ("SHA256SUMS", f"{SUM.upper()} *./农业/春耕.mp4\r\n"),
        ("农业/sha256sums", f"# made by the sender\n{SUM}  春耕.mp4"),
        ("农业/春耕.mp4.sha256", f"{SUM}  春耕.mp4\n"),
    ],
)
def test_a_flipped_bit_that_no_container_tells_of_is_found(folder: Folder, manifest: str, line: str) -> None:
    folder.put(manifest, line.encode())
    folder.put("农业/春耕.mp4", FLIPPED)
    state = folder.settle()

    (fact,) = folder.rig.facts
    assert (fact.kind, fact.data["reason"]) == ("courseware.rejected", "altered")
    assert SUM in fact.data["detail"]
    assert (state["files"], state["corrupt"]) == (0, ["春耕.mp4"])


def test_what_is_as_promised_is_received(folder: Folder) -> None:
    folder.put("SHA256SUMS", f"{SUM}  a.mp4\n".encode())
    folder.put("a.mp4", WHOLE)
    folder.settle()

    assert folder.rig.kinds() == ["courseware.received"]


def test_a_sum_that_comes_after_the_film_takes_it_back(folder: Folder) -> None:
    folder.put("a.mp4", FLIPPED)
    folder.settle()
    folder.put("SHA256SUMS", f"{SUM}  a.mp4\n".encode())
    folder.settle()
    folder.settle()

    assert folder.rig.kinds() == ["courseware.received", "courseware.removed", "courseware.rejected"]


def test_a_sum_put_right_clears_the_film(folder: Folder) -> None:
    folder.put("SHA256SUMS", f"{'0' * 64}  a.mp4\n".encode())
    folder.put("a.mp4", WHOLE)
    folder.settle()
    folder.restart()
    folder.settle()
    folder.put("SHA256SUMS", f"{SUM}  a.mp4\n".encode() + b"\n" * 3)
    state = folder.settle()

    assert folder.rig.kinds() == ["courseware.rejected", "courseware.received"]
    assert state["corrupt"] == []


def test_a_film_sent_again_whole_is_received(folder: Folder) -> None:
    folder.put("SHA256SUMS", f"{SUM}  a.mp4\n".encode())
    folder.put("a.mp4", FLIPPED + b"\0")
    folder.settle()
    folder.put("a.mp4", WHOLE)
    folder.settle()

    assert folder.rig.kinds() == ["courseware.rejected", "courseware.received"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff" * 5000,
        b"no sum at all  a.mp4\n",
        f"{SUM[:-1]}  a.mp4\n".encode(),
        f"{'0' * 64}  ../../a.mp4\n{'0' * 64}  /a.mp4\n{'0' * 64}  b.mp4\n".encode(),
        f"{'0' * 64}  ".encode() + b"a" * 9_000_000,
    ],
)
def test_what_does_not_read_says_nothing(folder: Folder, text: bytes) -> None:
    folder.put("SHA256SUMS", text)
    folder.put("a.mp4", WHOLE)
    folder.settle()

    assert folder.rig.kinds() == ["courseware.received"]
