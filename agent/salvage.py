"""Reads rows out of the raw pages of a damaged SQLite file and its WAL, whatever its tree has become.

What it returns is only a candidate: the chain and the seals decide what is true. The layout is that of
https://www.sqlite.org/fileformat2.html, of which no more is read than the spool's own tables need.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from agent.spool_rows import PAGE_BYTES

Value = int | bytes | str | None
Row = tuple[Value, ...]

_WAL_HEAD, _FRAME_HEAD = 32, 24
_INDEX_INNER, _TABLE_LEAF = 0x02, 0x0D
_KINDS = (0x0A, _INDEX_INNER, _TABLE_LEAF)
_INDEX_LOCAL = (PAGE_BYTES - 12) * 64 // 255 - 23
_LEAST_LOCAL = (PAGE_BYTES - 12) * 32 // 255 - 23
_TABLE_LOCAL = PAGE_BYTES - 35
_MOST_BYTES = 1 << 20


def list_rows(path: Path) -> Iterator[Row]:
    """Every row that can be read from `path` and `path`-wal, old versions included. A rowid comes first."""
    with ExitStack() as stack:
        main = _open(path, stack)
        wal = _open(path.with_name(path.name + "-wal"), stack)
        places = [(number, main, (number - 1) * PAGE_BYTES) for number in range(1, _size(main) // PAGE_BYTES + 1)]
        frames = range(_WAL_HEAD, _size(wal) - PAGE_BYTES - _FRAME_HEAD + 1, _FRAME_HEAD + PAGE_BYTES)
        places += [(int.from_bytes(_read(wal, at, 4)), wal, at + _FRAME_HEAD) for at in frames]
        newest = {number: (file, at) for number, file, at in places}

        def load(number: int) -> bytes:
            return _read(*newest[number], PAGE_BYTES)

        for number, file, at in places:
            page = _read(file, at, PAGE_BYTES)
            if len(page) == PAGE_BYTES:
                yield from _rows(page, load, 100 if number == 1 else 0)


def _open(path: Path, stack: ExitStack) -> int | None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    stack.callback(os.close, descriptor)
    return descriptor


def _size(file: int | None) -> int:
    return 0 if file is None else os.fstat(file).st_size


def _read(file: int | None, at: int, size: int) -> bytes:
    """A piece of a file; empty where the disk cannot read it."""
    try:
        return b"" if file is None else os.pread(file, size, at)
    except OSError:
        return b""


def _rows(page: bytes, load: Callable[[int], bytes], start: int) -> Iterator[Row]:
    kind = page[start]
    if kind in _KINDS:
        yield from _cells(page, kind, load, start)
    elif any(page):
        for guess in _KINDS:
            yield from _cells(page, guess, load, start)


def _cells(page: bytes, kind: int, load: Callable[[int], bytes], start: int) -> Iterator[Row]:
    pointers = start + (12 if kind == _INDEX_INNER else 8)
    count = min(int.from_bytes(page[start + 3 : start + 5]), (PAGE_BYTES - pointers) // 2)
    for place in range(count):
        at = int.from_bytes(page[pointers + 2 * place : pointers + 2 * place + 2])
        try:
            yield _cell(page, at, kind, load)
        except (IndexError, ValueError, KeyError):
            continue


def _cell(page: bytes, at: int, kind: int, load: Callable[[int], bytes]) -> Row:
    if kind == _INDEX_INNER:
        at += 4
    size, at = _varint(page, at)
    rowid: tuple[Value, ...] = ()
    if kind == _TABLE_LEAF:
        number, at = _varint(page, at)
        rowid = (number,)
    if size > _MOST_BYTES:
        raise ValueError("no row of ours is that long")
    return rowid + _record(_payload(page, at, size, _TABLE_LOCAL if kind == _TABLE_LEAF else _INDEX_LOCAL, load))


def _payload(page: bytes, at: int, size: int, most: int, load: Callable[[int], bytes]) -> bytes:
    """The bytes of a row, those on overflow pages included."""
    if size <= most:
        return page[at : at + size]
    local = _LEAST_LOCAL + (size - _LEAST_LOCAL) % (PAGE_BYTES - 4)
    local = local if local <= most else _LEAST_LOCAL
    parts = [page[at : at + local]]
    missing = size - local
    following = int.from_bytes(page[at + local : at + local + 4])
    while missing > 0:
        overflow = load(following)
        parts.append(overflow[4 : 4 + min(missing, PAGE_BYTES - 4)])
        missing -= PAGE_BYTES - 4
        following = int.from_bytes(overflow[:4])
    return b"".join(parts)


def _record(payload: bytes) -> Row:
    head, at = _varint(payload, 0)
    body = head
    values: list[Value] = []
    while at < head:
        kind, at = _varint(payload, at)
        value, body = _value(payload, kind, body)
        values.append(value)
    if body > len(payload):
        raise ValueError("the row is cut")
    return tuple(values)


def _value(view: bytes, kind: int, at: int) -> tuple[Value, int]:
    if kind == 0:
        return None, at
    if kind in {8, 9}:
        return kind - 8, at
    if kind <= 6:
        size = (0, 1, 2, 3, 4, 6, 8)[kind]
        return int.from_bytes(view[at : at + size], signed=True), at + size
    if kind < 12:
        raise ValueError("no column of ours is of that kind")
    size = (kind - 12) // 2
    content = view[at : at + size]
    return (content.decode() if kind % 2 else content), at + size


def _varint(view: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(at, at + 8):
        value = value << 7 | view[place] & 0x7F
        if view[place] < 0x80:
            return value, place + 1
    return value << 8 | view[at + 8], at + 9
