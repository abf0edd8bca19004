"""Turns what a disc, a satellite or a player calls a thing into text that is safe to store and to send."""

import unicodedata
from pathlib import PurePosixPath

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
_STRIPPED = frozenset({"Cc", "Cs", "Zl", "Zp"})


def text_of(raw: bytes) -> str:
    """Readable text of a file name: UTF-8, else GB18030 (discs of old Windows), else with replacement characters."""
    for encoding in ("utf-8", "gb18030"):
        try:
            return clean(raw.decode(encoding))
        except UnicodeDecodeError:
            continue
    return clean(raw.decode("utf-8", "replace"))


def clean(text: str) -> str:
    """The text without control characters, lone surrogates and marks that turn the reading direction.

    A name like `fdp.<U+202E>exe` would otherwise show its end first. Everything else stays, also `<script>` and `=`:
    escaping is the business of whoever shows it.
    """
    return "".join(sign for sign in text if sign not in _BIDI and unicodedata.category(sign) not in _STRIPPED)


def title_of(path: bytes) -> str:
    """What people call the file when nothing better is known: its name without folder and suffix."""
    name = text_of(path.rpartition(b"/")[2])
    return PurePosixPath(name).stem if name else name
