"""Which lines of a push are new, and whether they continue what is stored. Pure: no clock, no database.

Only lines above `stored` are appended, so a push sent twice, late or in pieces changes nothing. A line that cannot
be read is admitted with the reason why: it keeps its place and blocks nothing.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from collector.intake.reading import Admitted, read_line
from shared import chain

_SEQ = re.compile(rb'\{"seq":(\d{1,16}),')


class Admission(NamedTuple):
    """What to append and where the stream then stands. `conflict` names the seq whose history differs from ours."""

    rows: tuple[Admitted, ...]
    stored: int
    head: bytes
    conflict: int | None = None


def admit(*, first: int, head: bytes, lines: Sequence[bytes], stored: int, stored_head: bytes) -> Admission:
    """Decide on lines that begin at seq `first` after the chain `head`, against a stream at `stored`, `stored_head`.

    Lines behind a hole (`first` above `stored` + 1) are not taken: the answer sends the station back.
    Raises PushRefusedError when a line carries another seq than its place.
    """
    if first > stored + 1:
        return Admission((), stored, stored_head)
    rows: list[Admitted] = []
    expected, running, joined, is_gap = first, head, False, False
    for line in lines:
        admitted = read_line(line, expected)
        # What comes before a gap is only known where this push tells it.
        is_told, is_gap = expected > first and not is_gap, admitted.gap_head is not None
        if admitted.upto > stored:
            proves = not is_gap or (is_told and expected == stored + 1)
            if not joined and proves and running != stored_head:
                return Admission((), stored, stored_head, conflict=stored)
            joined = True
            # A gap declared while the answer to its first lines was lost: those are stored, it stands for the rest.
            rows.append(admitted if admitted.seq > stored else admitted._replace(seq=stored + 1))
        running = admitted.gap_head or chain.extend(running, line)
        expected = admitted.upto + 1
    if not rows:
        # A bare heartbeat and a gap at the end prove nothing: there the station itself may not know the chain.
        differs = bool(lines) and not is_gap and expected - 1 == stored and running != stored_head
        return Admission((), stored, stored_head, conflict=stored if differs else None)
    return Admission(tuple(rows), expected - 1, running)


class Told(NamedTuple):
    """A line of a push under a number that is stored already."""

    seq: int
    line: bytes

    def differs(self, stored_line: bytes | None) -> bool:
        """Whether it tells another history than what is stored there. A gap on either side tells nothing."""
        return stored_line is not None and self.line != stored_line


def last_told(lines: Sequence[bytes], stored: int) -> Told | None:
    """The last line up to `stored` as our own agent writes it, None where there is none.

    Where all of a push is stored, or a gap lies between that line and what is new, no chain proves it.
    """
    for line in reversed(lines):
        found = _SEQ.match(line)
        if found is not None and int(found[1]) <= stored and b'"kind":"spool.gap"' not in line:
            return Told(int(found[1]), line)
    return None
