"""Makes a photo safe to keep and to show: decoded for real, shrunk, written anew as JPEG. Pure.

What was uploaded is thrown away, and with it everything that is not picture: place, camera, comments, hidden files.
"""

import io
import warnings
from dataclasses import dataclass

from PIL import Image, ImageOps

from collector.errors import BadInputError

LARGEST = 12 * 1024 * 1024
"""Bytes of one uploaded photo."""

_FORMATS = ("JPEG", "PNG", "WEBP")
_SIDE, _THUMB_SIDE = 1600, 320
_MOST_PIXELS = {"JPEG": 64_000_000}
_MOST_PIXELS_OTHERWISE = 24_000_000
"""A JPEG is decoded at a part of its size; others are not, and cost their full size in memory."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Two JPEGs, the photo and its small one. Sizes are those of the photo."""

    width: int
    height: int
    body: bytes
    thumb: bytes


class BadPhotoError(BadInputError):
    """这个文件不是能打开的照片。请上传 JPEG、PNG 或 WebP 格式的照片。"""


class LargePhotoError(BadInputError):
    """照片太大。每张不超过 12 MB、6400 万像素，请在手机上缩小后再上传。"""


def make_picture(content: bytes) -> Picture:
    """Raises BadPhotoError for what is no whole picture, LargePhotoError for one that is too large."""
    if len(content) > LARGEST:
        raise LargePhotoError
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            photo = _read(content)
    except LargePhotoError:
        raise
    except Image.DecompressionBombError as error:
        raise LargePhotoError from error
    except Exception as error:  # a decoder meets strangers' bytes: whatever it says, this is no photo
        raise BadPhotoError from error
    thumb = photo.copy()
    thumb.thumbnail((_THUMB_SIDE, _THUMB_SIDE))
    return Picture(photo.width, photo.height, _write(photo, 82), _write(thumb, 75))


def _read(content: bytes) -> Image.Image:
    """The picture upright, without transparency, at most so large."""
    with Image.open(io.BytesIO(content), formats=_FORMATS) as opened:
        if opened.width * opened.height > _MOST_PIXELS.get(opened.format or "", _MOST_PIXELS_OTHERWISE):
            raise LargePhotoError
        opened.draft("RGB", (_SIDE, _SIDE))
        upright = ImageOps.exif_transpose(opened)
        upright.thumbnail((_SIDE, _SIDE))
        clear = upright.convert("RGBA")
    paper = Image.new("RGB", clear.size, "white")
    paper.paste(clear, mask=clear.getchannel("A"))
    return paper


def _write(picture: Image.Image, quality: int) -> bytes:
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=quality, optimize=True)
    return written.getvalue()
