"""Tells a whole media file from one that a bad reception cut or holed, without decoding it.

MP4, ASF and AVI say in their heads how long they are; a transport stream numbers its packets. Damage in the middle of
the picture data is beyond this: only a hash from the sender finds it (`_manifest`).
"""

import os
import struct
import zipfile
from dataclasses import dataclass, field
from typing import BinaryIO

TRUNCATED, LOST_PACKETS, UNREADABLE, ALTERED = "truncated", "lost_packets", "unreadable", "altered"
PACKET = 188
_SYNC = 0x47
_NULL_PID = 0x1FFF
_TAIL = 4096
_MAX_BOXES = 100_000  # A made-up file may hold millions of empty boxes; beyond this many nobody looks.
_MAX_NESTING = 5
_BOXES_INSIDE = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl"})
_FIRST_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp"})
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
_ZIP = b"PK\x03\x04"
# Other things a player opens whatever the suffix says: Real, FLV, Matroska, MPEG, ID3, Ogg, RIFF, OLE, RAR.
_OTHER = (b".RMF", b"FLV", b"\x1aE\xdf\xa3", b"\x00\x00\x01", b"ID3", b"OggS", b"RIFF", b"\xd0\xcf\x11\xe0", b"Rar!")
_MUST_BE_KNOWN = frozenset({"mp4", "m4v", "mov", "ts", "wmv", "asf", "wma", "avi", "zip", "pptx", "docx"})


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a file: `reason` as the wire names it, `detail` for the one who repairs."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Checked:
    """Outcome of a container check. `duration_s` in seconds where the container says it."""

    finding: Finding | None = None
    duration_s: float | None = None
    stream: bool = False


def check(file: BinaryIO, size: int, suffix: str) -> Checked:
    """Read the container's own account of itself. `size` in bytes, `suffix` without its dot.

    `stream` True asks the caller to feed the whole file to a `PacketCounter`: a transport stream has no head.
    """
    file.seek(0)
    head = file.read(3 * PACKET)
    if head[4:8] in _FIRST_BOXES:
        return _check_mp4(file, size)
    if is_stream(head):
        return Checked(stream=True)
    return Checked(_check_other(file, head, size, suffix))


def _check_other(file: BinaryIO, head: bytes, size: int, suffix: str) -> Finding | None:
    if head.startswith(_ASF):
        return _check_asf(file, size)
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return _check_riff(head, size) or _check_tail(file, size)
    if head.startswith(_ZIP):
        return None if zipfile.is_zipfile(file) else Finding(TRUNCATED, "the archive has no directory")
    if suffix in _MUST_BE_KNOWN and not head.startswith(_OTHER):
        return Finding(UNREADABLE, f"no {suffix} file by its first bytes")
    return _check_tail(file, size)


def is_stream(head: bytes) -> bool:
    """Whether these first bytes are a transport stream: the sync byte at the start of every whole packet."""
    return len(head) >= PACKET and all(sign == _SYNC for sign in head[::PACKET])


def _check_tail(file: BinaryIO, size: int) -> Finding | None:
    file.seek(max(0, size - _TAIL))
    tail = file.read(_TAIL)
    if tail.strip(b"\0"):
        return None
    return Finding(TRUNCATED, f"the last {len(tail)} bytes are empty")


@dataclass(slots=True)
class _Boxes:
    """What a walk over MP4 boxes gathers: names at the top level and the head of `mvhd`."""

    top: list[bytes] = field(default_factory=list)
    movie_head: bytes = b""
    left: int = field(default_factory=lambda: _MAX_BOXES)


def _check_mp4(file: BinaryIO, size: int) -> Checked:
    boxes = _Boxes()
    finding = _walk_boxes(file, 0, size, boxes)
    if finding is None and b"moov" not in boxes.top:
        finding = Finding(TRUNCATED, "no moov box: the writer never finished")
    if finding is None and boxes.top[-1] == b"mdat":
        # Only picture data may not end in zeros; a trailing `free` box is meant to.
        finding = _check_tail(file, size)
    return Checked(finding, _movie_seconds(boxes.movie_head))


def _walk_boxes(file: BinaryIO, start: int, end: int, boxes: _Boxes, depth: int = 0) -> Finding | None:
    position = start
    while position < end and boxes.left > 0:
        boxes.left -= 1
        file.seek(position)
        length, kind, body = _read_box(file.read(16), end - position)
        if length < body or not _is_name(kind):
            return Finding(TRUNCATED, f"no box at byte {position}")
        if position + length > end:
            return Finding(TRUNCATED, f"box {kind.decode('latin-1')} ends at {position + length}, the file at {end}")
        if depth == 0:
            boxes.top.append(kind)
        if kind == b"mvhd":
            file.seek(position + body)
            boxes.movie_head = file.read(32)
        if kind in _BOXES_INSIDE and depth < _MAX_NESTING:
            finding = _walk_boxes(file, position + body, position + length, boxes, depth + 1)
            if finding is not None:
                return finding
        position += length
    return None


def _read_box(head: bytes, rest: int) -> tuple[int, bytes, int]:
    """Length of the box, its name, length of its head; a length of 0 is no box. ISO/IEC 14496-12, 4.2."""
    if len(head) < 8:
        return 0, b"", 8
    length, kind = struct.unpack(">I4s", head[:8])
    if length == 1 and len(head) == 16:
        return struct.unpack(">Q", head[8:16])[0], kind, 16
    return (rest if length == 0 and kind == b"mdat" else length), kind, 8


def _is_name(kind: bytes) -> bool:
    return len(kind) == 4 and all(0x20 <= sign < 0x7F or sign == 0xA9 for sign in kind)


def _movie_seconds(head: bytes) -> float | None:
    """Length told by the body of `mvhd`. ISO/IEC 14496-12, 8.2.2."""
    if len(head) < 32:
        return None
    scale, length = struct.unpack(">IQ", head[20:32]) if head[0] == 1 else struct.unpack(">II", head[12:20])
    return length / scale if scale and length < 2**32 - 1 else None


def _check_asf(file: BinaryIO, size: int) -> Finding | None:
    """Walk the top-level objects: 16 bytes of name, 8 of length. ASF specification 1.20.03, 2.2."""
    position, data = 0, False
    for _ in range(_MAX_BOXES):
        if position >= size:
            break
        file.seek(position)
        head = file.read(24)
        length = struct.unpack("<Q", head[16:24])[0] if len(head) == 24 else 0
        data = data or head.startswith(_ASF_DATA)
        if head.startswith(_ASF_DATA) and length == 0:
            return None  # A live recording does not know its length.
        if length < 24 or position + length > size:
            return Finding(TRUNCATED, f"object at byte {position} ends at {position + length}, the file at {size}")
        position += length
    return _check_tail(file, size) if data else Finding(TRUNCATED, "no data object")


def _check_riff(head: bytes, size: int) -> Finding | None:
    length = struct.unpack("<I", head[4:8])[0] + 8
    return Finding(TRUNCATED, f"RIFF ends at {length}, the file at {size}") if length > size else None


@dataclass(slots=True)
class PacketCounter:
    """Finds lost packets of a transport stream by their continuity counters, fed block by block as it is hashed."""

    packets: int = 0
    lost: int = 0
    unsynced: int = 0
    _rest: bytes = b""
    _last: dict[int, int] = field(default_factory=dict)

    def feed(self, block: bytes) -> None:
        data = self._rest + block
        whole = len(data) // PACKET * PACKET
        self._rest = data[whole:]
        self.packets += whole // PACKET
        syncs = data[0:whole:PACKET]
        self.unsynced += len(syncs) - syncs.count(_SYNC)
        heads = zip(data[1:whole:PACKET], data[2:whole:PACKET], data[3:whole:PACKET], strict=True)
        for index, (high, low, flags) in enumerate(heads):
            # Only packets with a payload are numbered; null packets are not.
            if not flags & 0x10:
                continue
            pid = (high & 0x1F) << 8 | low
            counter = flags & 0x0F
            last = self._last.get(pid, counter)
            self._last[pid] = counter
            # The same number twice is a repeated packet, which the standard allows. ISO/IEC 13818-1, 2.4.3.3.
            if counter not in (last, (last + 1) & 0x0F) and pid != _NULL_PID:
                self._miss(counter - last - 1, data[index * PACKET : index * PACKET + 6])

    def _miss(self, numbers: int, packet: bytes) -> None:
        if not _announces_jump(packet):
            self.lost += numbers & 0x0F

    def finding(self) -> Finding | None:
        """What is wrong with the stream fed so far, taken as the whole of it."""
        if self.unsynced:
            return Finding(LOST_PACKETS, f"{self.unsynced} of {self.packets} packets are no packets")
        if self.lost:
            return Finding(LOST_PACKETS, f"at least {self.lost} of {self.packets} packets lost")
        if self._rest:
            return Finding(TRUNCATED, f"ends within a packet, {len(self._rest)} of {PACKET} bytes")
        return None


def _announces_jump(packet: bytes) -> bool:
    """Whether the packet's adaptation field carries the discontinuity mark."""
    return bool(packet[3] & 0x20 and packet[4] and packet[5] & 0x80)


def has_hole(descriptor: int, size: int) -> bool:
    """Whether a part of the file was never written (sparse or pre-allocated).

    File systems that know no holes say there is none.
    """
    try:
        return os.lseek(descriptor, 0, os.SEEK_HOLE) < size
    except OSError:
        return False
