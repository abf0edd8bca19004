"""Packs pushes, each against the last one that the centre took (`shared/wire/packing.py`)."""

from dataclasses import dataclass

from shared.wire import packing


@dataclass(slots=True)
class Packer:
    """In memory only: the first push after a start is packed by itself."""

    _taken: bytes = b""
    _offered: bytes = b""

    def pack(self, body: bytes) -> bytes:
        self._offered = packing.dictionary_of(body.partition(b"\n")[0])
        return packing.pack(body, self._taken)

    def note_taken(self) -> None:
        """The centre has taken what was packed last."""
        self._taken = self._offered

    def forget(self) -> None:
        """The centre does not hold what it took last: it was started anew, or its answer was lost."""
        self._taken = b""
