from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.errors import PushRefusedError
from collector.intake.admission import Admission, admit
from shared import chain
from shared.wire.v1 import dump_line


def line(seq: int, kind: str = "note", **data: Any) -> bytes:
    return dump_line({"seq": seq, "kind": kind, "at": 1, "boot": "b", "mono": 1, "data": data})


def lines(first: int, last: int) -> list[bytes]:
    return [line(seq) for seq in range(first, last + 1)]


HISTORY = lines(1, 20)
HEADS = [chain.extend_all(chain.START, HISTORY[:count]) for count in range(21)]


def send(first: int, last: int, *, stored: int) -> Admission:
    """Push lines first..last of one true history to a stream that stands at `stored`."""
    sent = HISTORY[first - 1 : last]
    return admit(first=first, head=HEADS[first - 1], lines=sent, stored=stored, stored_head=HEADS[stored])


def test_new_lines_are_taken() -> None:
    admission = send(1, 5, stored=0)
    assert [row.seq for row in admission.rows] == [1, 2, 3, 4, 5]
    assert (admission.stored, admission.head) == (5, HEADS[5])


def test_lines_that_are_stored_are_not_taken_again() -> None:
    assert send(1, 5, stored=5).rows == ()


def test_of_an_overlapping_push_only_the_rest_is_taken() -> None:
    assert [row.seq for row in send(3, 8, stored=5).rows] == [6, 7, 8]


def test_lines_behind_a_hole_wait_for_the_missing_ones() -> None:
    admission = send(8, 9, stored=5)
    assert (admission.rows, admission.stored) == ((), 5)


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 8)), max_size=40))
def test_however_often_and_in_whatever_pieces_history_is_sent_it_is_stored_once(pushes: list[tuple[int, int]]) -> None:
    stored = 0
    taken: list[int] = []
    for first, count in pushes:
        admission = send(first, min(20, first + count), stored=stored)
        taken += [row.seq for row in admission.rows]
        stored = admission.stored
    assert taken == list(range(1, stored + 1))


def test_a_gap_over_lines_that_are_stored_stands_for_the_rest_of_them() -> None:
    gap = line(3, "spool.gap", first=3, last=8, counts={"device.sampled": 6}, head=HEADS[8].hex())
    admission = admit(first=3, head=HEADS[2], lines=[gap, *lines(9, 9)], stored=5, stored_head=HEADS[5])
    assert [(row.seq, row.upto) for row in admission.rows] == [(6, 8), (9, 9)]
    assert (admission.stored, admission.head) == (9, HEADS[9])


def test_another_content_under_the_same_number_is_a_conflict() -> None:
    forged = [line(5, text="forged")]
    admission = admit(first=5, head=HEADS[4], lines=forged, stored=5, stored_head=HEADS[5])
    assert (admission.rows, admission.conflict) == ((), 5)


def test_a_continuation_of_another_history_is_a_conflict() -> None:
    admission = admit(first=6, head=bytes(32), lines=lines(6, 7), stored=5, stored_head=HEADS[5])
    assert (admission.rows, admission.conflict) == ((), 5)


def test_a_line_out_of_its_place_refuses_the_push() -> None:
    with pytest.raises(PushRefusedError, match="line 9 stands where 6 belongs"):
        admit(first=6, head=HEADS[5], lines=[line(9)], stored=5, stored_head=HEADS[5])


def test_a_line_that_is_no_event_keeps_its_place_and_blocks_nothing() -> None:
    poison = b'{"seq": 6, '
    after = chain.extend(HEADS[5], poison)
    admission = admit(first=6, head=HEADS[5], lines=[poison, line(7)], stored=5, stored_head=HEADS[5])
    assert [(row.seq, row.refused is None) for row in admission.rows] == [(6, False), (7, True)]
    assert admission.head == chain.extend(after, line(7))


def test_an_unknown_kind_is_taken_whole() -> None:
    sent = line(6, "weather.observed", wind=3)
    (row,) = admit(first=6, head=HEADS[5], lines=[sent], stored=5, stored_head=HEADS[5]).rows
    assert (row.line, row.refused) == (sent, None)


def test_a_known_kind_without_a_field_is_set_aside_with_its_bytes() -> None:
    sent = line(6, "courseware.removed", name="a.mp4")
    (row,) = admit(first=6, head=HEADS[5], lines=[sent], stored=5, stored_head=HEADS[5]).rows
    assert row.line == sent
    assert row.refused == "courseware.removed: sha256: Field required"


def test_a_declared_gap_stands_for_its_lines_and_carries_the_chain_on() -> None:
    gap = line(6, "spool.gap", first=6, last=9, counts={"unreadable": 4}, head=HEADS[9].hex())
    admission = admit(first=6, head=HEADS[5], lines=[gap, HISTORY[9]], stored=5, stored_head=HEADS[5])
    assert [(row.seq, row.upto) for row in admission.rows] == [(6, 9), (10, 10)]
    assert (admission.stored, admission.head) == (10, HEADS[10])


def test_a_centre_that_lost_its_rows_is_filled_again_behind_a_gap() -> None:
    gap = line(1, "spool.gap", first=1, last=9, counts={"forgotten": 9}, head=HEADS[9].hex())
    admission = admit(first=1, head=chain.START, lines=[gap, HISTORY[9]], stored=4, stored_head=HEADS[4])
    assert (admission.stored, admission.head) == (10, HEADS[10])


def test_a_gap_that_ends_before_it_begins_is_set_aside() -> None:
    gap = line(6, "spool.gap", first=6, last=2, counts={}, head=HEADS[5].hex())
    (row,) = admit(first=6, head=HEADS[5], lines=[gap], stored=5, stored_head=HEADS[5]).rows
    assert row.refused == "spool.gap: it ends before it begins"


def test_a_bare_heartbeat_is_no_dispute_whatever_chain_it_names() -> None:
    admission = admit(first=6, head=bytes(32), lines=[], stored=5, stored_head=HEADS[5])
    assert (admission.rows, admission.conflict) == ((), None)


def test_a_gap_where_everything_is_stored_is_no_dispute() -> None:
    gap = line(4, "spool.gap", first=4, last=5, counts={"unreadable": 2}, head=chain.START.hex())
    admission = admit(first=4, head=HEADS[3], lines=[gap], stored=5, stored_head=HEADS[5])
    assert (admission.rows, admission.conflict) == ((), None)


def test_a_gap_behind_lines_of_another_history_is_a_conflict() -> None:
    gap = line(7, "spool.gap", first=7, last=9, counts={"unreadable": 3}, head=chain.START.hex())
    mine = line(6, "note", title="another")
    assert admit(first=6, head=HEADS[5], lines=[mine, gap], stored=6, stored_head=HEADS[6]).conflict == 6
    right = admit(first=6, head=HEADS[5], lines=[*lines(6, 6), gap], stored=6, stored_head=HEADS[6])
    assert (right.conflict, right.stored) == (None, 9)
