"""The first line of each station's last push, against which it packs its next one (`shared/wire/packing.py`).

In this process's memory only: a station whose dictionary is not here is told so, and sends once without.
"""

from collections import OrderedDict

from shared.wire.packing import dictionary_of

MAX_KEPT = 20_000
"""Some 40 MB. Of more stations than that, those heard last are kept."""


class Dictionaries:
    """By the station's name on the wire."""

    def __init__(self, *, most: int = MAX_KEPT) -> None:
        self._most = most
        self._held: OrderedDict[str, bytes] = OrderedDict()

    def get(self, station: str) -> bytes:
        """Empty when there is none."""
        return self._held.get(station, b"")

    def keep(self, station: str, first_line: bytes) -> None:
        """To be called once the push is stored, before it is answered."""
        self._held[station] = dictionary_of(first_line)
        self._held.move_to_end(station)
        if len(self._held) > self._most:
            self._held.popitem(last=False)
