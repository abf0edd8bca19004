"""Unpacks what an agent sends, as a centre must, without any of the product's code."""

import gzip
import zlib
from dataclasses import dataclass


@dataclass(slots=True)
class Unpacker:
    """`last` is the first line of the last push taken."""

    last: bytes = b""

    def read(self, body: bytes) -> list[bytes]:
        """The lines of a body. Raises zlib.error for one packed with another dictionary."""
        if body.startswith(b"\x1f\x8b"):
            return gzip.decompress(body).splitlines()
        return zlib.decompressobj(zdict=self.last).decompress(body).splitlines()
