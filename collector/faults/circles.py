"""Keeps Python from looking for circles among the rows of a round.

A round makes some ten rows a station and holds all of them to its end, and none refers to itself: the search that
their number sets off would find nothing and take a third of the round.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unsearched() -> Iterator[None]:
    """No search for circles until the end; other work of the process is searched afterwards."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
