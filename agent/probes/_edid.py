"""Reads who a screen is from the first 128 bytes of its EDID (VESA E-EDID, release A)."""

from dataclasses import dataclass

BLOCK = 128

_HEADER = bytes.fromhex("00ffffffffffff00")
_DESCRIPTORS = (54, 72, 90, 108)
_NAME, _SERIAL = 0xFC, 0xFF


class EdidError(Exception):
    """These bytes name no screen; the message says why."""


@dataclass(frozen=True, slots=True)
class Screen:
    """`vendor` three letters, `product` four hex digits; `serial` as text where there is one, else as a number."""

    vendor: str
    product: str
    serial: str
    name: str


def read(raw: bytes) -> Screen:
    """Raises EdidError for what is cut, is no EDID, or has been garbled on its way."""
    block = raw[:BLOCK]
    if len(block) < BLOCK:
        raise EdidError("cut short")
    if not block.startswith(_HEADER):
        raise EdidError("not an EDID")
    if sum(block) % 256:
        raise EdidError("the checksum is wrong")
    number = int.from_bytes(block[12:16], "little")
    return Screen(
        vendor=_read_vendor(int.from_bytes(block[8:10], "big")),
        product=f"{int.from_bytes(block[10:12], 'little'):04x}",
        serial=_read_text(block, _SERIAL) or (str(number) if number else ""),
        name=_read_text(block, _NAME),
    )


def _read_vendor(packed: int) -> str:
    """Three letters of five bits each, A being 1."""
    codes = [(packed >> shift) & 31 for shift in (10, 5, 0)]
    if packed >> 15 or not all(1 <= code <= 26 for code in codes):
        raise EdidError("no vendor")
    return "".join(chr(64 + code) for code in codes)


def _read_text(block: bytes, tag: int) -> str:
    """Text of the first descriptor with this tag: at most 13 characters, ended by a line feed."""
    for start in _DESCRIPTORS:
        if block[start : start + 3] == b"\0\0\0" and block[start + 3] == tag:
            text = block[start + 5 : start + 18].partition(b"\n")[0].decode("latin-1")
            return "".join(letter for letter in text if letter.isprintable()).strip()
    return ""
