"""Pushes carried by hand: the form of a bundle file and of the receipt that comes back.

A bundle holds pushes as they would go over the wire, each with its signature, made for the method CARRY, so that none
of them can be passed off as a live one. The last line proves that the file is whole; the signatures prove the rest.

    yuanjiao-bundle 1
    <bytes of the body> <Authorization header>
    <body>
    …
    end <number of pushes> <SHA-256 of everything before>
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from nacl.signing import SigningKey
from pydantic import ValidationError

from shared import signing
from shared.wire.v1 import MAX_PACKED_BYTES, Count, Hash, Milliseconds, Open, StationName, StreamId

METHOD = "CARRY"
SUFFIX = ".bundle"
RECEIPT_SUFFIX = ".receipt"
_FIRST = b"yuanjiao-bundle 1\n"
_LONGEST_HEADER = 1024

Part = tuple[str, bytes]
"""One push: its Authorization header and its body."""


class BadBundle(Exception):  # noqa: N818 - the fact itself, as callers read it
    """这个文件不是远教的记录包。"""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__)


class Kept(Open):
    """Where the centre stands in one stream: everything up to `stored`, after which the chain is `head`."""

    stream: StreamId
    stored: Count
    head: Hash


class Receipt(Open):
    """What the centre gives back for a bundle. Whoever can name the heads has seen the records."""

    receipt: int = 1
    station: StationName
    time: Milliseconds
    streams: list[Kept]
    signature: str = ""
    """The centre's own, over all of the above, as 128 hex digits; empty where the centre has no key."""


def write_parts(file: BinaryIO, parts: Iterable[Part]) -> int:
    """Write a whole bundle. Returns how many pushes it holds."""
    digest = hashlib.sha256()
    count = 0

    def put(piece: bytes) -> None:
        digest.update(piece)
        file.write(piece)

    put(_FIRST)
    for header, body in parts:
        put(b"%d %s\n%s\n" % (len(body), header.encode("ascii"), body))
        count += 1
    file.write(f"end {count} {digest.hexdigest()}\n".encode())
    return count


def read_parts(path: Path) -> Iterator[Part]:
    """The pushes of a bundle. Raises BadBundle, before the first one, for a file that is not whole."""
    for _ in _walk(path):
        pass
    return _walk(path)


def read_receipt(content: bytes) -> Receipt:
    """Raises BadBundle for anything else."""
    try:
        return Receipt.model_validate_json(content)
    except ValidationError as error:
        raise BadBundle("这个文件不是中心给的回执，或者不完整。请重新从中心拷贝 .receipt 文件。") from error


def sign_receipt(key: SigningKey, receipt: Receipt) -> Receipt:
    """The same receipt with the centre's signature."""
    return receipt.model_copy(update={"signature": key.sign(_receipt_text(receipt)).signature.hex()})


def check_receipt(receipt: Receipt, centre_key: bytes) -> None:
    """Raise BadBundle unless the centre itself gave this very receipt."""
    try:
        signing.check_text(centre_key, _receipt_text(receipt), bytes.fromhex(receipt.signature))
    except (signing.BadSignature, ValueError) as error:
        raise BadBundle("这份回执没有中心的签名，或者被改动过，没有采用。请重新从中心拷贝 .receipt 文件。") from error


def _receipt_text(receipt: Receipt) -> bytes:
    kept = (f"{each.stream} {each.stored} {each.head}" for each in receipt.streams)
    return "\n".join(("yuanjiao-receipt-1", receipt.station, str(receipt.time), *kept)).encode()


def _walk(path: Path) -> Iterator[Part]:
    digest = hashlib.sha256()
    count = 0
    with path.open("rb") as file:
        first = file.readline(len(_FIRST))
        if first != _FIRST:
            raise BadBundle
        digest.update(first)
        while True:
            line = file.readline(_LONGEST_HEADER)
            if line.startswith(b"end "):
                if line != f"end {count} {digest.hexdigest()}\n".encode() or file.read(1):
                    raise BadBundle("这个记录包被改动过或已损坏。请回到站点重新导出。")
                return
            header, body = _read_part(line, file)
            digest.update(line + body + b"\n")
            count += 1
            yield header, body


def _read_part(line: bytes, file: BinaryIO) -> Part:
    size, _, header = line.partition(b" ")
    if not (size.isdigit() and len(size) < 9 and int(size) <= MAX_PACKED_BYTES and line.endswith(b"\n")):
        raise BadBundle("这个记录包不完整（可能U盘没有安全弹出）。请回到站点重新导出。")
    body = file.read(int(size) + 1)
    if len(body) != int(size) + 1 or not header.isascii():
        raise BadBundle("这个记录包不完整（可能U盘没有安全弹出）。请回到站点重新导出。")
    return header.decode("ascii").rstrip("\n"), body[:-1]
