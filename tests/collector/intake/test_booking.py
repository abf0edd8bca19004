from datetime import UTC, datetime

import pytest

from collector.intake.booking import Booked, Booker
from shared.months import month_bounds
from shared.wire.v1 import Event, Heartbeat, SpoolReport

NOW_MS = 1_790_000_000_000
HEARTBEAT = Heartbeat(wall=0, mono=1_000_000, boot="b1", spool=SpoolReport(last=1, waiting=0, bytes=0))


def booked(*, at: int, boot: str, mono: int) -> Booked:
    event = Event(seq=1, kind="note", at=at, boot=boot, mono=mono, data={})
    return Booker(heartbeat=HEARTBEAT, received_ms=NOW_MS, anchors={"b0": NOW_MS - 9_000_000}).book(event)


def test_within_the_present_boot_time_is_counted_back_from_receipt() -> None:
    assert booked(at=5, boot="b1", mono=400_000) == Booked(NOW_MS - 600_000, uncertain=False)


def test_a_clock_in_1970_books_rightly_all_the_same() -> None:
    assert booked(at=0, boot="b1", mono=1_000_000) == Booked(NOW_MS, uncertain=False)


def test_an_earlier_boot_is_placed_by_its_anchor() -> None:
    assert booked(at=5, boot="b0", mono=1_000) == Booked(NOW_MS - 8_999_000, uncertain=False)


def test_a_boot_nobody_ever_heard_keeps_its_own_time_flagged() -> None:
    assert booked(at=NOW_MS - 5, boot="b9", mono=1_000) == Booked(NOW_MS - 5, uncertain=True)


@pytest.mark.parametrize("year", [1970, 2000, 2035, 2038])
def test_a_boot_nobody_ever_heard_is_not_booked_into_an_impossible_year(year: int) -> None:
    at_ms = int(datetime(year, 6, 1, tzinfo=UTC).timestamp() * 1000)
    assert booked(at=at_ms, boot="b9", mono=1_000) == Booked(NOW_MS, uncertain=True)


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_monotonic_clock_that_stood_still_or_ran_wild_is_flagged(minutes: int) -> None:
    event = Event(seq=1, kind="note", at=5, boot="b1", mono=400_000, data={})
    known = {"b1": NOW_MS - 1_000_000 - minutes * 60_000}
    assert Booker(heartbeat=HEARTBEAT, received_ms=NOW_MS, anchors=known).book(event).uncertain


def test_nothing_is_booked_into_the_future() -> None:
    assert booked(at=5, boot="b1", mono=2_000_000) == Booked(NOW_MS, uncertain=True)


def test_a_push_that_was_held_up_does_not_make_its_events_late() -> None:
    event = Event(seq=1, kind="note", at=5, boot="b1", mono=400_000, data={})
    known = {"b1": NOW_MS - 1_000_000 - 500_000}
    held_up = Booker(heartbeat=HEARTBEAT, received_ms=NOW_MS, anchors=known).book(event)
    assert held_up == Booked(NOW_MS - 1_100_000, uncertain=False)


def test_what_seems_to_have_happened_just_after_a_month_began_is_flagged() -> None:
    midnight_ms = month_bounds(202610)[0]
    event = Event(seq=1, kind="note", at=5, boot="b1", mono=1_000_000, data={})
    flags = [
        Booker(heartbeat=HEARTBEAT, received_ms=midnight_ms + minutes * 60_000, anchors={}).book(event).uncertain
        for minutes in (-1, 1, 14, 16)
    ]
    assert flags == [False, True, True, False]
