"""How a push is packed: gzip, or zlib with what the centre took last from this station as its preset dictionary.

One heartbeat is like the one before, so the second way sends little more than what has changed. Which dictionary was
used stands in the packed bytes themselves (RFC 1950). A centre that does not hold it refuses with
`UNKNOWN_DICTIONARY`, and the station packs without it.
"""

import zlib

UNKNOWN_DICTIONARY = "unknown-dictionary"

_WINDOW = 32 * 1024


def dictionary_of(first_line: bytes) -> bytes:
    """The dictionary that a push leaves behind, from its first line."""
    return first_line[-_WINDOW:]


def pack(body: bytes, dictionary: bytes) -> bytes:
    """The body packed with the dictionary; as gzip where there is none."""
    packer = zlib.compressobj(wbits=15, zdict=dictionary) if dictionary else zlib.compressobj(wbits=31)
    return packer.compress(body) + packer.flush()


def is_with_dictionary(packed: bytes) -> bool:
    """Whether these bytes say that they need one to be unpacked."""
    is_zlib = packed[:1] == b"\x78" and int.from_bytes(packed[:2]) % 31 == 0
    return is_zlib and bool(packed[1] & 0x20)
