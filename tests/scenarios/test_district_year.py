"""The first days of the invented year: what is truly wrong is found, and nothing else is."""

import asyncio

from bench.district_year import live_through


def test_no_fault_of_the_first_days_is_missed_or_invented() -> None:
    tally = asyncio.run(live_through("together", seed=1, days=4))
    assert tally.faults >= 10
    assert tally.tickets >= 5
    assert (tally.false, tally.missed) == (0, 0), tally.notes
