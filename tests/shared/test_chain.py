import hashlib

from hypothesis import given
from hypothesis import strategies as st

from shared import chain

LINES = st.lists(st.binary(max_size=40), max_size=8)


def test_a_stream_begins_at_32_zero_bytes() -> None:
    assert bytes(32) == chain.START
    assert chain.extend_all(chain.START, []) == chain.START


def test_a_line_extends_the_chain_as_the_law_says() -> None:
    assert chain.extend(chain.START, b"line") == hashlib.sha256(bytes(32) + b"line").digest()


@given(LINES, LINES)
def test_a_chain_can_be_taken_up_where_it_was_left(earlier: list[bytes], later: list[bytes]) -> None:
    midway = chain.extend_all(chain.START, earlier)

    assert chain.extend_all(midway, later) == chain.extend_all(chain.START, earlier + later)


@given(LINES, st.data())
def test_a_changed_line_changes_the_head(lines: list[bytes], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(lines)))
    longer = [*lines[:place], b"one more", *lines[place:]]

    assert chain.extend_all(chain.START, longer) != chain.extend_all(chain.START, lines)
    assert chain.extend_all(chain.START, [*lines, b"a", b"b"]) != chain.extend_all(chain.START, [*lines, b"b", b"a"])
