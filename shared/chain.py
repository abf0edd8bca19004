"""The hash chain of a stream: h(n) = SHA-256(h(n-1) + line bytes). It finds bit rot, cuts and forged history."""

import hashlib
from collections.abc import Iterable

START = bytes(32)


def extend(head: bytes, line: bytes) -> bytes:
    """Head of the chain after one more line."""
    return hashlib.sha256(head + line).digest()


def extend_all(head: bytes, lines: Iterable[bytes]) -> bytes:
    for line in lines:
        head = extend(head, line)
    return head
