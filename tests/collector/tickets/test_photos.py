"""Photos: what is none is refused, what is one loses everything but the picture."""

import io
import zlib

import pytest
from PIL import Image

from collector.errors import BadInputError
from collector.tickets.photos import LARGEST, BadPhotoError, LargePhotoError, make_picture

GPS, ORIENTATION, MAKER = 0x8825, 0x0112, 0x010F


def photo(kind: str = "JPEG", size: tuple[int, int] = (600, 400), mode: str = "RGB", **options: object) -> bytes:
    made = io.BytesIO()
    Image.new(mode, size, "green").save(made, kind, **options)
    return made.getvalue()


def tagged() -> bytes:
    """A photo that says where and with what it was taken, lying on its side."""
    exif = Image.Exif()
    exif[MAKER] = "SECRETPHONE"
    exif[ORIENTATION] = 6
    exif.get_ifd(GPS)[1] = "N"
    exif.get_ifd(GPS)[2] = (32.0, 26.0, 0.0)
    return photo(exif=exif.tobytes(), comment=b"SECRETWORD")


def test_place_camera_and_comments_are_gone_and_the_photo_stands_upright() -> None:
    content = tagged()
    assert b"SECRETPHONE" in content
    picture = make_picture(content)
    for kept in (picture.body, picture.thumb):
        with Image.open(io.BytesIO(kept)) as opened:
            assert opened.format == "JPEG"
            assert dict(opened.getexif()) == {}
            assert "comment" not in opened.info
        assert b"SECRET" not in kept
    assert (picture.width, picture.height) == (400, 600)


@pytest.mark.parametrize(
    ("kind", "mode"), [("JPEG", "RGB"), ("JPEG", "CMYK"), ("PNG", "RGBA"), ("PNG", "P"), ("WEBP", "RGB")]
)
def test_the_three_formats_become_jpeg(kind: str, mode: str) -> None:
    picture = make_picture(photo(kind, mode=mode))
    assert (picture.width, picture.height) == (600, 400)
    assert picture.body.startswith(b"\xff\xd8\xff")


def test_a_large_photo_is_shrunk() -> None:
    picture = make_picture(photo(size=(4000, 3000)))
    assert (picture.width, picture.height) == (1600, 1200)
    with Image.open(io.BytesIO(picture.thumb)) as thumb:
        assert max(thumb.size) == 320


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a<script>alert(1)</script>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        photo("BMP"),
        photo("GIF"),
        photo("TIFF"),
        photo()[:200],
        photo("PNG")[:60],
        b"\xff\xd8\xff" + b"x" * 500,
    ],
)
def test_what_is_no_whole_photo_of_these_formats_is_refused_whatever_it_is_called(content: bytes) -> None:
    with pytest.raises(BadPhotoError, match="JPEG、PNG 或 WebP"):
        make_picture(content)


def test_something_hidden_behind_a_photo_is_left_behind() -> None:
    assert b"PK\x03\x04" not in make_picture(photo() + b"PK\x03\x04 a hidden archive").body


def bomb(side: int) -> bytes:
    """A PNG of a few hundred bytes that says it is a huge picture."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")

    head = side.to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("content", [b"\xff" * (LARGEST + 1), bomb(5_000), bomb(60_000)])
def test_what_is_too_large_is_refused_before_it_is_unpacked(content: bytes) -> None:
    with pytest.raises(LargePhotoError, match="12 MB"):
        make_picture(content)
    assert issubclass(LargePhotoError, BadInputError)
