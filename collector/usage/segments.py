"""Played pieces of a file as the xAPI video profile writes them: `0[.]12.5[,]30[.]60`, seconds of content. Pure."""

import math
from collections.abc import Iterable

Piece = tuple[float, float]


def parse(text: str) -> list[Piece]:
    """Pieces in the order played. What is no piece is left out: a station may write anything."""
    pieces = []
    for each in text.split("[,]"):
        begin, _, end = each.partition("[.]")
        piece = (_number(begin), _number(end))
        if 0 <= piece[0] < piece[1] < math.inf:
            pieces.append(piece)
    return pieces


def union_s(pieces: Iterable[Piece]) -> float:
    """Seconds covered at least once."""
    covered, reached = 0.0, 0.0
    for begin, end in sorted(pieces):
        covered += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return covered


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
